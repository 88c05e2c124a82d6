"""Form parameters to the model's shapes: `Tags.member.1.Key=a` is the first element of a list of structures.

The flat keys are first folded into a tree at their dots, then read along the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from fogbank.core.models import (
    ListShape,
    MapShape,
    Member,
    Shape,
    StructureShape,
)
from fogbank.gateway.protocols.faults import MalformedInputError, SerializationError
from fogbank.gateway.protocols.text import text_reader
from fogbank.gateway.protocols.xml_values import is_flat

Node = str | dict[str, Any]
ReadNode = Callable[[Node], Any]

MOST_PARAMETERS = 20_000
_DEEPEST = 60


def parse_form(body: bytes | str) -> list[tuple[str, str]]:
    """The pairs of a form or a query string; `MalformedInputError` if they are not UTF-8, or too many."""
    try:
        raw = body if isinstance(body, bytes) else body.encode("latin-1", "replace")
        text = raw.decode()
        pairs = text.split("&", MOST_PARAMETERS)
        if len(pairs) > MOST_PARAMETERS:
            raise MalformedInputError(f"The request has more than {MOST_PARAMETERS} parameters")
        result = []
        for pair in pairs:
            if pair:
                key, _, value = pair.partition("=")
                result.append((_unquote(key), _unquote(value)))
    except UnicodeDecodeError:
        raise MalformedInputError("The request is not UTF-8") from None
    return result


def _unquote(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    return unquote_plus(text, errors="strict")


def fold(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The tree of `a.b.1=x`: `{"a": {"b": {"1": "x"}}}`. A value beside children is kept under the empty key."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        steps = key.split(".", _DEEPEST)
        if len(steps) > _DEEPEST:
            raise MalformedInputError(f"Parameters may be nested {_DEEPEST} levels deep")
        node = root
        for step in steps[:-1]:
            below = node.get(step)
            if not isinstance(below, dict):
                below = node[step] = {} if below is None else {"": below}
            node = below
        last = node.get(steps[-1])
        if isinstance(last, dict):
            last[""] = value
        else:
            node[steps[-1]] = value
    return root


def _scalar(node: Node) -> str:
    if isinstance(node, str):
        return node
    if "" in node and isinstance(node[""], str):
        return node[""]
    raise MalformedInputError("Unexpected complex element termination")


def _complex(node: Node) -> dict[str, Any]:
    if isinstance(node, dict):
        return node
    if node == "":
        return {}
    raise MalformedInputError("Unexpected list element termination")


def _numbered(node: dict[str, Any]) -> list[Any]:
    """The values under `1`, `2`, … in their numbers' order."""
    numbered = []
    for key, value in node.items():
        if key == "":
            continue
        if not key.isascii() or not key.isdigit() or len(key) > 9:
            raise MalformedInputError(f"Expected a number in a list's key, got {key[:50]!r}")
        numbered.append((int(key), value))
    numbered.sort(key=lambda pair: pair[0])
    return [value for _, value in numbered]


class QueryReaders:
    """Compiles readers; one for a service and protocol. `ec2` chooses that protocol's names and lists."""

    def __init__(self, *, ec2: bool = False) -> None:
        self._ec2 = ec2
        self._made: dict[tuple[Shape, bool], ReadNode] = {}

    def of(self, member: Member) -> ReadNode:
        """The reader of what a member refers to."""
        shape = member.shape
        flat = isinstance(shape, ListShape | MapShape) and (self._ec2 or is_flat(member, shape))
        found = self._made.get((shape, flat))
        if found is not None:
            return found
        if isinstance(shape, StructureShape):
            return self.structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape, flat=flat)
        if isinstance(shape, MapShape):
            return self._map(shape, flat=flat)
        read = text_reader(shape)

        def read_scalar(node: Node) -> Any:
            try:
                return read(_scalar(node))
            except SerializationError as error:
                raise MalformedInputError(error.message) from None

        return read_scalar

    def structure(self, shape: StructureShape) -> ReadNode:
        """The reader of a structure."""
        fields: list[tuple[str, str, ReadNode]] = []

        def read_structure(node: Node) -> Any:
            tree = _complex(node)
            result = {}
            for name, key, read in fields:
                below = tree.get(key)
                if below is not None:
                    result[name] = read(below)
            return result

        self._made[shape, False] = read_structure
        for name, member in shape.members.items():
            fields.append((name, self._key(member), self.of(member)))
        return read_structure

    def _key(self, member: Member) -> str:
        if self._ec2:
            name = member.query_name
            if name is None:
                name = member.wire_name[:1].upper() + member.wire_name[1:]
            return name
        return member.wire_name

    def _list(self, shape: ListShape, *, flat: bool) -> ReadNode:
        between = shape.member.location_name or "member"
        read: ReadNode

        def read_list(node: Node) -> Any:
            tree = _complex(node)
            if not flat:
                tree = _complex(tree.get(between, ""))
            return [read(item) for item in _numbered(tree)]

        self._made[shape, flat] = read_list
        read = self.of(shape.member)
        return read_list

    def _map(self, shape: MapShape, *, flat: bool) -> ReadNode:
        key_name = shape.key.location_name or "key"
        value_name = shape.value.location_name or "value"
        read: ReadNode

        def read_map(node: Node) -> Any:
            tree = _complex(node)
            if not flat:
                tree = _complex(tree.get("entry", ""))
            result = {}
            for item in _numbered(tree):
                entry = _complex(item)
                if key_name not in entry or value_name not in entry:
                    raise MalformedInputError(f"An entry of {shape.name} lacks {key_name} or {value_name}")
                result[_scalar(entry[key_name])] = read(entry[value_name])
            return result

        self._made[shape, flat] = read_map
        read = self.of(shape.value)
        return read_map


def parameters(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """The pairs as a mapping; of a repeated key the last counts."""
    return dict(pairs)

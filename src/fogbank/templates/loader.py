"""A template's text, read: YAML with CloudFormation's short tags, or JSON, into plain Python values.

    text ──► events (libyaml), or the JSON decoder ──► values, with the short tags in their long form
                                                  └──► on demand: where in the text a path stands

A template is outside input: its size, nesting and the growth through aliases are bounded. Values are built from
libyaml's events, not from its nodes: composing nodes recurses in C, and a deep template ends the process.
Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html and the reference of
the intrinsic functions (their short forms).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from fogbank.templates.errors import TemplateError

MAX_BYTES = 1024 * 1024
"""A template that comes by URL may be 1 MB on AWS, one in the request 51,200 bytes (checked by the API)."""
MAX_DEPTH = 100
MAX_NODES = 200_000
"""Values in a template once every alias is written out: what keeps aliases of aliases from growing without end."""

Path = tuple[str | int, ...]

_FUNCTIONS = frozenset(
    [
        "And",
        "Base64",
        "Cidr",
        "Contains",
        "EachMemberEquals",
        "EachMemberIn",
        "Equals",
        "FindInMap",
        "GetAZs",
        "If",
        "ImportValue",
        "Join",
        "Length",
        "Not",
        "Or",
        "RefAll",
        "Select",
        "Split",
        "Sub",
        "ToJsonString",
        "Transform",
        "ValueOf",
        "ValueOfAll",
    ]
)
_TAG = "tag:yaml.org,2002:"
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?")
_BOOLEAN = {
    form: value
    for word, value in (("true", True), ("yes", True), ("on", True), ("false", False), ("no", False), ("off", False))
    for form in (word, word.capitalize(), word.upper())
}


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a template's text, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def load(text: str) -> dict[str, Any]:
    """Read a template; `TemplateError` as CloudFormation words it if it is no mapping, or not well formed."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise TemplateError(f"Template format error: expected at most {MAX_BYTES} bytes of template")
    value = _load_json(text) if text.lstrip()[:1] == "{" else _load_yaml(text)
    if not isinstance(value, dict):
        raise TemplateError("Template format error: unsupported structure.")
    return value


def locate(text: str, path: Sequence[str | int]) -> Position | None:
    """Where the value at `path` (or the nearest part of the path that exists) stands; `None` if it cannot be told.

    For a mapping's member it is the place of its key.
    """
    builder = _Builder(text, positions=True)
    try:
        builder.build()
    except (TemplateError, yaml.YAMLError):
        return None
    for length in range(len(path), -1, -1):
        position = builder.positions.get(tuple(path[:length]))
        if position is not None:
            return position
    return None


def _load_json(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise _malformed("JSON", error.lineno, error.colno) from None
    except RecursionError:
        raise _too_deep() from None
    _measure(value)
    return value


def _refuse_constant(name: str) -> Any:
    raise TemplateError(f"Template format error: JSON not well-formed: {name} is not a JSON value")


def _measure(value: Any) -> None:
    """Bound the depth of a JSON value without recursion."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
        if not below:
            return
        level = below
    raise _too_deep()


def _load_yaml(text: str) -> Any:
    try:
        return _Builder(text).build()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _malformed("YAML", mark.line + 1 if mark else 1, mark.column + 1 if mark else 1) from None


def _malformed(language: str, line: int, column: int) -> TemplateError:
    return TemplateError(f"Template format error: {language} not well-formed. (line {line}, column {column})")


def _too_deep() -> TemplateError:
    return TemplateError(f"Template format error: expected at most {MAX_DEPTH} levels of nesting")


@dataclass(frozen=True, slots=True)
class _Anchored:
    """What an alias stands for, and how many values that is."""

    value: Any
    size: int


class _Builder:
    """Turns libyaml's events into values. One per template: it counts what it has built."""

    def __init__(self, text: str, *, positions: bool = False) -> None:
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self._anchors: dict[str, _Anchored] = {}
        self._built = 0
        self._positions = positions
        self.positions: dict[Path, Position] = {}

    def build(self) -> Any:
        """The first document's value; the text must hold just one."""
        next(self._events)  # the stream's start
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise TemplateError("Template format error: unsupported structure.")
        value = self._value(next(self._events), (), 0)
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _wrong(after, "expected one document")
        return value

    def _count(self, values: int) -> None:
        self._built += values
        if self._built > MAX_NODES:
            raise TemplateError(f"Template format error: expected at most {MAX_NODES} values, aliases written out")

    def _value(self, event: yaml.Event, path: Path, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._built
        self._count(1)
        value = self._untagged(event, path, depth)
        if not isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent):
            raise _wrong(event, "expected a value")
        tag = event.tag
        if tag is not None and tag.startswith("!") and tag != "!":
            value = _function(event, tag[1:], value)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, self._built - before)
        return value

    def _alias(self, event: yaml.AliasEvent) -> Any:
        anchored = self._anchors.get(event.anchor or "")
        if anchored is None:
            raise _wrong(event, f"the alias *{event.anchor} refers to nothing, or to what contains it")
        self._count(anchored.size)
        return anchored.value

    def _untagged(self, event: yaml.Event, path: Path, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*path, len(items)) if self._positions else path
            self._note(event, here)
            items.append(self._value(event, here, depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _wrong(event, "expected a string as a key")
            here = (*path, event.value) if self._positions else path
            self._note(event, here)
            child = self._value(next(self._events), here, depth + 1)
            if event.value == "<<" and event.implicit[0]:
                _merge(merged, event, child)
            else:
                value[event.value] = child
        return {**merged, **value} if merged else value

    def _note(self, event: yaml.Event, path: Path) -> None:
        if self._positions:
            self.positions[path] = _position(event)


def _merge(merged: dict[str, Any], event: yaml.Event, source: Any) -> None:
    for each in reversed(source if isinstance(source, list) else [source]):
        if not isinstance(each, dict):
            raise _wrong(event, "expected a mapping to merge")
        merged.update(each)


def _function(event: yaml.Event, name: str, value: Any) -> dict[str, Any]:
    """The long form of a short tag."""
    if name in ("Ref", "Condition"):
        return {name: value}
    if name == "GetAtt":
        return {"Fn::GetAtt": value.split(".", 1) if isinstance(value, str) else value}
    if name in _FUNCTIONS:
        return {f"Fn::{name}": value}
    raise _wrong(event, f"unknown tag !{name}")


def _wrong(event: yaml.Event, problem: str) -> TemplateError:
    return TemplateError(f"Template format error: YAML not well-formed. ({_position(event)}): {problem}")


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(1, 1) if mark is None else Position(mark.line + 1, mark.column + 1)


def _scalar(event: yaml.ScalarEvent) -> Any:
    """A scalar as CloudFormation reads it: YAML 1.1 without timestamps, sexagesimals and octals.

    An account id with a leading zero, a version's date and a time of day stay the strings that they are, and so
    does what follows a tag: `!Ref 123` names `123`.
    """
    text: str = event.value
    if not event.implicit[0] and not (event.tag or "").startswith(_TAG):
        return text
    if event.tag == _TAG + "str" or (event.tag is None and event.style):
        return text
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text

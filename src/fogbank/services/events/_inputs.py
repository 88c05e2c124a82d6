"""What a target is sent: the event, a constant, a part of the event, or a template filled from it.

A template's `<name>` is replaced by the value at the name's path. Outside of quotes the value is put in as JSON,
within quotes as bare text (objects and arrays without their quotation marks); values are not escaped. A path that
the event does not have gives an empty string. What comes out is minified where it is JSON; templates of quoted
strings, one a line, are sent as they are, with their quotes.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html,
the service model's InputTransformer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from fogbank.services.events.errors import ValidationError

_STEP = re.compile(r"\.([^.\[\]'\"*]+)|\.(\*)|\[(\d{1,9})\]|\[(\*)\]|\['([^']+)'\]|\[\"([^\"]+)\"\]")
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_KEY_POSITION = re.compile(r"\s*:")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

MISSING = object()
ANY = object()
"""The step `*`."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event on its way to a rule's targets: itself, its JSON, when it came, and the rule."""

    event: dict[str, Any]
    payload: bytes
    ingested: str
    rule_arn: str
    rule_name: str


Input = Callable[[Occurrence], bytes]
"""What a target is sent for an occurrence."""


@dataclass(frozen=True, slots=True)
class Path:
    """A JSON path of names, indexes and wildcards."""

    steps: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read a path; `ValueError` if it is none of those that EventBridge knows."""
        if not text.startswith("$"):
            raise ValueError(f"{text!r} does not begin with $")
        steps: list[Any] = []
        at = 1
        while at < len(text):
            found = _STEP.match(text, at)
            if found is None:
                raise ValueError(f"{text!r} is not understood at position {at}")
            name, star, index, other_star, quoted, double_quoted = found.groups()
            if star or other_star:
                steps.append(ANY)
            else:
                steps.append(int(index) if index else name or quoted or double_quoted)
            at = found.end()
        return cls(tuple(steps))

    def find(self, event: Any) -> Any:
        """The value, `MISSING` if there is none; with a wildcard the list of all that there are."""
        value = event
        for position, step in enumerate(self.steps):
            if step is ANY:
                return _find_all(value, Path(self.steps[position + 1 :]))
            value = _child(value, step)
            if value is MISSING:
                return MISSING
        return value


def _child(value: Any, step: Any) -> Any:
    if isinstance(step, int):
        return value[step] if type(value) is list and step < len(value) else MISSING
    return value.get(step, MISSING) if type(value) is dict else MISSING


def _find_all(value: Any, rest: Path) -> Any:
    if type(value) is not dict and type(value) is not list:
        return MISSING
    elements = value.values() if type(value) is dict else value
    return [found for found in (rest.find(element) for element in elements) if found is not MISSING]


def compile_input(target: str, settings: Mapping[str, Any]) -> Input:
    """What the target with these settings is sent; `ValidationError` if they are not in order."""
    given = [name for name in ("Input", "InputPath", "InputTransformer") if settings.get(name) is not None]
    if len(given) > 1:
        raise ValidationError(
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {target}."
        )
    match given:
        case ["Input"]:
            return _constant(target, settings["Input"])
        case ["InputPath"]:
            return _part(target, settings["InputPath"])
        case ["InputTransformer"]:
            return _template(target, settings["InputTransformer"])
        case _:
            return lambda occurrence: occurrence.payload


def _constant(target: str, text: str) -> Input:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationError(f"Input for target {target} is not a valid JSON text.") from None
    payload = text.encode()
    return lambda _: payload


def _part(target: str, text: str) -> Input:
    try:
        path = Path.parse(text or "$")
    except ValueError as error:
        raise ValidationError(f"InputPath for target {target} is not a valid JSON path: {error}.") from None
    if not path.steps:
        return lambda occurrence: occurrence.payload

    def part(occurrence: Occurrence) -> bytes:
        value = path.find(occurrence.event)
        return b"null" if value is MISSING else _encode(value)

    return part


_HEAD = {
    "id": "id",
    "account": "account",
    "detailType": "detail-type",
    "time": "time",
    "source": "source",
    "region": "region",
    "resources": "resources",
    "version": "version",
}
"""The members of `aws.events.event`, and those of the event that they are, in the order that was recorded."""


def _head(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without its detail, under the names that `aws.events.event` has for its members."""
    found = {name: event[member] for name, member in _HEAD.items() if member in event}
    others = event.keys() - _HEAD.values() - {"detail"}
    return found | {name: event[name] for name in event if name in others}


_RESERVED: dict[str, Callable[[Occurrence], Any]] = {
    "aws.events.rule-arn": lambda o: o.rule_arn,
    "aws.events.rule-name": lambda o: o.rule_name,
    "aws.events.event.ingestion-time": lambda o: o.ingested,
    "aws.events.event": lambda o: _head(o.event),
    "aws.events.event.json": lambda o: o.event,
}


@dataclass(frozen=True, slots=True)
class _Hole:
    """A place in a template that is filled."""

    value: Callable[[Occurrence], Any]
    quoted: bool


def _template(target: str, transformer: Mapping[str, Any]) -> Input:
    values: dict[str, Callable[[Occurrence], Any]] = dict(_RESERVED)
    for name, text in (transformer.get("InputPathsMap") or {}).items():
        if name.upper().startswith("AWS."):
            raise ValidationError(f"InputPathsMap for target {target} has the reserved key {name}.")
        values[name] = _value_at(target, name, text)
    template: str = transformer["InputTemplate"]
    parts = _parts(target, template, values)
    is_document = _check(target, template)

    def fill(occurrence: Occurrence) -> bytes:
        text = "".join(part if isinstance(part, str) else _filled(part, occurrence) for part in parts)
        return _minified(text) if is_document else text.encode()

    return fill


def _value_at(target: str, name: str, text: str) -> Callable[[Occurrence], Any]:
    try:
        path = Path.parse(text)
    except ValueError as error:
        raise ValidationError(f"InputPathsMap for target {target} has an invalid path for {name}: {error}.") from None
    return lambda occurrence: path.find(occurrence.event)


def _parts(target: str, template: str, values: Mapping[str, Callable[[Occurrence], Any]]) -> list[str | _Hole]:
    parts: list[str | _Hole] = []
    at = 0
    quoted = False
    for found in _PLACEHOLDER.finditer(template):
        name = found[1]
        if name not in values:
            raise ValidationError(f"InputTemplate for target {target} contains invalid placeholder {name}.")
        literal = template[at : found.start()]
        quoted = _ends_quoted(literal, quoted=quoted)
        parts += [literal, _Hole(values[name], quoted)]
        at = found.end()
    parts.append(template[at:])
    return parts


def _ends_quoted(text: str, *, quoted: bool) -> bool:
    """Whether the end of a piece of a template is within quotes, if its begin was or was not."""
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = quoted
        elif char == '"':
            quoted = not quoted
        elif char == "\n":
            quoted = False
    return quoted


def _filled(hole: _Hole, occurrence: Occurrence) -> str:
    value = hole.value(occurrence)
    if value is MISSING:
        return "" if hole.quoted else '""'
    if not hole.quoted:
        return _encode(value).decode()
    if type(value) is str:
        return value
    return _encode(value).decode().replace('"', "")


def _minified(text: str) -> bytes:
    """A filled document without its spaces; as it is if a value that is not escaped has broken it."""
    try:
        return _encode(_decode(text))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text.encode()


def _check(target: str, template: str) -> bool:
    """Whether a template is one JSON document (else it is quoted strings, one a line); refuse other texts."""
    for found in _PLACEHOLDER.finditer(template):
        if template[found.start() - 1 : found.start()] == '"' and template[found.end() : found.end() + 1] == '"':
            is_key = _KEY_POSITION.match(template, found.end() + 1) is not None
        else:
            is_key = _KEY_POSITION.match(template, found.end()) is not None
            is_key = is_key and not _within_quotes(template, found.start())
        if is_key:
            raise _invalid_template(target, template, found.start())
    sample = _sample(template)
    if not template.lstrip().startswith('"'):
        try:
            json.loads(sample)
        except (ValueError, RecursionError) as error:
            raise _invalid_template(target, template, getattr(error, "pos", 0)) from None
        return True
    for line in sample.split("\n"):
        if line.strip() and not _is_string(line):
            raise _invalid_template(target, template, 0)
    return False


def _within_quotes(template: str, at: int) -> bool:
    return _ends_quoted(template[:at], quoted=False)


def _sample(template: str) -> str:
    """The template with its holes filled by something that is JSON where they stand."""
    pieces = []
    at = 0
    for found in _PLACEHOLDER.finditer(template):
        pieces += [template[at : found.start()], "x" if _within_quotes(template, found.start()) else "0"]
        at = found.end()
    return "".join([*pieces, template[at:]])


def _is_string(line: str) -> bool:
    try:
        return isinstance(json.loads(line), str)
    except ValueError:
        return False


def _invalid_template(target: str, template: str, at: int) -> ValidationError:
    line = template.count("\n", 0, at) + 1
    column = at - (template.rfind("\n", 0, at) + 1) + 1
    return ValidationError(
        f'Invalid InputTemplate for target {target} : [Source: (String)"{template[:500]}"; '
        f"line: {line}, column: {column}]"
    )

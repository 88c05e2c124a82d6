"""Payload templates, compiled: JSONPath's (`"name.$": "$.path"`) and JSONata's (`"{% … %}"` anywhere).

A compiled template is a function of a `Frame`; what is constant in it is shared, never copied, so values are never
changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from fogbank.services.states._language.failures import PathError, QueryFailure
from fogbank.services.states._language.intrinsics import (
    Intrinsic,
    InvalidIntrinsicError,
    parse_intrinsic,
)
from fogbank.services.states._language.jsonata import (
    UNDEFINED,
    JsonataError,
    JsonataSyntaxError,
    Source,
    expression_text,
    parse_expression,
)
from fogbank.services.states._language.paths import CONTEXT, INPUT, MISSING, InvalidPathError, Path, parse_path

Json = Any


class Frame(Protocol):
    """What a template is filled from: the state under way."""

    @property
    def source(self) -> Source:
        """Where random values come from, and how expressions that take long are answered."""
        ...

    @property
    def variables(self) -> Mapping[str, Json]:
        """The variables in scope."""
        ...

    def context(self) -> Json:
        """The context object."""
        ...

    def describe(self) -> str:
        """`An error occurred while executing the state 'X' (entered at the event id #2).`"""
        ...


Template = Callable[[Frame, Json], Json]
"""A JSONPath template: of the frame and the value that `$` is."""
Query = Callable[[Frame, Mapping[str, Json]], Json]
"""A JSONata template: of the frame and `$states` without its context."""


class TemplateError(ValueError):
    """A template that cannot be compiled; `location` is relative to the template."""

    def __init__(self, message: str, location: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.location = location


def text_of(value: Json) -> str:
    """A value as JSON text without white space."""
    return msgspec.json.encode(value).decode()


# -- JSONPath ---------------------------------------------------------------------------------------------


def look_up(path: Path, frame: Frame, data: Json) -> Json:
    """The value at a path, or `MISSING`. `PathError` for a variable that is not there."""
    return path.find(base_of(path, frame, data))


def base_of(path: Path, frame: Frame, data: Json) -> Json:
    """What a path begins at."""
    if path.root == INPUT:
        return data
    if path.root == CONTEXT:
        return frame.context()
    if path.root not in frame.variables:
        raise PathError(f"The variable '${path.root}' referenced by '{path.text}' is not defined.")
    return frame.variables[path.root]


def _need(path: Path, frame: Frame, data: Json, field: str) -> Json:
    base = base_of(path, frame, data)
    found = path.find(base)
    if found is MISSING:
        raise PathError(
            f"The JSONPath '{path.text}' specified for the field '{field}' could not be found in the input "
            f"'{text_of(base)}'"
        )
    return found


def compile_dynamic(text: object, field: str) -> Template:
    """The value of a member whose name ends with `.$`: a path or an intrinsic function."""
    if not isinstance(text, str):
        raise TemplateError(f"The value for the field '{field}' must be a valid JSONPath")
    try:
        if text.startswith("$"):
            path = parse_path(text)
            return lambda frame, data: _need(path, frame, data, field)
        call = parse_intrinsic(text)
    except InvalidPathError:
        raise TemplateError(f"The value for the field '{field}' must be a valid JSONPath") from None
    except InvalidIntrinsicError:
        raise TemplateError(
            f"The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"
        ) from None
    return _calling(call, field)


def _calling(call: Intrinsic, field: str) -> Template:
    return lambda frame, data: call.evaluate(lambda path: _need(path, frame, data, field), frame.source)


def compile_template(value: Json) -> Template:
    """A payload template of a JSONPath state; `TemplateError` says where it is wrong."""
    compiled = _template(value, "")
    return compiled if compiled is not None else lambda frame, data: value  # noqa: ARG005


def _template(value: Json, location: str) -> Template | None:
    """The function of a template, or `None` if all of it is constant."""
    if isinstance(value, list):
        parts = [_template(item, f"{location}[{index}]") for index, item in enumerate(value)]
        if not any(parts):
            return None
        pairs = list(zip(value, parts, strict=True))
        return lambda frame, data: [item if part is None else part(frame, data) for item, part in pairs]
    if not isinstance(value, dict):
        return None
    members: list[tuple[str, Json, Template | None]] = []
    dynamic = False
    for name, item in value.items():
        if name.endswith(".$"):
            try:
                part: Template | None = compile_dynamic(item, name)
            except TemplateError as error:
                raise TemplateError(error.message, f"{location}/{name}") from None
            members.append((name[:-2], None, part))
        else:
            part = _template(item, f"{location}/{name}")
            members.append((name, item, part))
        dynamic = dynamic or part is not None
    if not dynamic:
        return None
    return lambda frame, data: {name: item if part is None else part(frame, data) for name, item, part in members}


# -- JSONata ----------------------------------------------------------------------------------------------

_KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def compile_query(value: Json, field: str, expected: tuple[str, ...] = ()) -> Query:
    """A JSONata template for `field` (as errors name it); `expected` are the types that it takes, if not all."""
    compiled = _query(value, field)
    if compiled is None:
        return lambda frame, states: value  # noqa: ARG005
    if not expected:
        return compiled
    text = expression_text(value)

    def checked(frame: Frame, states: Mapping[str, Json]) -> Json:
        found = compiled(frame, states)
        kind = _KINDS[type(found)]
        if kind in expected or (kind == "number" and "integer" in expected and found == int(found)):
            return found
        raise QueryFailure(
            f"{frame.describe()} The JSONata expression '{text}' specified for the field '{field}' returned an "
            f"unexpected result type. Expected '{expected[0]}', but was '{kind}' for value: {text_of(found)}",
            field,
        )

    return checked


def _query(value: Json, field: str) -> Query | None:
    text = expression_text(value)
    if text is not None:
        return _expression(text, field)
    if isinstance(value, list):
        parts = [_query(item, f"{field}[{index}]") for index, item in enumerate(value)]
        if not any(parts):
            return None
        pairs = list(zip(value, parts, strict=True))
        return lambda frame, states: [item if part is None else part(frame, states) for item, part in pairs]
    if not isinstance(value, dict):
        return None
    members = [(name, item, _query(item, f"{field}/{name}")) for name, item in value.items()]
    if not any(part for _, _, part in members):
        return None
    return lambda frame, states: {name: item if part is None else part(frame, states) for name, item, part in members}


def _expression(text: str, field: str) -> Query:
    try:
        expression = parse_expression(text)
    except JsonataSyntaxError as error:
        raise TemplateError(f"The JSONata expression '{text}' is invalid: {error}", field) from None

    def evaluate(frame: Frame, states: Mapping[str, Json]) -> Json:
        scope = {**states, "context": frame.context()} if expression.needs_context else states
        bindings = {name: frame.variables[name] for name in expression.variables if name in frame.variables}
        bindings["states"] = scope
        try:
            found = expression.evaluate(bindings, frame.source)
        except JsonataError as error:
            raise QueryFailure(
                f"{frame.describe()} The JSONata expression '{text}' specified for the field '{field}' threw an error "
                f"during evaluation. {_worded(str(error))}",
                field,
            ) from None
        if found is UNDEFINED:
            raise QueryFailure(
                f"{frame.describe()} The JSONata expression '{text}' specified for the field '{field}' returned "
                "nothing (undefined).",
                field,
            )
        return found

    return evaluate


def _worded(message: str) -> str:
    if message.startswith("T1006"):
        return "T1006: Attempted to invoke a non-function"
    return message

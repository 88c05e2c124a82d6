"""The comparison operators of a Choice state's rules.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from fogbank.services.states._language.failures import PathError
from fogbank.services.states._language.paths import MISSING, InvalidPathError, Path, parse_path
from fogbank.services.states._language.templates import Frame, TemplateError, look_up

Json = Any
Test = Callable[[Frame, Json], bool]

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


@lru_cache(maxsize=4096)
def timestamp_of(text: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 timestamp with a capital T; `None` if the text is none."""
    if _TIMESTAMP.fullmatch(text) is None:
        return None
    whole, dot, rest = text.partition(".")
    digits = re.match(r"\d*", rest)
    fraction = digits[0] if digits else ""
    zone = rest[len(fraction) :] if dot else ""
    try:
        moment = datetime.fromisoformat(whole + zone)
    except ValueError:
        return None
    return moment.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_timestamp(value: Json) -> bool:
    return isinstance(value, str) and timestamp_of(value) is not None


_READERS: Mapping[str, Callable[[Json], Any]] = {
    "String": lambda v: v if isinstance(v, str) else None,
    "Numeric": lambda v: v if _is_number(v) else None,
    "Boolean": lambda v: v if isinstance(v, bool) else None,
    "Timestamp": lambda v: timestamp_of(v) if isinstance(v, str) else None,
}
_RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda a, b: bool(a == b),
    "LessThan": lambda a, b: bool(a < b),
    "GreaterThan": lambda a, b: bool(a > b),
    "LessThanEquals": lambda a, b: bool(a <= b),
    "GreaterThanEquals": lambda a, b: bool(a >= b),
}
_KINDS: Mapping[str, Callable[[Json], bool]] = {
    "IsNull": lambda v: v is None,
    "IsNumeric": _is_number,
    "IsString": lambda v: isinstance(v, str),
    "IsBoolean": lambda v: isinstance(v, bool),
    "IsTimestamp": _is_timestamp,
}
COMPARISONS = frozenset(
    f"{kind}{relation}{suffix}"
    for kind in _READERS
    for relation in _RELATIONS
    for suffix in ("", "Path")
    if kind != "Boolean" or relation == "Equals"
)
OPERATORS = COMPARISONS | set(_KINDS) | {"IsPresent", "StringMatches"}
_LITERALS: Mapping[str, str] = {
    "String": "String",
    "Numeric": "Number",
    "Boolean": "Boolean",
    "Timestamp": "String",
}


def compile_rule(rule: Mapping[str, Json]) -> Test:
    """The test of a rule; `TemplateError` says what is wrong with it, and where."""
    if "Not" in rule:
        negated = compile_rule(_object(rule["Not"], "/Not"))
        return lambda frame, data: not negated(frame, data)
    for name, combine in (("And", all), ("Or", any)):
        if name in rule:
            parts = rule[name]
            if not isinstance(parts, list) or not parts:
                raise TemplateError("The field must be a non-empty array", f"/{name}")
            tests = []
            for index, part in enumerate(parts):
                try:
                    tests.append(compile_rule(_object(part, "")))
                except TemplateError as error:
                    raise TemplateError(error.message, f"/{name}[{index}]{error.location}") from None
            return lambda frame, data, tests=tests, combine=combine: combine(t(frame, data) for t in tests)  # type: ignore[misc]
    return _comparison(rule)


def _object(value: Json, location: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise TemplateError("Expected value of type Object", location)
    return value


def _comparison(rule: Mapping[str, Json]) -> Test:
    names = [name for name in rule if name in OPERATORS]
    if "Variable" not in rule:
        raise TemplateError("The field 'Variable' is required but was missing")
    if len(names) != 1:
        raise TemplateError("Exactly one comparison operator is required")
    operator = names[0]
    variable = _path(rule["Variable"], "/Variable")
    wanted = rule[operator]
    if operator == "IsPresent":
        _boolean(wanted, operator)
        return lambda frame, data: (_present(variable, frame, data) is not MISSING) is wanted
    if operator in _KINDS:
        _boolean(wanted, operator)
        test = _KINDS[operator]
        return lambda frame, data: test(_value(variable, frame, data)) is wanted
    if operator == "StringMatches":
        if not isinstance(wanted, str):
            raise TemplateError("Expected value of type String", f"/{operator}")
        pattern = glob(wanted)

        def matches(frame: Frame, data: Json) -> bool:
            found = _value(variable, frame, data)
            return isinstance(found, str) and pattern.fullmatch(found) is not None

        return matches
    return _relation(operator, variable, wanted)


def _relation(operator: str, variable: Path, wanted: Json) -> Test:
    by_path = operator.endswith("Path")
    plain = operator.removesuffix("Path")
    kind = next(kind for kind in _READERS if plain.startswith(kind))
    read, relate = _READERS[kind], _RELATIONS[plain.removeprefix(kind)]
    other = _path(wanted, f"/{operator}") if by_path else None
    constant = None if by_path else read(wanted)
    if not by_path and constant is None:
        what = "String does not match RFC3339 timestamp" if kind == "Timestamp" else None
        raise TemplateError(what or f"Expected value of type {_LITERALS[kind]}", f"/{operator}")

    def test(frame: Frame, data: Json) -> bool:
        left = read(_value(variable, frame, data))
        right = constant if other is None else read(_value(other, frame, data))
        return left is not None and right is not None and relate(left, right)

    return test


def _boolean(value: Json, operator: str) -> None:
    if not isinstance(value, bool):
        raise TemplateError("Expected value of type Boolean", f"/{operator}")


def _path(text: Json, location: str) -> Path:
    if not isinstance(text, str):
        raise TemplateError("Expected value of type String", location)
    try:
        return parse_path(text)
    except InvalidPathError:
        raise TemplateError("Value is not a Reference Path", location) from None


def _present(path: Path, frame: Frame, data: Json) -> Json:
    try:
        return look_up(path, frame, data)
    except PathError:
        return MISSING


def _value(path: Path, frame: Frame, data: Json) -> Json:
    found = look_up(path, frame, data)
    if found is MISSING:
        raise PathError(f"Invalid path '{path.text}': The choice state's condition path references an invalid value.")
    return found


@lru_cache(maxsize=1024)
def glob(pattern: str) -> re.Pattern[str]:
    r"""`StringMatches`: `*` is any text, `\\*` a star; in linear time whatever the pattern."""
    pieces: list[str] = [""]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and pattern[at + 1 : at + 2] in {"*", "\\"}:
            at += 1
            pieces[-1] += pattern[at]
        elif char == "*":
            pieces.append("")
        else:
            pieces[-1] += char
        at += 1
    first, *rest = map(re.escape, pieces)
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    # Atomic groups: each piece is taken where it first occurs, and never tried anywhere else.
    body = "".join(f"(?>.*?{piece})" for piece in middle if piece)
    return re.compile(f"{first}{body}.*{last}", re.DOTALL)

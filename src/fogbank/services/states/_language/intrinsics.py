"""The intrinsic functions of JSONPath states: `States.Format('Hello {}', $.name)`.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from fogbank.services.states._language.failures import INTRINSIC, PathError
from fogbank.services.states._language.paths import InvalidPathError, Path, parse_path

MAX_NESTING = 10
MAX_BYTES = 10_000
MAX_RANGE = 1_000
_CALL = re.compile(r"States\.([A-Za-z0-9]+)\s*\(")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class InvalidIntrinsicError(ValueError):
    """A text that is not a call of an intrinsic function."""


class Randomness(Protocol):
    """Where `States.UUID` and `States.MathRandom` draw from: an execution's own sequence; and its own time."""

    now: int
    """Milliseconds since the epoch."""

    def uuid(self) -> str:
        """A version 4 UUID."""
        ...

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` up to, not including, `high`."""
        ...


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """A compiled call; arguments are constants (in a tuple of one), paths, or calls."""

    text: str
    name: str
    arguments: tuple[tuple[Any] | Path | Intrinsic, ...]

    def evaluate(self, find: Callable[[Path], Any], source: Randomness) -> Any:
        """The call's value; `PathError` (`States.IntrinsicFailure`) if its arguments do not fit."""
        values = []
        for argument in self.arguments:
            if isinstance(argument, Intrinsic):
                values.append(argument.evaluate(find, source))
            elif isinstance(argument, Path):
                values.append(find(argument))
            else:
                values.append(argument[0])
        try:
            return _FUNCTIONS[self.name][2](values, source)
        except (_ArgumentError, msgspec.MsgspecError, ValueError, OverflowError) as error:
            raise PathError(f"The function '{self.text}' had the following error: {error}", INTRINSIC) from None

    def paths(self) -> list[Path]:
        """Every path among the arguments, at any depth."""
        found: list[Path] = []
        for argument in self.arguments:
            if isinstance(argument, Path):
                found.append(argument)
            elif isinstance(argument, Intrinsic):
                found += argument.paths()
        return found


class _ArgumentError(Exception):
    pass


def _need(condition: object, message: str) -> None:
    if not condition:
        raise _ArgumentError(message)


def _array(value: Any, what: str = "array") -> list[Any]:
    _need(isinstance(value, list), f"the {what} must be an array")
    return list(value)


def _text(value: Any, what: str) -> str:
    _need(isinstance(value, str), f"the {what} must be a string")
    return str(value)


def _integer(value: Any, what: str) -> int:
    _need(isinstance(value, int | float) and not isinstance(value, bool), f"the {what} must be a number")
    return int(value + 0.5) if isinstance(value, float) else int(value)


def _bounded(value: Any, what: str) -> str:
    text = _text(value, what)
    _need(len(text.encode()) <= MAX_BYTES, f"the {what} must be no longer than {MAX_BYTES} characters")
    return text


def _shown(value: Any) -> str:
    """A value within a text: objects and arrays as Java prints them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_shown(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _format(v: Sequence[Any], _: Randomness) -> str:
    template = _text(v[0], "template")
    out: list[str] = []
    rest = list(v[1:])
    at = 0
    while at < len(template):
        if template[at] == "\\" and template[at + 1 : at + 2] in {"{", "}", "'", "\\"}:
            out.append(template[at + 1])
            at += 2
        elif template.startswith("{}", at):
            _need(rest, "the number of arguments does not match the occurrences of {}")
            out.append(_shown(rest.pop(0)))
            at += 2
        else:
            out.append(template[at])
            at += 1
    _need(not rest, "the number of arguments does not match the occurrences of {}")
    return "".join(out)


def _partition(v: Sequence[Any], _: Randomness) -> list[Any]:
    items, size = _array(v[0]), _integer(v[1], "chunk size")
    _need(size > 0, "the chunk size must be a positive number")
    return [items[i : i + size] for i in range(0, len(items), size)]


def _same(a: Any, b: Any) -> bool:
    return bool(type(a) is type(b) and a == b) if isinstance(a, bool) or isinstance(b, bool) else bool(a == b)


def _range(v: Sequence[Any], _: Randomness) -> list[int]:
    first, last, step = (_integer(x, "argument") for x in v)
    _need(step != 0, "the step must not be zero")
    count = max(0, (last - first) // step + 1)
    _need(count <= MAX_RANGE, f"the array must not hold more than {MAX_RANGE} items")
    return list(range(first, first + count * step, step))


def _item(v: Sequence[Any], _: Randomness) -> Any:
    items, index = _array(v[0]), _integer(v[1], "index")
    _need(0 <= index < len(items), f"the index {index} is out of bounds for an array of {len(items)}")
    return items[index]


def _unique(v: Sequence[Any], _: Randomness) -> list[Any]:
    seen: dict[bytes, Any] = {}
    for item in _array(v[0]):
        seen.setdefault(msgspec.json.encode(item, order="deterministic"), item)
    return list(seen.values())


def _encode(v: Sequence[Any], _: Randomness) -> str:
    return base64.b64encode(_bounded(v[0], "input").encode()).decode()


def _decode(v: Sequence[Any], _: Randomness) -> str:
    try:
        return base64.b64decode(_bounded(v[0], "input"), validate=True).decode(errors="replace")
    except binascii.Error:
        raise _ArgumentError("the input is not valid Base64") from None


_ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def _hash(v: Sequence[Any], _: Randomness) -> str:
    return digest(
        _bounded(v[0] if isinstance(v[0], str) else msgspec.json.encode(v[0]).decode(), "data"),
        _text(v[1], "algorithm"),
    )


def digest(data: str, algorithm: str) -> str:
    """The hexadecimal hash of a text; `ValueError` for an algorithm that is none of AWS's five."""
    if algorithm not in _ALGORITHMS:
        raise ValueError(f"the hashing algorithm {algorithm} is not one of {', '.join(_ALGORITHMS)}")
    return hashlib.new(_ALGORITHMS[algorithm], data.encode(), usedforsecurity=False).hexdigest()


def _merge(v: Sequence[Any], _: Randomness) -> Any:
    _need(isinstance(v[0], dict) and isinstance(v[1], dict), "the first two arguments must be objects")
    _need(v[2] is False, "the deep merge is not supported: the third argument must be false")
    return {**v[0], **v[1]}


def _random(v: Sequence[Any], source: Randomness) -> int:
    low, high = _integer(v[0], "start"), _integer(v[1], "end")
    _need(high > low, "the end must be greater than the start")
    if len(v) == 3:
        return random.Random(_integer(v[2], "seed")).randrange(low, high)  # noqa: S311 - a seeded sequence is asked for
    return source.between(low, high)


def _add(v: Sequence[Any], _: Randomness) -> int:
    values = [_integer(x, "argument") for x in v]
    _need(all(-(2**31) <= x < 2**31 for x in values), "the arguments must fit in 32 bits")
    return values[0] + values[1]


def _split(v: Sequence[Any], _: Randomness) -> list[str]:
    text, marks = _text(v[0], "string"), _text(v[1], "splitter")
    if not marks:
        return [text]
    parts = re.split("[" + re.escape(marks) + "]", text)
    return [part for part in parts if part]


def _parse(v: Sequence[Any], _: Randomness) -> Any:
    return msgspec.json.decode(_text(v[0], "string"))


_FUNCTIONS: Mapping[str, tuple[int, int, Callable[[Sequence[Any], Randomness], Any]]] = {
    "Format": (1, 255, _format),
    "StringToJson": (1, 1, _parse),
    "JsonToString": (1, 1, lambda v, _: msgspec.json.encode(v[0]).decode()),
    "Array": (0, 255, lambda v, _: list(v)),
    "ArrayPartition": (2, 2, _partition),
    "ArrayContains": (2, 2, lambda v, _: any(_same(item, v[1]) for item in _array(v[0]))),
    "ArrayRange": (3, 3, _range),
    "ArrayGetItem": (2, 2, _item),
    "ArrayLength": (1, 1, lambda v, _: len(_array(v[0]))),
    "ArrayUnique": (1, 1, _unique),
    "Base64Encode": (1, 1, _encode),
    "Base64Decode": (1, 1, _decode),
    "Hash": (2, 2, _hash),
    "JsonMerge": (3, 3, _merge),
    "MathRandom": (2, 3, _random),
    "MathAdd": (2, 2, _add),
    "StringSplit": (2, 2, _split),
    "UUID": (0, 0, lambda _, source: source.uuid()),
}


@lru_cache(maxsize=2048)
def parse_intrinsic(text: str) -> Intrinsic:
    """Compile a call; `InvalidIntrinsicError` if the text is none."""
    call, at = _call(text, 0, 1)
    if text[at:].strip():
        raise InvalidIntrinsicError(f"unexpected {text[at:]!r}")
    return call


def _call(text: str, at: int, depth: int) -> tuple[Intrinsic, int]:
    found = _CALL.match(text, at)
    if found is None or found[1] not in _FUNCTIONS:
        raise InvalidIntrinsicError(f"no intrinsic function at {at}")
    if depth > MAX_NESTING:
        raise InvalidIntrinsicError(f"intrinsic functions are nested more than {MAX_NESTING} deep")
    start, at = at, _spaces(text, found.end())
    arguments: list[tuple[Any] | Path | Intrinsic] = []
    while text[at : at + 1] != ")":
        if arguments:
            if text[at : at + 1] != ",":
                raise InvalidIntrinsicError(f"expected ',' or ')' at {at}")
            at = _spaces(text, at + 1)
        argument, at = _argument(text, at, depth)
        arguments.append(argument)
        at = _spaces(text, at)
    least, most, _ = _FUNCTIONS[found[1]]
    if not least <= len(arguments) <= most:
        raise InvalidIntrinsicError(f"States.{found[1]} takes {least} to {most} arguments, not {len(arguments)}")
    return Intrinsic(text[start : at + 1], found[1], tuple(arguments)), at + 1


def _spaces(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _argument(text: str, at: int, depth: int) -> tuple[tuple[Any] | Path | Intrinsic, int]:
    char = text[at : at + 1]
    if char == "'":
        return _string(text, at + 1)
    if char == "$":
        return _path(text, at)
    for word, value in (("true", True), ("false", False), ("null", None)):
        if text.startswith(word, at):
            return (value,), at + len(word)
    number = _NUMBER.match(text, at)
    if number is not None:
        return (msgspec.json.decode(number[0]),), number.end()
    return _call(text, at, depth + 1)


def _string(text: str, at: int) -> tuple[tuple[str], int]:
    r"""A quoted string. `\\'` and `\\\\` are taken here; braces keep their backslash for `Format`."""
    out: list[str] = []
    while at < len(text):
        char = text[at]
        if char == "'":
            return ("".join(out),), at + 1
        if char == "\\" and text[at + 1 : at + 2] in {"'", "\\"}:
            at += 1
            char = text[at] if text[at] == "'" else "\\"
        out.append(char)
        at += 1
    raise InvalidIntrinsicError("a string is not closed")


def _path(text: str, at: int) -> tuple[Path, int]:
    depth, end, quote = 0, at, ""
    while end < len(text):
        char = text[end]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([":
            depth += 1
        elif char == "]" or (char == ")" and depth):
            depth -= 1
        elif depth == 0 and char in ",) ":
            break
        end += 1
    try:
        return parse_path(text[at:end]), end
    except InvalidPathError as error:
        raise InvalidIntrinsicError(str(error)) from None

"""JSONata, guarded: time, depth and length are bounded, and AWS's additional functions are there.

`$partition`, `$range`, `$hash`, `$random`, `$uuid` and `$parse` are AWS's; `$eval` is not available.
Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#jsonata-functions-provided-by-sfn
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final, Protocol

import jsonatapy
import msgspec

from fogbank.services.states._language.intrinsics import Randomness, digest

TIMEOUT_MS = 1_000
MAX_DEPTH = 500
MAX_SEQUENCE = 200_000
MAX_PAD = 300_000
UNDEFINED: Final = object()

_source: ContextVar[Randomness] = ContextVar("randomness")
_VARIABLE = re.compile(r"\$([^\W\d]\w*)")
_CODE = re.compile(r"^([A-Z]\d{4}): ?")
_FUNCTION_NAMES = frozenset(
    {
        "abs",
        "append",
        "assert",
        "average",
        "base64decode",
        "base64encode",
        "boolean",
        "ceil",
        "clone",
        "contains",
        "count",
        "decodeUrl",
        "decodeUrlComponent",
        "distinct",
        "each",
        "encodeUrl",
        "encodeUrlComponent",
        "error",
        "eval",
        "exists",
        "filter",
        "floor",
        "formatBase",
        "formatInteger",
        "formatNumber",
        "fromMillis",
        "hash",
        "join",
        "keys",
        "length",
        "lookup",
        "lowercase",
        "map",
        "match",
        "max",
        "merge",
        "millis",
        "min",
        "not",
        "now",
        "number",
        "pad",
        "parse",
        "parseInteger",
        "partition",
        "power",
        "random",
        "range",
        "reduce",
        "replace",
        "reverse",
        "round",
        "shuffle",
        "sift",
        "single",
        "sort",
        "split",
        "spread",
        "sqrt",
        "string",
        "substring",
        "substringAfter",
        "substringBefore",
        "sum",
        "toMillis",
        "trim",
        "type",
        "uppercase",
        "uuid",
        "zip",
    }
)


_GROWS = re.compile(
    r"function|λ|~>|\.\.|\.\s*[(\[{$]|\^\s*\(|[#@]"
    r"|\$(?:append|each|filter|join|map|match|pad|partition|range|reduce|replace|shuffle|sift|single|sort|split|spread|zip)\b"
)
"""What can make more of its input than a few times as much, or take long over it."""


class Guard(Protocol):
    """Who evaluates what could grow."""

    def start(self) -> None:
        """Get ready."""
        ...

    def evaluate(self, text: str, bindings: Mapping[str, Any], now: int, seed: str) -> str | None:
        """The value as JSON, or `None` for nothing. `JsonataError` if it fails or passes a bound."""
        ...


class _Guards:
    """The guard of this process; without one every expression is evaluated here."""

    current: Guard | None = None


def guard_with(guard: Guard | None) -> None:
    """Have a guard evaluate what could grow, from now on."""
    _Guards.current = guard


class JsonataSyntaxError(ValueError):
    """A text that is not a JSONata expression."""


class JsonataError(ValueError):
    """An expression failed while it was evaluated; the message begins with JSONata's code of the error."""


def _partition(items: Any, size: Any) -> Any:
    if not isinstance(items, list):
        items = [items]
    step = int(size)
    if step <= 0:
        raise ValueError("the chunk size must be positive")
    return [items[i : i + step] for i in range(0, len(items), step)]


def _range(first: Any, last: Any, step: Any) -> Any:
    low, high, pace = int(first), int(last), int(step)
    if pace == 0:
        raise ValueError("the step must not be zero")
    count = max(0, (high - low) // pace + 1)
    if count > 1000:
        raise ValueError("a range holds no more than 1000 items")
    return low if count == 1 else list(range(low, low + count * pace, pace))  # a sequence of one is its item


def _random(*seed: Any) -> float:
    if seed and seed[0] is not None:
        return random.Random(seed[0]).random()  # noqa: S311 - a seeded sequence is asked for
    return _source.get().between(0, 1 << 53) / (1 << 53)


def _pad(text: Any, width: Any, *fill: Any) -> str:
    size, mark = abs(int(width)), str(fill[0]) if fill and fill[0] else " "
    if size > MAX_PAD:
        raise ValueError(f"a text is padded to {MAX_PAD} characters at most")
    padding = (mark * size)[: max(0, size - len(text))]
    return f"{text}{padding}" if width >= 0 else f"{padding}{text}"


def _now(*form: Any) -> Any:
    """`$now`: the execution's time, in a picture if one is given."""
    return _from_millis(len(form)).evaluate(None, {"m": _source.get().now, **dict(zip("pz", form, strict=False))})


@lru_cache(maxsize=4)
def _from_millis(arguments: int) -> Any:
    return jsonatapy.compile("$fromMillis(" + ", ".join(("$m", "$p", "$z")[: arguments + 1]) + ")", timeout=TIMEOUT_MS)


def _shuffle(items: Any) -> Any:
    mixed = list(items) if isinstance(items, list) else [items]
    for last in range(len(mixed) - 1, 0, -1):
        other = _source.get().between(0, last + 1)
        mixed[last], mixed[other] = mixed[other], mixed[last]
    return mixed


def _no_eval(*_: Any) -> Any:
    raise ValueError("T1006: Attempted to invoke a non-function")


class Expression:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._compiled = jsonatapy.compile(
                text, timeout=TIMEOUT_MS, max_stack_depth=MAX_DEPTH, max_sequence_length=MAX_SEQUENCE
            )
        except (ValueError, RecursionError) as error:
            raise JsonataSyntaxError(str(error)) from None
        functions: Mapping[str, Callable[..., Any]] = {
            "partition": _partition,
            "range": _range,
            "hash": lambda data, algorithm: digest(str(data), str(algorithm)),
            "uuid": lambda: _source.get().uuid(),
            "parse": msgspec.json.decode,
        }
        for name, function in functions.items():
            self._compiled.register(name, function)
        overrides: Mapping[str, Callable[..., Any]] = {
            "random": _random,
            "eval": _no_eval,
            "pad": _pad,
            "now": _now,
            "millis": lambda: _source.get().now,
            "shuffle": _shuffle,
        }
        for name, function in overrides.items():
            if f"${name}" in text:
                self._compiled.register_override(name, function)
        self.grows = _GROWS.search(_without_strings(text)) is not None
        """Whether it is for the guard to evaluate."""
        if self.grows and _Guards.current is not None:
            _Guards.current.start()
        self._divides = "/" in text or "power" in text
        """Whether it may give infinity, which is written as null."""
        self._draws = any(name in text for name in ("$random", "$uuid", "$shuffle"))
        names = set(_VARIABLE.findall(_without_strings(text)))
        self.variables = frozenset(names - {"states"} - _FUNCTION_NAMES)
        """Names that may be variables of the execution."""
        bare = re.search(r"\$states(?!\.(?:input|result|errorOutput)\b)", text)
        self.needs_context = bare is not None

    def evaluate(self, bindings: Mapping[str, Any], source: Randomness) -> Any:
        """The value, or `UNDEFINED`; `JsonataError` if it fails or passes a bound."""
        guard = _Guards.current if self.grows else None
        if guard is None:
            found = self.evaluate_here(bindings, source)
        else:
            seed = f"{source.between(0, 1 << 62):x}" if self._draws else ""
            found = guard.evaluate(self.text, bindings, source.now, seed)
        if found is None:
            return UNDEFINED
        try:
            return msgspec.json.decode(found)
        except msgspec.DecodeError as error:  # infinity is written as no JSON number
            raise JsonataError(f"D1001: Number out of range: {error}") from None

    def evaluate_here(self, bindings: Mapping[str, Any], source: Randomness) -> str | None:
        """The value as JSON, or `None` for nothing, evaluated in this process."""
        token = _source.set(source)
        try:
            found: str | None = self._compiled.evaluate_json_or_none(None, dict(bindings))
            if self._divides and found is not None and "null" in found:
                _refuse_infinity(self._compiled.evaluate(None, dict(bindings)))
        except (ValueError, OverflowError, RecursionError, TypeError) as error:
            raise JsonataError(str(error)) from None
        finally:
            _source.reset(token)
        return found


def _refuse_infinity(value: Any) -> None:
    """Refuse what JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        raise JsonataError("D1001: Number out of range: Infinity")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_infinity(item)


def _without_strings(text: str) -> str:
    return re.sub(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", "''", text)


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """Compile an expression; `JsonataSyntaxError` if it is none."""
    return Expression(text)


def expression_text(value: object) -> str | None:
    """The expression within `{% … %}`, or `None` if the value is not such a string."""
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}") and len(value) >= 4:
        return value[2:-2].strip()
    return None

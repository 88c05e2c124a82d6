"""JSONata, guarded: time, depth and length are bounded, and AWS's additional functions are there.

`$partition`, `$range`, `$hash`, `$random`, `$uuid` and `$parse` are AWS's; `$eval` is not available.
Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#jsonata-functions-provided-by-sfn
"""

from __future__ import annotations

import math
import random
import re
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

import jsonatapy
import msgspec

from fogbank.services.states._language.intrinsics import Randomness, digest

TIMEOUT_MS = 1_000
INLINE_MS = 20
"""Milliseconds that an evaluation may take of this process, where a guard can go on with it elsewhere."""
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
    r"function|λ|~>|\.\.|\.\s*[(\[{$]|\^\s*\(|[#@]|[(\[,:?=]\s*/"
    r"|\$(?:append|each|filter|join|map|match|pad|partition|range|reduce|replace|shuffle|sift|single|sort|split|spread|zip)\b"
)
"""What can make more of its input than a few times as much, or take long over it, as a pattern (`/…/`) can.

The engine's bound on time does not hold within a pattern.
"""


Reply = tuple[str | None, str | None]
"""What came of an evaluation: the value as JSON (`None` for nothing), or else the error's text."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Question:
    """An evaluation that is asked of the guard."""

    text: str
    bindings: Mapping[str, Any]
    now: int
    """Milliseconds since the epoch: what `$now()` gives."""
    seed: str
    """Of what `$random()` and `$uuid()` draw; empty where the expression draws nothing."""

    @property
    def key(self) -> bytes:
        """What tells it from other questions that a step asks."""
        return msgspec.json.encode((self.text, self.bindings))


class NotYetError(Exception):
    """An expression takes long: the step that needs its value is done again when the answer is there."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.text)
        self.question = question


class Guard(Protocol):
    """Who evaluates what could grow."""

    def start(self) -> None:
        """Get ready."""
        ...

    def attempt(self, question: Question) -> Reply | None:
        """The reply if it comes at once; else it is worked on, and `None`."""
        ...

    def answer(self, question: Question) -> Reply:
        """The reply, however long it takes."""
        ...


class Source(Randomness, Protocol):
    """An execution's own randomness and time, and what it knows of its evaluations.

    Which expressions took long is part of its journal, so a replay halts where the execution did, and only there.
    """

    defers: bool
    """Whether a step can be done again later: then nothing waits here for an expression that takes long."""
    evaluated: int
    """How many expressions were evaluated so far."""
    halts: frozenset[int]
    """Of a replay: the numbers of the evaluations that took long."""
    halted: tuple[int, ...]
    """The numbers of those that took long since it was last asked."""
    replies: list[tuple[bytes, Reply]]
    """To a step that is done again: the answers that it halted for."""


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
        self._draws = any(name in text for name in ("$random", "$uuid", "$shuffle"))
        self.grows = self._draws or _GROWS.search(_without_strings(text)) is not None
        """Whether it is for the guard to evaluate: also what draws, for what is drawn must not depend on the pace."""
        self._engines: dict[int, Any] = {}
        self._thread = threading.get_ident()
        """The thread that may use the engine: its objects are of the thread that made them."""
        guard = _Guards.current
        self._engine(TIMEOUT_MS if guard is None or self.grows else INLINE_MS)
        if self.grows and guard is not None:
            guard.start()
        self._divides = "/" in text or "power" in text
        """Whether it may give infinity, which is written as null."""
        names = set(_VARIABLE.findall(_without_strings(text)))
        self.variables = frozenset(names - {"states"} - _FUNCTION_NAMES)
        """Names that may be variables of the execution."""
        bare = re.search(r"\$states(?!\.(?:input|result|errorOutput)\b)", text)
        self.needs_context = bare is not None

    def evaluate(self, bindings: Mapping[str, Any], source: Source) -> Any:
        """The value, or `UNDEFINED`; `JsonataError` if it fails or passes a bound.

        `NotYetError` if it takes long and the source's step can be done again.
        """
        guard = _Guards.current
        found = self.evaluate_here(bindings, source) if guard is None else self._guarded(bindings, source, guard)
        if found is None:
            return UNDEFINED
        try:
            return msgspec.json.decode(found)
        except msgspec.DecodeError as error:  # infinity is written as no JSON number
            raise JsonataError(f"D1001: Number out of range: {error}") from None

    def _guarded(self, bindings: Mapping[str, Any], source: Source, guard: Guard) -> str | None:
        source.evaluated += 1
        here = not self.grows and self._thread == threading.get_ident()
        if here and not source.replies and source.evaluated not in source.halts:
            try:
                return self._run(INLINE_MS, bindings, source)
            except JsonataError as error:
                if not str(error).startswith(_TOO_LONG):
                    raise
                self.grows = True  # from now on it is asked of the guard at once
        seed = f"{source.between(0, 1 << 62):x}" if self._draws else ""
        question = Question(self.text, bindings, source.now, seed)
        reply = _known(question, source.replies) if source.replies else None
        if reply is None:
            reply = self._asked(question, source, guard)
        value, error_text = reply
        if error_text is not None:
            raise JsonataError(error_text)
        return value

    @staticmethod
    def _asked(question: Question, source: Source, guard: Guard) -> Reply:
        if source.evaluated in source.halts:
            raise NotYetError(question)
        if not source.defers:
            return guard.answer(question)
        reply = guard.attempt(question)
        if reply is None:
            source.halted = (*source.halted, source.evaluated)
            raise NotYetError(question)
        return reply

    def evaluate_here(self, bindings: Mapping[str, Any], source: Randomness) -> str | None:
        """The value as JSON, or `None` for nothing, evaluated in this process."""
        return self._run(TIMEOUT_MS, bindings, source)

    def _engine(self, timeout: int) -> Any:
        """What evaluates it within so many milliseconds."""
        found = self._engines.get(timeout)
        if found is None:
            found = self._engines[timeout] = _compile(self.text, timeout)
        return found

    def _run(self, timeout: int, bindings: Mapping[str, Any], source: Randomness) -> str | None:
        compiled = self._engine(timeout)
        token = _source.set(source)
        try:
            found: str | None = compiled.evaluate_json_or_none(None, dict(bindings))
            if self._divides and found is not None and "null" in found:
                _refuse_infinity(compiled.evaluate(None, dict(bindings)))
        except (ValueError, OverflowError, RecursionError, TypeError) as error:
            raise JsonataError(str(error)) from None
        finally:
            _source.reset(token)
        return found


_TOO_LONG = "D1012: Evaluation timeout"


def _known(question: Question, replies: list[tuple[bytes, Reply]]) -> Reply | None:
    """The reply to a question that the step asked before, which is used up by this."""
    key = question.key
    for index, (asked, reply) in enumerate(replies):
        if asked == key:
            del replies[index]
            return reply
    return None


def _compile(text: str, timeout: int) -> Any:
    """The engine's form of an expression, with AWS's functions."""
    try:
        compiled = jsonatapy.compile(text, timeout=timeout, max_stack_depth=MAX_DEPTH, max_sequence_length=MAX_SEQUENCE)
    except (ValueError, RecursionError) as error:
        raise JsonataSyntaxError(str(error)) from None
    for name, function in _FUNCTIONS.items():
        compiled.register(name, function)
    for name, function in _OVERRIDES.items():
        if f"${name}" in text:
            compiled.register_override(name, function)
    return compiled


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "partition": _partition,
    "range": _range,
    "hash": lambda data, algorithm: digest(str(data), str(algorithm)),
    "uuid": lambda: _source.get().uuid(),
    "parse": msgspec.json.decode,
}
_OVERRIDES: Mapping[str, Callable[..., Any]] = {
    "random": _random,
    "eval": _no_eval,
    "pad": _pad,
    "now": _now,
    "millis": lambda: _source.get().now,
    "shuffle": _shuffle,
}


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

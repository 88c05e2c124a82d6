"""What a field's list of values accepts: each kind of value, and the test that a list compiles to.

Strings, numbers and the literals `true`, `false` and `null` are told apart by their Python types: in Python
`True == 1`, in JSON it is not.

Numbers are equal by value, to six digits after the point, between -5.0e9 and 5.0e9: `300`, `300.0` and
`3.0e2` are one. (The user guide says that their texts are compared; the matcher that the service runs,
event-ruler, compares both ways.) Beyond that range numbers are equal only exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fogbank.core.patterns._addresses import address
from fogbank.core.patterns._wildcards import Wildcard

Test = Callable[[Any], bool]
"""Whether a scalar of an event (str, int, float, bool or None) is accepted."""

NUMBER_LIMIT = 5e9


def number_key(value: float) -> int | None:
    """A number as EventBridge compares it, in millionths; `None` outside of its range."""
    if not -NUMBER_LIMIT <= value <= NUMBER_LIMIT:
        return None
    return int(1e6 * (NUMBER_LIMIT + float(value)))


def fold(text: str) -> str:
    """A string without its case, character by character: `ß` is not `SS`."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_character(char) for char in text)


def _fold_character(char: str) -> str:
    upper = char.upper()
    lower = (upper if len(upper) == 1 else char).lower()
    return lower if len(lower) == 1 else char


@dataclass(frozen=True, slots=True)
class Exactly:
    """A string, character by character; one that spells an IP address accepts its other spellings."""

    value: str


@dataclass(frozen=True, slots=True)
class Literal:
    """`true`, `false` or `null`."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Prefix:
    """Strings that begin so."""

    value: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Suffix:
    """Strings that end so."""

    value: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class IgnoreCase:
    """A string in any case."""

    value: str


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two, either of which may be missing; in millionths, as `number_key` gives them."""

    bottom: int | None
    top: int | None
    open_bottom: bool = False
    open_top: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Strings that spell an address between two of one version."""

    version: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Wild:
    """Strings that fit a wildcard text."""

    value: Wildcard


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """Every scalar that none of these accepts."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether the field has a leaf in the event. Absence is compiled with the branch: it is no value."""

    present: bool


Value = Exactly | Literal | Number | Prefix | Suffix | IgnoreCase | Range | Block | Wild | AnythingBut | Exists


def compile_values(values: Sequence[Value]) -> Test:
    """The test for a list of values, any of which may accept. `Exists(False)` is left to the caller."""
    strings = frozenset(v.value for v in values if isinstance(v, Exactly) and address(v.value) is None)
    keys = {number_key(v.value) for v in values if isinstance(v, Number)} - {None}
    exact_numbers = frozenset(v.value for v in values if isinstance(v, Number) and number_key(v.value) is None)
    tests: list[Test] = []
    if strings:
        tests.append(strings.__contains__)
    if keys or exact_numbers:
        tests.append(_numbers_test(frozenset(k for k in keys if k is not None), exact_numbers))
    grouped = (Number,)
    for value in values:
        if isinstance(value, grouped) or (isinstance(value, Exactly) and value.value in strings):
            continue
        tests.append(_test(value))
    if len(tests) == 1:
        return tests[0]
    return lambda scalar: any(test(scalar) for test in tests)


def _numbers_test(keys: frozenset[int], beyond: frozenset[float]) -> Test:
    def accepts(scalar: Any) -> bool:
        if type(scalar) is not int and type(scalar) is not float:
            return False
        key = number_key(scalar)
        return key in keys if key is not None else scalar in beyond

    return accepts


def _test(value: Value) -> Test:
    match value:
        case Exactly(text):
            return _address_test(text)
        case Literal(literal):
            return lambda scalar: scalar is literal
        case Prefix(text, ignore_case):
            return _prefix_test(text, ignore_case=ignore_case)
        case Suffix(text, ignore_case):
            return _suffix_test(text, ignore_case=ignore_case)
        case IgnoreCase(text):
            folded = fold(text)
            return lambda scalar: type(scalar) is str and fold(scalar) == folded
        case Range():
            return _range_test(value)
        case Block():
            return _block_test(value)
        case Wild(wildcard):
            fits = wildcard.compile()
            return lambda scalar: type(scalar) is str and fits(scalar)
        case AnythingBut(values):
            refused = compile_values(values)
            return lambda scalar: not refused(scalar)
        case Exists(present):
            return lambda _: present
        case Number():
            return compile_values([value])


def _prefix_test(text: str, *, ignore_case: bool) -> Test:
    if not ignore_case:
        return lambda scalar: type(scalar) is str and scalar.startswith(text)
    folded, length = fold(text), len(text)
    return lambda scalar: type(scalar) is str and fold(scalar[:length]) == folded


def _suffix_test(text: str, *, ignore_case: bool) -> Test:
    if not ignore_case:
        return lambda scalar: type(scalar) is str and scalar.endswith(text)
    folded, length = fold(text), len(text)
    return lambda scalar: (
        type(scalar) is str and len(scalar) >= length and fold(scalar[len(scalar) - length :]) == folded
    )


def _address_test(text: str) -> Test:
    wanted = address(text)

    def accepts(scalar: Any) -> bool:
        return type(scalar) is str and (scalar == text or address(scalar) == wanted)

    return accepts


def _block_test(value: Block) -> Test:
    version, first, last = value.version, value.first, value.last

    def accepts(scalar: Any) -> bool:
        if type(scalar) is not str:
            return False
        found = address(scalar)
        return found is not None and found[0] == version and first <= found[1] <= last

    return accepts


def _range_test(value: Range) -> Test:
    """Millionths are whole numbers, so an open end is a closed one a millionth further in."""
    bottom, top = number_key(-NUMBER_LIMIT), number_key(NUMBER_LIMIT)
    assert bottom is not None
    assert top is not None
    low = bottom if value.bottom is None else value.bottom + value.open_bottom
    high = top if value.top is None else value.top - value.open_top

    def accepts(scalar: Any) -> bool:
        if type(scalar) is not int and type(scalar) is not float:
            return False
        key = number_key(scalar)
        return key is not None and low <= key <= high

    return accepts

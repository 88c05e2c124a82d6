r"""Regular expressions of filter patterns: `%…%`, a subset without groups, matched in bounded time.

    regex       := alternative { '|' alternative }
    alternative := ['^'] { atom [ '?' | '*' | '+' | '{m}' | '{m,}' | '{,n}' | '{m,n}' ] } ['$']
    atom        := literal | '.' | '[' ['^'] ranges ']' | '\\' (d D s S w W | xhh | operator)

Without groups an expression is a row of repeated character sets. Python's `re` runs it fast but, in the worst
case, in time that grows with a power of the message's length; where that could hurt (the pattern comes from
one user and the message from another) the row is simulated instead, in one pass over the message.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

from fogbank.services.logs._patterns.pattern import InvalidPattern

MAX_POSITIONS = 2000
"""Character sets in one expression, repetitions multiplied out: `a{1,100}` counts 100."""
_WORST_CASE = 2_000_000
"""Steps that `re` may take at the worst before the simulation is used instead."""

_ASCII = "".join(map(chr, range(128)))
_LITERALS = frozenset(string.ascii_letters + string.digits + ":_#=@/;,- ")
_OPERATORS = frozenset("^$?[]{}|\\*+.")
_CLASSES = {
    "d": frozenset(string.digits),
    "s": frozenset("\t \n\r\f\v"),
    "w": frozenset(string.ascii_letters + string.digits + "_"),
}
_COUNT = re.compile(r"\{\s*(\d{0,4})\s*(,?)\s*(\d{0,4})\s*\}")


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """The characters that an atom matches; `inverse` means all others."""

    characters: frozenset[str]
    inverse: bool = False

    def __contains__(self, character: str) -> bool:
        return (character in self.characters) is not self.inverse


_ANY = CharacterSet(frozenset("\n"), inverse=True)


@dataclass(frozen=True, slots=True)
class Repeat:
    """An atom and how often it stands: `most` is `None` where there is no limit."""

    atom: CharacterSet
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Alternative:
    """One side of a `|`."""

    items: tuple[Repeat, ...]
    at_start: bool
    at_end: bool


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled expression."""

    alternatives: tuple[Alternative, ...]
    native: re.Pattern[str]
    degree: int
    """The power of the message's length that `re` takes at the worst."""

    def search(self, text: str) -> bool:
        """Whether the expression matches anywhere in `text`."""
        if len(text) ** self.degree <= _WORST_CASE:
            return self.native.search(text) is not None
        return any(_simulate(alternative, text) for alternative in self.alternatives)


def compile_regex(source: str) -> Regex:
    """Compile what stands between the percent signs; `InvalidPattern` for what the subset lacks."""
    for character in source:
        if character not in _LITERALS and character not in _OPERATORS:
            raise InvalidPattern.characters(character)
    if not source:
        raise InvalidPattern
    alternatives = []
    reader = _Reader(source)
    while True:
        alternatives.append(reader.alternative())
        if not reader.take("|"):
            break
    if not reader.done:
        raise InvalidPattern.characters(source[reader.at])
    positions = sum(
        item.least if item.most is None else item.most for alternative in alternatives for item in alternative.items
    )
    if positions > MAX_POSITIONS:
        raise InvalidPattern
    native = re.compile("|".join(_render(a) for a in alternatives))
    return Regex(tuple(alternatives), native, max(_degree(a) for a in alternatives))


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self.source)

    def take(self, character: str) -> bool:
        """Step over `character` if it comes next."""
        if self.source.startswith(character, self.at):
            self.at += 1
            return True
        return False

    def next(self) -> str:
        if self.done:
            raise InvalidPattern
        self.at += 1
        return self.source[self.at - 1]

    def alternative(self) -> Alternative:
        at_start = self.take("^")
        items: list[Repeat] = []
        at_end = False
        while not self.done and self.source[self.at] != "|":
            if at_end:
                raise InvalidPattern
            if self.take("$"):
                at_end = True
                continue
            items.append(self.repeat(self.atom()))
        return Alternative(tuple(items), at_start, at_end)

    def atom(self) -> CharacterSet:
        character = self.next()
        if character == ".":
            return _ANY
        if character == "[":
            return self.bracket()
        if character == "\\":
            return self.escape()
        if character in "?*+{}]^":
            raise InvalidPattern
        return CharacterSet(frozenset(character))

    def escape(self) -> CharacterSet:
        character = self.next()
        if character.lower() in _CLASSES:
            return CharacterSet(_CLASSES[character.lower()], inverse=character.isupper())
        if character == "x":
            digits = self.next() + self.next()
            if not all(digit in string.hexdigits for digit in digits):
                raise InvalidPattern
            return CharacterSet(frozenset(chr(int(digits, 16))))
        if character.isalnum():
            raise InvalidPattern
        return CharacterSet(frozenset(character))

    def bracket(self) -> CharacterSet:
        inverse = self.take("^")
        characters: set[str] = set()
        first = True
        while first or not self.take("]"):
            first = False
            low = self.member()
            if len(low) == 1 and self.source.startswith("-", self.at) and not self.source.startswith("-]", self.at):
                self.at += 1
                high = self.member()
                if len(high) != 1 or min(high) < min(low):
                    raise InvalidPattern
                characters.update(map(chr, range(ord(min(low)), ord(min(high)) + 1)))
            else:
                characters.update(low)
        return CharacterSet(frozenset(characters), inverse)

    def member(self) -> frozenset[str]:
        character = self.next()
        if character != "\\":
            return frozenset(character)
        escaped = self.escape()
        if escaped.inverse:
            return frozenset(_ASCII) - escaped.characters
        return escaped.characters

    def repeat(self, atom: CharacterSet) -> Repeat:
        if self.take("?"):
            return Repeat(atom, 0, 1)
        if self.take("*"):
            return Repeat(atom, 0, None)
        if self.take("+"):
            return Repeat(atom, 1, None)
        if not self.source.startswith("{", self.at):
            return Repeat(atom, 1, 1)
        count = _COUNT.match(self.source, self.at)
        if count is None or not (count[1] or count[3]):
            raise InvalidPattern
        self.at = count.end()
        least = int(count[1] or 0)
        most = least if not count[2] else int(count[3]) if count[3] else None
        if most is not None and most < least:
            raise InvalidPattern
        return Repeat(atom, least, most)


def _render(alternative: Alternative) -> str:
    items = "".join(_render_item(item) for item in alternative.items)
    return ("\\A" if alternative.at_start else "") + items + ("\\Z" if alternative.at_end else "")


def _render_item(item: Repeat) -> str:
    members = "".join(f"\\x{ord(character):02x}" for character in sorted(item.atom.characters))
    text = f"[{'^' if item.atom.inverse else ''}{members}]"
    if (item.least, item.most) == (1, 1):
        return text
    return f"{text}{{{item.least},{'' if item.most is None else item.most}}}"


def _degree(alternative: Alternative) -> int:
    """Each item of open length multiplies the tries, and so does a search that may begin anywhere."""
    open_items = sum(1 for item in alternative.items if item.most is None or item.most > item.least)
    return max(1, open_items + (not alternative.at_start))


@dataclass(frozen=True, slots=True)
class _Skips:
    """Runs of positions that may be left out, as bits: for each run its first position, its positions and the
    one after it.
    """

    first: int
    after: int
    reached: int

    @classmethod
    def of(cls, skips: int) -> _Skips:
        first = skips & ~(skips << 1)
        after = (skips << 1) & ~skips
        return cls(first, after, skips << 1)

    def close(self, states: int) -> int:
        """Add to `states` all that is reached from them by leaving positions out.

        Taking a run's first bit from the states borrows up to the run's lowest active state; what lies above
        it is left unchanged, and is what can be reached (Navarro and Raffinot, "Flexible Pattern Matching",
        4.2).
        """
        bounded = states | self.after
        return states | (self.reached & (~(bounded - self.first) ^ bounded))


def _simulate(alternative: Alternative, text: str) -> bool:
    """Run an alternative as a non-deterministic automaton whose set of states is the bits of a number.

    State i means: the first i positions are matched. One pass over `text`, whatever the pattern.
    """
    sets, loops, skips = _positions(alternative)
    end = 1 << len(sets)
    masks: dict[str, int] = {}
    start = states = skips.close(1)
    for character in text:
        if states & end and not alternative.at_end:
            return True
        mask = masks.get(character)
        if mask is None:
            mask = masks[character] = sum(1 << i for i, atom in enumerate(sets) if character in atom)
        moved = states & mask
        states = skips.close((moved << 1) | (moved & loops))
        if not alternative.at_start:
            states |= start
        elif not states:
            return False
    return bool(states & end)


def _positions(alternative: Alternative) -> tuple[list[CharacterSet], int, _Skips]:
    """The row of character sets, the bits of those that repeat without end, and those that may be left out."""
    sets: list[CharacterSet] = []
    loops = skips = 0
    for item in alternative.items:
        sets.extend([item.atom] * item.least)
        if item.most is None:
            loops |= 1 << len(sets)
            skips |= 1 << len(sets)
            sets.append(item.atom)
        else:
            for _ in range(item.most - item.least):
                skips |= 1 << len(sets)
                sets.append(item.atom)
    return sets, loops, _Skips.of(skips)

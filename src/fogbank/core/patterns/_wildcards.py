r"""Wildcard texts: `*` stands for any characters, `\*` and `\\` for an asterisk and a backslash.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
("Matching using wildcards", "Wildcards and event pattern complexity").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fogbank.core.patterns._errors import InvalidPatternError

MAX_COMPLEXITY = 10
"""The most wildcard prefixes that one event may satisfy at once.

AWS does not publish its number. Three patterns `*:stack/NAME/*` on one field pass and four are refused
(https://github.com/vals-ai/Valkyrie/pull/278): nine and twelve by the count below.
"""


@dataclass(frozen=True, slots=True)
class Wildcard:
    """The literal pieces around the wildcards; one piece means that there is none."""

    pieces: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Wildcard:
        """Read a wildcard text. Positions in reports count UTF-8 bytes from the opening quote on."""
        pieces: list[list[str]] = [[]]
        at = 0
        while at < len(text):
            char = text[at]
            following = text[at + 1 : at + 2]
            if char == "*":
                if following == "*":
                    raise InvalidPatternError(f"Consecutive wildcard characters at pos {_position(text, at)}")
                pieces.append([])
            elif char == "\\":
                if following not in {"*", "\\"}:
                    raise InvalidPatternError(f"Invalid escape character at pos {_position(text, at)}")
                pieces[-1].append(following)
                at += 1
            else:
                pieces[-1].append(char)
            at += 1
        return cls(tuple("".join(piece) for piece in pieces))

    def compile(self) -> Callable[[str], bool]:
        """A test for a string: each piece in turn is looked for once, so it never backtracks."""
        head, *middle = self.pieces
        if not middle:
            return head.__eq__
        *middle, tail = middle
        shortest = len(head) + len(tail)

        def matches(value: str) -> bool:
            if len(value) < shortest or not value.startswith(head) or not value.endswith(tail):
                return False
            at, end = len(head), len(value) - len(tail)
            for piece in middle:
                found = value.find(piece, at, end)
                if found < 0:
                    return False
                at = found + len(piece)
            return True

        return matches


def _position(text: str, at: int) -> int:
    return len(text[:at].encode()) + 1


def too_complex(wildcards: Sequence[Wildcard]) -> bool:
    """Whether some event could satisfy more than `MAX_COMPLEXITY` prefixes of these patterns of one field.

    A prefix that ends in a wildcard stays satisfied to the end of the event's value, so all of those count
    whose patterns can begin alike; to them comes the longest run of partly matched pieces that any piece of
    any pattern can cause.
    """
    return any(_complexity(begin, wildcards) > MAX_COMPLEXITY for begin in wildcards)


def _complexity(begin: Wildcard, wildcards: Iterable[Wildcard]) -> int:
    """The count for events that begin as `begin` does."""
    met = [w for w in wildcards if begin.pieces[0].startswith(w.pieces[0])]
    standing = sum(len(w.pieces) - 1 for w in met)
    if standing > MAX_COMPLEXITY:
        return standing
    return standing + _most_partial([piece for w in met for piece in w.pieces[1:] if piece])


def _most_partial(pieces: Sequence[str]) -> int:
    most = 0
    for text in pieces:
        counts = [0] * len(text)
        for piece in pieces:
            for at, borders in enumerate(_borders(piece, text)):
                counts[at] += borders
        most = max(most, *counts)
        if most > MAX_COMPLEXITY:
            break
    return most


def _borders(piece: str, text: str) -> list[int]:
    """For each end in `text`, how many prefixes of `piece` end there (Knuth, Morris and Pratt)."""
    failure, depth = [0] * (len(piece) + 1), [0] * (len(piece) + 1)
    depth[1] = 1
    matched = 0
    for at in range(1, len(piece)):
        while matched and piece[matched] != piece[at]:
            matched = failure[matched]
        matched += piece[matched] == piece[at]
        failure[at + 1] = matched
        depth[at + 1] = depth[matched] + 1
    counts = []
    matched = 0
    for char in text:
        if matched == len(piece):
            matched = failure[matched]
        while matched and piece[matched] != char:
            matched = failure[matched]
        matched += piece[matched] == char
        counts.append(depth[matched])
    return counts

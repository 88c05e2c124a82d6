r"""Unstructured patterns: `ERROR -"timed out"`, `?ERROR ?WARN`, `%\d+%`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fogbank.services.logs._patterns.lexer import unescape
from fogbank.services.logs._patterns.pattern import InvalidPattern
from fogbank.services.logs._patterns.regex import compile_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TERM = re.compile(r'\s*(?P<mark>[?-]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]*)%|(?P<word>[^\s"%]+))')
_BAD = re.compile(r"[^\w.*+/-]+")


@dataclass(frozen=True, slots=True)
class _Term:
    mark: str
    found_in: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class TermsPattern:
    """Terms that must, may or may not be in a message. They are case-sensitive, and parts of words count."""

    included: tuple[_Term, ...]
    excluded: tuple[_Term, ...]
    optional: tuple[_Term, ...]
    regexes: int

    @classmethod
    def parse(cls, text: str) -> TermsPattern:
        """Compile `text`. Optional terms beside others have no effect, as documented."""
        terms: list[_Term] = []
        regexes = at = 0
        while at < len(text):
            match = _TERM.match(text, at)
            if match is None:
                raise InvalidPattern.characters(text[at:].strip()[:1])
            regexes += match["regex"] is not None
            terms.append(_Term(match["mark"], _compile_term(match)))
            at = match.end()
        by_mark = {mark: tuple(term for term in terms if term.mark == mark) for mark in ("", "-", "?")}
        optional = () if by_mark[""] or by_mark["-"] else by_mark["?"]
        return cls(by_mark[""], by_mark["-"], optional, regexes)

    def matches(self, message: str) -> bool:
        """Whether the message has what it must and nothing that it may not."""
        if not all(term.found_in(message) for term in self.included):
            return False
        if any(term.found_in(message) for term in self.excluded):
            return False
        return not self.optional or any(term.found_in(message) for term in self.optional)

    def extract(self, message: str) -> Mapping[str, str] | None:
        """Nothing is named by terms."""
        return {} if self.matches(message) else None


def _compile_term(match: re.Match[str]) -> Callable[[str], bool]:
    if match["regex"] is not None:
        return compile_regex(match["regex"]).search
    if match["quoted"] is not None:
        phrase = unescape(match["quoted"])
        if not phrase:
            raise InvalidPattern.characters('""')
        if phrase.isspace():
            return lambda _message: True  # `" "` is the documented way to match everything
    else:
        phrase = match["word"]
        bad = _BAD.search(phrase)
        if bad is not None:
            raise InvalidPattern.characters(bad[0])
    return lambda message: phrase in message

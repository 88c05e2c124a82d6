"""The text of a PartiQL statement as tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from fogbank.core.errors import ValidationError


class TokenKind(StrEnum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted name"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the statement; `text` is its meaning (a string without its quotes)."""

    kind: TokenKind
    text: str
    at: int

    @property
    def keyword(self) -> str:
        """The word in capitals, empty for other tokens."""
        return self.text.upper() if self.kind is TokenKind.WORD else ""


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<STRING>'(?:[^']|'')*')
      | (?P<QUOTED>"(?:[^"]|"")*")
      | (?P<NUMBER>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<WORD>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<SYMBOL><<|>>|<>|!=|<=|>=|[=<>()\[\]{},.:?*+;-])
    )""",
    re.VERBOSE | re.ASCII,
)


def malformed(detail: str) -> ValidationError:
    """A statement that cannot be read."""
    return ValidationError(f"Statement wasn't well formed, can't be processed: {detail}")


def tokenize(text: str) -> list[Token]:
    """The tokens of a statement, with one of kind END last."""
    tokens = []
    at = 0
    length = len(text.rstrip())
    while at < length:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise malformed(f"Unexpected character {text[at]!r} at position {at + 1}")
        kind = TokenKind[match.lastgroup or "SYMBOL"]
        content = match[kind.name]
        if kind is TokenKind.STRING:
            content = content[1:-1].replace("''", "'")
        elif kind is TokenKind.QUOTED:
            content = content[1:-1].replace('""', '"')
        tokens.append(Token(kind, content, match.start(kind.name)))
        at = match.end()
    tokens.append(Token(TokenKind.END, "", len(text)))
    return tokens

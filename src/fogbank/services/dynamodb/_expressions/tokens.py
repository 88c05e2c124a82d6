"""The text of an expression as tokens, and syntax errors as DynamoDB words them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from fogbank.core.errors import ValidationError

MAX_LENGTH = 4096
"""Bytes of an expression's text."""


class Kind(StrEnum):
    """Which parameter an expression came in; error messages name it."""

    CONDITION = "ConditionExpression"
    FILTER = "FilterExpression"
    KEY_CONDITION = "KeyConditionExpression"
    PROJECTION = "ProjectionExpression"
    UPDATE = "UpdateExpression"


class TokenKind(StrEnum):
    """What a token is."""

    WORD = "word"
    NAME = "#name"
    VALUE = ":value"
    NUMBER = "number"
    SYMBOL = "symbol"
    UNKNOWN = "unknown"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text, from `start` up to `end`."""

    kind: TokenKind
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """The word in capitals, empty for other tokens: keywords are not case-sensitive."""
        return self.text.upper() if self.kind is TokenKind.WORD else ""


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<WORD>[A-Za-z][A-Za-z0-9_]*)
      | (?P<NAME>\#[A-Za-z0-9_]+)
      | (?P<VALUE>:[A-Za-z0-9_]+)
      | (?P<NUMBER>[0-9]+)
      | (?P<SYMBOL><>|<=|>=|[=<>()\[\],.+\-])
      | (?P<UNKNOWN>\S)
    )""",
    re.VERBOSE | re.ASCII,
)


def invalid(kind: Kind, detail: str) -> ValidationError:
    """An error of one expression: `Invalid UpdateExpression: …`."""
    return ValidationError(f"Invalid {kind}: {detail}")


def tokenize(kind: Kind, text: str) -> list[Token]:
    """The tokens of `text`, with one of kind END last.

    A character that starts no token is a token of its own, and an error where the parser meets it.
    """
    length = len(text.encode())
    if length > MAX_LENGTH:
        detail = "Expression size has exceeded the maximum allowed size; expression size: "
        raise invalid(kind, f"{detail}{length}")
    tokens = []
    for match in _TOKEN.finditer(text):
        group = match.lastgroup or "UNKNOWN"
        tokens.append(Token(TokenKind[group], match[group], match.start(group), match.end(group)))
    if not tokens:
        raise invalid(kind, "The expression can not be empty;")
    tokens.append(Token(TokenKind.END, "<EOF>", len(text), len(text)))
    return tokens


def syntax_error(kind: Kind, text: str, tokens: list[Token], at: int) -> ValidationError:
    """The error for the token at index `at`; `near` runs from the token before to the token after."""
    token = tokens[at]
    first = tokens[max(at - 1, 0)]
    last = tokens[at - 1 if token.kind is TokenKind.END and at else min(at + 1, len(tokens) - 1)]
    if last.kind is TokenKind.END:
        last = token
    near = text[first.start : last.end]
    return invalid(kind, f'Syntax error; token: "{token.text}", near: "{near}"')

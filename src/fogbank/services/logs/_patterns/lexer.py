"""Tokens of the bracketed pattern forms: `[…]` and `{…}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from fogbank.services.logs._patterns.pattern import InvalidPattern
from fogbank.services.logs._patterns.values import Form, Operand, Operator


class Kind(StrEnum):
    """What a token is."""

    OPERATOR = "operator"
    AND = "and"
    OR = "or"
    OPEN = "open"
    CLOSE = "close"
    COMMA = "comma"
    ELLIPSIS = "ellipsis"
    SELECTOR = "selector"
    WORD = "word"
    QUOTED = "quoted"
    REGEX = "regex"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A token and its text; of quoted ones the text between the quotation marks, escapes undone."""

    kind: Kind
    text: str


_END = Token(Kind.END, "")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<ellipsis>\.\.\.)
    | (?P<operator><=|>=|!=|=|<|>)
    | (?P<and>&&)
    | (?P<or>\|\|)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<comma>,)
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | %(?P<regex>[^%]*)%
    | (?P<selector>\$(?:\.[\w-]+|\.\*|\.?\[\s*(?:\d+|\*|'[^']*'|"[^"]*")\s*\])*)(?![."\['])
    | (?P<word>[\w.*+-]+)
    )""",
    re.VERBOSE,
)
_BAD = re.compile(r"\s*(\$?[^\w\s]+|\S)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def tokenize(text: str) -> list[Token]:
    """Take `text` (what stands inside the brackets) apart."""
    tokens = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            bad = _BAD.match(text, at)
            raise InvalidPattern.characters(bad[1] if bad else text[at:])
        kind = Kind(match.lastgroup)
        value = match[match.lastgroup]
        tokens.append(Token(kind, unescape(value) if kind is Kind.QUOTED else value))
        at = match.end()
    return tokens


def unescape(text: str) -> str:
    r"""Undo `\"` and `\\`."""
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


class Tokens:
    """Tokens, read from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def peek(self) -> Token:
        """The next token."""
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    @property
    def done(self) -> bool:
        """Whether no token is left."""
        return self._at >= len(self._tokens)

    def next(self) -> Token:
        """Take the next token."""
        token = self.peek
        self._at += 1
        return token

    def take(self, kind: Kind) -> bool:
        """Step over the next token if it is of `kind`."""
        if self.peek.kind is kind:
            self._at += 1
            return True
        return False

    def expect(self, kind: Kind) -> Token:
        """Take the next token, which must be of `kind`."""
        token = self.next()
        if token.kind is not kind:
            raise unexpected(token)
        return token

    def operator(self) -> Operator:
        """Take a comparison operator."""
        return Operator(self.expect(Kind.OPERATOR).text)

    def operand(self) -> Operand:
        """Take what an operator compares with."""
        token = self.next()
        match token.kind:
            case Kind.WORD:
                return Operand(Form.WORD, token.text)
            case Kind.QUOTED:
                return Operand(Form.QUOTED, token.text)
            case Kind.REGEX:
                return Operand(Form.REGEX, token.text)
            case _:
                raise unexpected(token)


def unexpected(token: Token) -> InvalidPattern:
    """The error for a token that cannot stand where it does."""
    if token.kind in (Kind.COMMA, Kind.OPERATOR, Kind.ELLIPSIS):
        return InvalidPattern.characters(token.text)
    return InvalidPattern()

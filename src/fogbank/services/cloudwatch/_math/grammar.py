"""The grammar of metric math.

    any        := all { ('OR' | '||') all }
    all        := comparison { ('AND' | '&&') comparison }
    comparison := sum { ('==' | '!=' | '<=' | '>=' | '<' | '>') sum }
    sum        := product { ('+' | '-') product }
    product    := negation { ('*' | '/') negation }
    negation   := '-' negation | power
    power      := unit [ '^' negation ]
    unit       := number | text | id | WORD | FUNCTION '(' [ any { ',' any } ] ')' | '[' any { ',' any } ']'
                | '(' any ')'

Ids begin with a small letter, functions and words (REPEAT, DESC) are capital.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from fogbank.services.cloudwatch._math.values import MathError

MAX_DEPTH = 60
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z][A-Za-z0-9_]*)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]])
    )""",
    re.VERBOSE,
)
_LEVELS = (("OR", "||"), ("AND", "&&"), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"))
_NAMES = {"OR": "||", "AND": "&&"}


class Number(NamedTuple):
    """A number."""

    value: float


class Text(NamedTuple):
    """A quoted text, or a word of the language (REPEAT, ASC)."""

    value: str
    quoted: bool


class Name(NamedTuple):
    """The result of another query, by its id."""

    id: str


@dataclass(frozen=True, slots=True)
class Negation:
    """The negative of what follows."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two parts."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Array:
    """Several series."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Application:
    """A function with its arguments."""

    function: str
    arguments: tuple[Node, ...]


Node = Number | Text | Name | Negation | Binary | Array | Application


def tokenize(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token; kinds are `number`, `name`, `text` and `sign`."""
    found: list[tuple[str, str]] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise MathError(f"unexpected character {text[at:].lstrip()[:1]!r}")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def parse(text: str) -> Node:
    """The tree of an expression; `MathError` if it is none."""
    parser = _Parser(tokenize(text))
    node = parser.binary(0, 0)
    if parser.peek():
        raise MathError(f"unexpected {parser.peek()!r}")
    return node


class _Parser:
    """Recursive descent."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def take(self, *signs: str) -> str:
        """The next token, if it is one of these operators."""
        if self._at < len(self._tokens) and self._tokens[self._at][1] in signs:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return ""

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise MathError(f"expected {sign!r} and found {self.peek()!r}")

    def binary(self, level: int, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise MathError("the expression is nested too deeply")
        if level == len(_LEVELS):
            return self.negation(depth)
        node = self.binary(level + 1, depth)
        while sign := self.take(*_LEVELS[level]):
            node = Binary(_NAMES.get(sign, sign), node, self.binary(level + 1, depth))
        return node

    def negation(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise MathError("the expression is nested too deeply")
        if self.take("-"):
            return Negation(self.negation(depth + 1))
        node = self.unit(depth)
        if self.take("^"):
            return Binary("^", node, self.negation(depth + 1))
        return node

    def unit(self, depth: int) -> Node:
        if self._at == len(self._tokens):
            raise MathError("the expression ends too early")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return Number(float(text))
        if kind == "text":
            return Text(re.sub(r"\\(.)", r"\1", text[1:-1]), quoted=True)
        if kind == "name":
            return self._name(text, depth)
        if text == "(":
            node = self.binary(0, depth + 1)
            self.expect(")")
            return node
        if text == "[":
            return Array(self._list("]", depth))
        raise MathError(f"unexpected {text!r}")

    def _name(self, text: str, depth: int) -> Node:
        if text[0].islower():
            return Name(text)
        if self.take("("):
            return Application(text, () if self.take(")") else self._list(")", depth))
        return Text(text, quoted=False)

    def _list(self, closing: str, depth: int) -> tuple[Node, ...]:
        items = [self.binary(0, depth + 1)]
        while self.take(","):
            items.append(self.binary(0, depth + 1))
        self.expect(closing)
        return tuple(items)

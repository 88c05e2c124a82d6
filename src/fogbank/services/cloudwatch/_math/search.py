"""The little language inside SEARCH: which metrics are meant.

    {AWS/Lambda,FunctionName} MetricName="Errors" NOT FunctionName=(a OR b)

    search := [ '{' namespace { ',' dimension } '}' ] [ any ]
    any    := all { 'OR' all }
    all    := unit { ['AND'] unit }
    unit   := 'NOT' unit | '(' any ')' | term | property '=' (term | '(' term { 'OR' term } ')')
    term   := "exact" | partial

A quoted term is a whole name or value; an unquoted one is found as a word within it, whatever the case: names are
taken apart at signs and where a capital letter begins. A schema means the metrics with exactly those dimensions.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from fogbank.services.cloudwatch._math.values import MathError

MAX_SEARCH = 1024
_TOKEN = re.compile(r"\s*(?:(\"[^\"]*\")|([(){}=,])|(:?[^\s(){}=,\"]+))")
_CLOSING = frozenset(")},=")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

Fields = Mapping[str, str]
"""What a search looks at: `Namespace`, `MetricName` and each dimension's value, by its name."""
Test = Callable[[Fields], bool]


class Search(NamedTuple):
    """A compiled search."""

    namespace: str | None
    dimensions: frozenset[str] | None
    test: Test

    def matches(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> bool:
        """Whether a metric is meant."""
        if self.namespace is not None and namespace != self.namespace:
            return False
        if self.dimensions is not None and dimensions.keys() != self.dimensions:
            return False
        return self.test({**dimensions, "Namespace": namespace, "MetricName": name})


@lru_cache(maxsize=256)
def parse_search(text: str) -> Search:
    """Compile a search; `MathError` if it is none."""
    if len(text) > MAX_SEARCH:
        raise MathError(f"a search has at most {MAX_SEARCH} characters")
    tokens = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise MathError("the search cannot be read")
        tokens.append(match[1] or match[2] or match[3])
        at = match.end()
    parser = _Parser(tokens)
    namespace, dimensions = parser.schema()
    test = parser.any_of(0) if parser.peek() else lambda _: True
    if parser.peek():
        raise MathError(f"unexpected {parser.peek()!r} in the search")
    return Search(namespace, dimensions, test)


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._at += 1
        return True

    def next(self) -> str:
        token = self.peek()
        if not token or token in _CLOSING:
            raise MathError("the search ends too early" if not token else f"unexpected {token!r} in the search")
        self._at += 1
        return token

    def schema(self) -> tuple[str | None, frozenset[str] | None]:
        if not self.take("{"):
            return None, None
        names = [self.next().strip('"')]
        while self.take(","):
            names.append(self.next().strip('"'))
        if not self.take("}"):
            raise MathError("the search's schema is not closed")
        return names[0], frozenset(names[1:])

    def any_of(self, depth: int) -> Test:
        if depth > 20:
            raise MathError("the search is nested too deeply")
        choices = [self.all_of(depth)]
        while self.take("OR"):
            choices.append(self.all_of(depth))
        return lambda fields: any(choice(fields) for choice in choices)

    def all_of(self, depth: int) -> Test:
        needs = [self.unit(depth)]
        while self.take("AND") or self.peek() not in ("", ")", "OR"):
            needs.append(self.unit(depth))
        return lambda fields: all(need(fields) for need in needs)

    def unit(self, depth: int) -> Test:
        if self.take("NOT"):
            inner = self.unit(depth + 1)
            return lambda fields: not inner(fields)
        if self.take("("):
            inner = self.any_of(depth + 1)
            if not self.take(")"):
                raise MathError("a parenthesis of the search is not closed")
            return inner
        token = self.next()
        if self.take("="):
            return self._property(token.removeprefix(":").strip('"'))
        return _anywhere(token)

    def _property(self, name: str) -> Test:
        terms = []
        if self.take("("):
            terms.append(self.next())
            while self.take("OR"):
                terms.append(self.next())
            if not self.take(")"):
                raise MathError("a parenthesis of the search is not closed")
        else:
            terms.append(self.next())
        return lambda fields: name in fields and any(_fits(term, fields[name]) for term in terms)


def _anywhere(term: str) -> Test:
    if term.startswith(":"):
        return lambda fields: term[1:] in fields
    return lambda fields: any(_fits(term, value) or _fits(term, name) for name, value in fields.items())


def _fits(term: str, value: str) -> bool:
    if term.startswith('"'):
        return value == term[1:-1]
    if term.lower() == value.lower():
        return True
    words = [word.lower() for word in _WORD.findall(value)]
    wanted = [word.lower() for word in _WORD.findall(term)]
    if not wanted:
        return False
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1))

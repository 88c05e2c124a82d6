"""JSON patterns: `{ ($.user.id = 1 || $.latency > 50) && $.tags[*] = "a*" && $.error NOT EXISTS }`.

    pattern   := '{' any '}'
    any       := all { '||' all }
    all       := unit { '&&' unit }
    unit      := '(' any ')' | condition
    condition := selector operator value | selector 'IS' ('NULL' | 'TRUE' | 'FALSE') | selector 'NOT' 'EXISTS'
    selector  := '$' { '.name' | '.*' | '[0]' | '[*]' | ".['a.b']" }

A message that is not JSON does not match, nor does a comparison with an object, an array, a boolean, a null
or a property that is not there: with neither `=` nor `!=`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from fogbank.services.logs._patterns.lexer import Kind, Tokens, tokenize, unexpected
from fogbank.services.logs._patterns.pattern import InvalidPattern
from fogbank.services.logs._patterns.values import Form, Number, compile_test

MAX_WILDCARDS = 3
"""Wildcard selectors in one pattern; one property selector may have one."""
MAX_DEPTH = 64
"""Parentheses within parentheses."""

Condition = Callable[[Any], bool]
_SEGMENT = re.compile(r"""\.?(?:\[\s*(?:(\d+)|(\*)|'([^']*)'|"([^"]*)")\s*\]|([\w-]+)|(\*))""")
_IS = {"NULL": None, "TRUE": True, "FALSE": False}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_constant, strict=False)


@dataclass(frozen=True, slots=True)
class Selector:
    """A way into a document. Steps are names, indexes, or `None` for every element."""

    text: str
    steps: tuple[str | int | None, ...]

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Read `$.a[0].*`."""
        steps: list[str | int | None] = []
        for index, star, quoted, double, name, every in _SEGMENT.findall(text[1:]):
            if index:
                steps.append(int(index))
            elif star or every:
                steps.append(None)
            else:
                steps.append(quoted or double or name)
        if steps.count(None) > 1 or not steps:
            raise InvalidPattern
        return cls(text, tuple(steps))

    def find(self, document: Any) -> Iterator[Any]:
        """What the selector points at in `document`: one value, or none, or several where it has a wildcard."""
        values = [document]
        for step in self.steps:
            values = [found for value in values for found in _step(value, step)]
        return iter(values)


def _step(value: Any, step: str | int | None) -> list[Any]:
    if step is None:
        if isinstance(value, dict):
            return list(value.values())
        return value if isinstance(value, list) else []
    if isinstance(step, int):
        return [value[step]] if isinstance(value, list) and step < len(value) else []
    return [value[step]] if isinstance(value, dict) and step in value else []


@dataclass(frozen=True, slots=True)
class DocumentPattern:
    """Conditions on a JSON document."""

    condition: Condition
    selectors: tuple[Selector, ...]
    regexes: int

    @classmethod
    def parse(cls, text: str) -> DocumentPattern:
        """Compile `text`."""
        if not text.endswith("}"):
            raise InvalidPattern
        parser = _Parser(Tokens(tokenize(text[1:-1])))
        condition = parser.any_of(0)
        last = parser.tokens.next()
        if last.kind is not Kind.END:
            raise unexpected(last)
        if sum(None in selector.steps for selector in parser.selectors) > MAX_WILDCARDS:
            raise InvalidPattern
        return cls(condition, tuple(parser.selectors), parser.regexes)

    def matches(self, message: str) -> bool:
        """Whether the message is JSON and the conditions hold."""
        document = _parse(message)
        return document is not None and self.condition(document)

    def extract(self, message: str) -> Mapping[str, str] | None:
        """The strings and numbers that the pattern's selectors point at."""
        document = _parse(message)
        if document is None or not self.condition(document):
            return None
        values = {}
        for selector in self.selectors:
            value = next(selector.find(document), None)
            if isinstance(value, str):
                values[selector.text] = str(value)
        return values


def _parse(message: str) -> Any:
    """The JSON document of a message; `None` if it is none, or not an object or array."""
    if message.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return _decoder.decode(message)
    except (ValueError, RecursionError):
        return None


class _Parser:
    """Recursive descent over the tokens between the braces."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.selectors: list[Selector] = []
        self.regexes = 0

    def any_of(self, depth: int) -> Condition:
        choices = [self.all_of(depth)]
        while self.tokens.take(Kind.OR):
            choices.append(self.all_of(depth))
        if len(choices) == 1:
            return choices[0]
        return lambda document: any(choice(document) for choice in choices)

    def all_of(self, depth: int) -> Condition:
        needs = [self.unit(depth)]
        while self.tokens.take(Kind.AND):
            needs.append(self.unit(depth))
        if len(needs) == 1:
            return needs[0]
        return lambda document: all(need(document) for need in needs)

    def unit(self, depth: int) -> Condition:
        if not self.tokens.take(Kind.OPEN):
            return self.comparison()
        if depth == MAX_DEPTH:
            raise InvalidPattern
        inner = self.any_of(depth + 1)
        self.tokens.expect(Kind.CLOSE)
        return inner

    def comparison(self) -> Condition:
        selector = Selector.parse(self.tokens.expect(Kind.SELECTOR).text)
        self.selectors.append(selector)
        if self.tokens.peek.kind is Kind.WORD:
            return self.keyword(selector)
        operator = self.tokens.operator()
        operand = self.tokens.operand()
        self.regexes += operand.form is Form.REGEX
        test = compile_test(operator, operand, typed=True)
        return lambda document: any(isinstance(value, str) and test(value) for value in selector.find(document))

    def keyword(self, selector: Selector) -> Condition:
        word, other = self.tokens.next().text.upper(), self.tokens.expect(Kind.WORD).text.upper()
        if (word, other) == ("NOT", "EXISTS"):
            nothing = object()
            return lambda document: next(selector.find(document), nothing) is nothing
        if word != "IS" or other not in _IS:
            raise InvalidPattern
        wanted = _IS[other]
        return lambda document: any(value is wanted for value in selector.find(document))

"""Space-delimited patterns: `[ip, user, ..., request = *.html*, status = 4* || status = 500, bytes > 1000]`.

A message is cut at blanks; what stands in brackets or quotation marks is one field, without them. If it has
more fields than the pattern, the last one takes what is left of the message: that is why `[w1=ERROR, w2]`
finds every message that begins with ERROR, and `[w1=ERROR]` only the message `ERROR`. An ellipsis stands for
any number of fields. Fields without a name are called by their number: `$3`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fogbank.services.logs._patterns.lexer import Kind, Tokens, tokenize, unexpected
from fogbank.services.logs._patterns.pattern import InvalidPattern
from fogbank.services.logs._patterns.values import Form, compile_test

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FIELD = re.compile(r'\s*(?:\[([^\]]*)\](?=\s|$)|"([^"]*)"(?=\s|$)|(\S+))')


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    """Empty for a field that has none."""
    test: Callable[[str], bool] | None


@dataclass(frozen=True, slots=True)
class FieldsPattern:
    """Fields before and after an ellipsis; without one, all are before."""

    head: tuple[_Field, ...]
    tail: tuple[_Field, ...]
    ellipsis: bool
    regexes: int

    @classmethod
    def parse(cls, text: str) -> FieldsPattern:
        """Compile `text`."""
        if not text.endswith("]"):
            raise InvalidPattern
        tokens = Tokens(tokenize(text[1:-1]))
        parts: list[_Field | None] = []
        regexes = 0
        if tokens.done:
            return cls((), (), ellipsis=True, regexes=0)
        while True:
            if tokens.take(Kind.ELLIPSIS):
                parts.append(None)
            else:
                field, count = _parse_field(tokens)
                parts.append(field)
                regexes += count
            if tokens.done:
                break
            tokens.expect(Kind.COMMA)
        if parts.count(None) > 1:
            raise InvalidPattern
        cut = parts.index(None) if None in parts else len(parts)
        head = tuple(part for part in parts[:cut] if part is not None)
        tail = tuple(part for part in parts[cut:] if part is not None)
        return cls(head, tail, None in parts, regexes)

    def matches(self, message: str) -> bool:
        """Whether the fields are there and their conditions hold."""
        return self._fields(message) is not None

    def extract(self, message: str) -> Mapping[str, str] | None:
        """Every field, by its name or number."""
        values = self._fields(message)
        if values is None:
            return None
        names = [str(i) for i in range(1, len(values) + 1)]
        for i, field in enumerate(self.head):
            names[i] = field.name or names[i]
        for i, field in enumerate(self.tail, len(values) - len(self.tail)):
            names[i] = field.name or names[i]
        return {f"${name}": value for name, value in zip(names, values, strict=True)}

    def _fields(self, message: str) -> list[str] | None:
        wanted = len(self.head) + len(self.tail)
        values = _split(message, None if self.ellipsis else wanted)
        if len(values) < wanted:
            return None
        if not all(field.test is None or field.test(value) for field, value in zip(self.head, values, strict=False)):
            return None
        last = values[len(values) - len(self.tail) :]
        if not all(field.test is None or field.test(value) for field, value in zip(self.tail, last, strict=True)):
            return None
        return values


def _split(message: str, limit: int | None) -> list[str]:
    """The fields of a message; with a limit, the last of them is the rest of it where there are more."""
    spans: list[tuple[int, str]] = []
    at = 0
    while (match := _FIELD.match(message, at)) is not None:
        group = match.lastindex or 3
        spans.append((match.start(group), match[group]))
        at = match.end()
        if limit is not None and len(spans) > limit:
            break
    values = [value for _, value in spans]
    if limit is not None and len(values) > limit:
        start = spans[limit - 1][0]
        return [*values[: limit - 1], message[start:].rstrip()]
    return values


def _parse_field(tokens: Tokens) -> tuple[_Field, int]:
    """One field: nothing, a name, or conditions on one name."""
    token = tokens.peek
    if token.kind in (Kind.COMMA, Kind.END):
        return _Field("", None), 0
    if token.kind is not Kind.WORD:
        raise unexpected(token)
    name = token.text
    tokens.next()
    if tokens.peek.kind is not Kind.OPERATOR:
        return _Field(name, None), 0
    test, regexes = _parse_conditions(tokens, name)
    return _Field(name, test), regexes


def _parse_conditions(tokens: Tokens, name: str) -> tuple[Callable[[str], bool], int]:
    """`op value { && or || name op value }`; && binds closer. The first name has been read."""
    regexes = 0
    groups: list[list[Callable[[str], bool]]] = [[]]
    while True:
        operator = tokens.operator()
        operand = tokens.operand()
        regexes += operand.form is Form.REGEX
        groups[-1].append(compile_test(operator, operand, typed=False))
        if tokens.take(Kind.OR):
            groups.append([])
        elif not tokens.take(Kind.AND):
            break
        if tokens.expect(Kind.WORD).text.lower() != name.lower():
            raise InvalidPattern
    if len(groups) == 1 and len(groups[0]) == 1:
        return groups[0][0], regexes
    return lambda value: any(all(test(value) for test in group) for group in groups), regexes

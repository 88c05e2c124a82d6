"""Why a text is no JSON, in the words of the parser that AWS uses (Jackson's), which its errors quote.

Source: the messages of Jackson 2.10 and later; `Unrecognized token …` was recorded of AWS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SHOWN = 500
_VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[\w$]+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_CLOSED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LITERALS = frozenset({"true", "false", "null"})
_PARSE = "com.fasterxml.jackson.core.JsonParseException"
_END = "com.fasterxml.jackson.core.io.JsonEOFException"
_EMPTY = "com.fasterxml.jackson.databind.exc.MismatchedInputException"
_NAMES = {"{": "Object", "[": "Array"}


@dataclass(frozen=True, slots=True)
class JsonProblem:
    """What is wrong with a text: the exception's class, its message, and the place, which ends the message."""

    kind: str
    message: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"

    @property
    def text(self) -> str:
        """The message with its place."""
        return f"{self.message}\n at {self.place}"


class _UnknownError(Exception):
    """What is wrong is not known here."""


class _Found(Exception):  # noqa: N818 - what the search ends with
    def __init__(self, problem: JsonProblem) -> None:
        super().__init__(problem)
        self.problem = problem


def why_not_json(text: str) -> JsonProblem | None:
    """The first problem of a text; `None` if it has none that is known here."""
    try:
        _Scanner(text).document()
    except _Found as found:
        return found.problem
    except _UnknownError:
        return None
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.open: list[tuple[str, int]] = []
        """The objects and arrays that are not closed, with where they begin."""

    def place(self, at: int) -> str:
        more = f"[truncated {len(self.text) - _SHOWN} chars]" if len(self.text) > _SHOWN else ""
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        return f'[Source: (String)"{self.text[:_SHOWN]}"{more}; line: {line}, column: {column}]'

    def wrong(self, message: str, at: int, kind: str = _PARSE) -> _Found:
        return _Found(JsonProblem(kind, message, self.place(at)))

    def unexpected(self, what: str) -> _Found:
        char = self.text[self.at]
        code = ord(char)
        shown = f"'{char}' (code {code})" if code < 256 else f"'{char}' (code {code} / 0x{code:x})"
        if code < 32 or 127 <= code < 160:
            shown = f"(CTRL-CHAR, code {code})"
        return self.wrong(f"Unexpected character ({shown}): {what}", self.at + 1)

    def space(self) -> str:
        """The next character that is no white space; nothing at the end."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def ended(self, *, between: bool = False) -> _Found:
        kind, start = self.open[-1]
        end = len(self.text)
        if between:
            return self.wrong(f"Unexpected end-of-input within/between {_NAMES[kind]} entries", end, _END)
        begun = f"(start marker at {self.place(start)})"
        return self.wrong(f"Unexpected end-of-input: expected close marker for {_NAMES[kind]} {begun}", end, _END)

    def document(self) -> None:
        if not self.space():
            place = f'[Source: (String)"{self.text[:_SHOWN]}"; line: 1, column: 0]'
            raise _Found(JsonProblem(_EMPTY, "No content to map due to end-of-input", place))
        self.value()
        while self.open:
            self.entry()

    def entry(self) -> None:
        """What follows within the innermost object or array: its end, or another entry."""
        kind, start = self.open[-1]
        char = self.space()
        first = self.at > start and self.text[start + 1 : self.at].strip() == ""
        if not char:
            raise self.ended()
        if char == ("}" if kind == "{" else "]"):
            self.open.pop()
            self.at += 1
            return
        if char in "}]":
            begun = f"(for {_NAMES[kind]} starting at {self.place(start)})"
            close = "}" if kind == "{" else "]"
            raise self.wrong(f"Unexpected close marker '{char}': expected '{close}' {begun}", self.at + 1)
        if not first:
            if char != ",":
                raise self.unexpected(f"was expecting comma to separate {_NAMES[kind]} entries")
            self.at += 1
            if not self.space():
                raise self.ended(between=True)
        if kind == "{":
            self.name()
        self.value()

    def name(self) -> None:
        if self.space() != '"':
            raise self.unexpected("was expecting double-quote to start field name")
        self.string("in field name")
        char = self.space()
        if char and char != ":":
            raise self.unexpected("was expecting a colon to separate field name and value")
        self.at += 1
        if not char or not self.space():
            raise self.ended(between=True)

    def string(self, where: str = ": was expecting closing quote for a string value") -> None:
        found = _STRING.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
            return
        if _CLOSED.match(self.text, self.at):
            raise _UnknownError
        glue = "" if where.startswith(":") else " "
        raise self.wrong(f"Unexpected end-of-input{glue}{where}", len(self.text), _END)

    def value(self) -> None:
        char = self.space()
        if char == '"':
            self.string()
        elif char and char in "{[":
            self.open.append((char, self.at))
            self.at += 1
        elif char and char in "-0123456789":
            number = _NUMBER.match(self.text, self.at)
            if number is None:
                raise self.unexpected("expected digit (0-9) to follow minus sign, for valid numeric value")
            self.at = number.end()
        else:
            self.word()

    def word(self) -> None:
        found = _WORD.match(self.text, self.at)
        if found is None:
            raise self.unexpected(f"expected a valid value {_VALUES}")
        if found[0] not in _LITERALS:
            raise self.wrong(f"Unrecognized token '{found[0]}': was expecting {_VALUES}", found.end())
        self.at = found.end()

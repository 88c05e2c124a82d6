"""Reads a pattern's JSON token by token, and says where it stands.

EventBridge refuses a pattern with a reason and a position, `at [Source: (String)"…"; line: 1, column: 40]`,
and clients show it to people. The position is that of a streaming parser which looks at the value as soon as
it has read the name, and reads a string only when it is asked for; this one keeps the same habits. It also
keeps each number's own text and the order of the keys, which a decoder to dicts would lose.

Form of the reports: Jackson's, https://github.com/FasterXML/jackson-core, as they are quoted in
https://github.com/aws/aws-cdk/issues and https://github.com/cloud-custodian/cloud-custodian/issues/6507.
"""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from typing import NoReturn

from fogbank.core.patterns._errors import InvalidPatternError

MAX_DEPTH = 200
"""Objects and arrays within each other. No real pattern comes near; it bounds the compiler's recursion."""
_QUOTED_SOURCE = 500
"""Characters of the pattern that a report quotes."""

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[\w$]+")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')


class Token(Enum):
    """What a JSON text is made of."""

    OBJECT = auto()
    END_OBJECT = auto()
    ARRAY = auto()
    END_ARRAY = auto()
    NAME = auto()
    STRING = auto()
    NUMBER = auto()
    TRUE = auto()
    FALSE = auto()
    NULL = auto()
    END = auto()


_LITERALS = {"true": Token.TRUE, "false": Token.FALSE, "null": Token.NULL}


class Reader:
    """A cursor over a JSON text."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._at = 0
        self._token = Token.END
        self._name = ""
        self._text = ""
        self._string_pending = False
        self._after_name: Token | None = None
        self._open: list[tuple[str, int]] = []
        self._first = True

    @property
    def text(self) -> str:
        """What the token just read says: a name, a string's content, a number's or a literal's own text."""
        if self._token is Token.NAME:
            return self._name
        if self._string_pending:
            self._string_pending = False
            self._text = self._string("a string value")
        return self._text

    def next(self) -> Token:
        """Read the next token."""
        if self._after_name is not None:
            self._token, self._after_name = self._after_name, None
            return self._token
        if self._string_pending:
            self._string_pending = False
            self._string("a string value")
        self._token = self._read()
        return self._token

    def fail(self, message: str) -> NoReturn:
        """Refuse the pattern at the place where the reader stands."""
        raise InvalidPatternError(self.located(message))

    def located(self, message: str) -> str:
        """A message with the place where the reader stands."""
        return f"{message}\n at {self._location(self._at)}"

    def _location(self, at: int) -> str:
        quoted = self.source[:_QUOTED_SOURCE]
        left_out = len(self.source) - len(quoted)
        tail = f"[truncated {left_out} chars]" if left_out > 0 else ""
        line_start = max(self.source.rfind("\n", 0, at), self.source.rfind("\r", 0, at)) + 1
        line = len(re.findall(r"\r\n|\n|\r", self.source[:at])) + 1
        return f'[Source: (String)"{quoted}"{tail}; line: {line}, column: {at - line_start + 1}]'

    def _read(self) -> Token:
        self._skip_space()
        if self._at >= len(self.source):
            if self._open:
                self._unclosed()
            return Token.END
        char = self.source[self._at]
        if char in "]}":
            return self._close(char)
        if self._open and not self._first:
            self._separator(char)
        self._first = False
        if self._open and self._open[-1][0] == "{":
            self._read_name()
            return Token.NAME
        return self._value()

    def _separator(self, char: str) -> None:
        if char != ",":
            kind = "Object" if self._open[-1][0] == "{" else "Array"
            self._unexpected(f"was expecting comma to separate {kind} entries")
        self._at += 1
        self._skip_space()
        if self._at >= len(self.source):
            self._unclosed()

    def _read_name(self) -> None:
        if self.source[self._at] != '"':
            self._unexpected("was expecting double-quote to start field name")
        self._at += 1
        self._name = self._string("field name")
        self._skip_space()
        if self._at >= len(self.source):
            self._unclosed()
        if self.source[self._at] != ":":
            self._unexpected("was expecting a colon to separate field name and value")
        self._at += 1
        self._skip_space()
        if self._at >= len(self.source):
            self._unclosed()
        self._after_name = self._value()

    def _value(self) -> Token:
        char = self.source[self._at]
        if char == '"':
            self._at += 1
            self._string_pending = True
            return Token.STRING
        if char in "{[":
            if len(self._open) >= MAX_DEPTH:
                self.fail(f"Document nesting depth ({MAX_DEPTH + 1}) exceeds the maximum allowed ({MAX_DEPTH})")
            self._open.append((char, self._at))
            self._text = char
            self._at += 1
            self._first = True
            return Token.OBJECT if char == "{" else Token.ARRAY
        number = _NUMBER.match(self.source, self._at)
        if number and number[0]:
            self._at, self._text = number.end(), number[0]
            return Token.NUMBER
        word = _WORD.match(self.source, self._at)
        if word is None:
            self._unexpected(
                "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            )
        self._at, self._text = word.end(), word[0]
        if word[0] not in _LITERALS:
            self.fail(
                f"Unrecognized token '{word[0][:256]}': was expecting "
                "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            )
        return _LITERALS[word[0]]

    def _close(self, char: str) -> Token:
        mate = "{" if char == "}" else "["
        if not self._open or self._open[-1][0] != mate:
            expected = "]" if mate == "{" else "}"
            self._at += 1
            kind = "Array" if expected == "]" else "Object"
            begun = self._location(self._open[-1][1]) if self._open else self._location(0)
            self.fail(f"Unexpected close marker '{char}': expected '{expected}' (for {kind} starting at {begun})")
        self._open.pop()
        self._text = char
        self._at += 1
        self._first = False
        return Token.END_OBJECT if char == "}" else Token.END_ARRAY

    def _string(self, what: str) -> str:
        """The content of a string whose opening quote is read; the cursor goes past its closing quote."""
        start = self._at
        while True:
            self._at = _PLAIN.match(self.source, self._at).end()  # type: ignore[union-attr] # matches the empty text
            if self._at >= len(self.source):
                if what == "field name":
                    self.fail("Unexpected end-of-input in field name")
                self.fail("Unexpected end-of-input: was expecting closing quote for a string value")
            char = self.source[self._at]
            if char == '"':
                raw = self.source[start : self._at]
                self._at += 1
                return self._unescaped(raw)
            if char == "\\":
                self._at += 2
                continue
            self._at += 1
            self.fail(
                f"Illegal unquoted character ({_describe(char)}): "
                f"has to be escaped using backslash to be included in {what}"
            )

    def _unescaped(self, raw: str) -> str:
        if "\\" not in raw:
            return raw
        try:
            return str(json.loads(f'"{raw}"'))
        except json.JSONDecodeError:
            self.fail("Unrecognized character escape in a string")

    def _skip_space(self) -> None:
        self._at = _SPACE.match(self.source, self._at).end()  # type: ignore[union-attr] # matches the empty text

    def _unexpected(self, wanted: str) -> NoReturn:
        self.fail(f"Unexpected character ({_describe(self.source[self._at])}): {wanted}")

    def _unclosed(self) -> NoReturn:
        mark, at = self._open[-1]
        kind = "Object" if mark == "{" else "Array"
        self.fail(f"Unexpected end-of-input: expected close marker for {kind} (start marker at {self._location(at)})")


def _describe(char: str) -> str:
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"(CTRL-CHAR, code {code})"
    if code > 0xFF:
        return f"'{char}' (code {code} / 0x{code:x})"
    return f"'{char}' (code {code})"

"""From a pattern's text to its branches: which values each field must have.

Without `$or` a pattern is one branch. Each `$or` multiplies the branches by its alternatives, so that a
matcher only ever sees conjunctions:

    {"source": ["a"], "$or": [{"x": [1]}, {"y": [2]}]}  →  {source: a, x: 1} or {source: a, y: 2}

Within a branch a field that is named twice has the values of the second. The reasons of refusals are those of
event-ruler, the matcher that EventBridge runs (https://github.com/aws/event-ruler).
"""

from __future__ import annotations

from typing import NoReturn

from fogbank.core.patterns._addresses import block
from fogbank.core.patterns._errors import InvalidPatternError, TooComplexError
from fogbank.core.patterns._reader import Reader, Token
from fogbank.core.patterns._values import (
    AnythingBut,
    Block,
    Exactly,
    Exists,
    IgnoreCase,
    Literal,
    Number,
    Prefix,
    Range,
    Suffix,
    Value,
    Wild,
    number_key,
)
from fogbank.core.patterns._wildcards import Wildcard, too_complex

MAX_BRANCHES = 1000
"""The most combinations that the `$or`s of a pattern may make (the user guide, "Matching using $or")."""

Branch = dict[str, tuple[Value, ...]]
"""The fields of one conjunction, by their names joined with dots, as EventBridge joins them."""

_ONE_KEY = "Only one key allowed in match expression"
_OPERATORS = frozenset(
    {
        *("exactly", "equals-ignore-case", "prefix", "suffix", "anything-but"),
        *("exists", "wildcard", "numeric", "cidr"),
    }
)
_RESERVED = _OPERATORS | frozenset(
    {
        *("=", "<", "<=", ">", ">="),
        *("regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    }
)
"""Names that make `$or` an ordinary field when one of its objects has them."""


def parse(text: str) -> list[Branch]:
    """Read a pattern; `InvalidPatternError` with EventBridge's reason if it is none."""
    try:
        return _Parser(text, with_or=True).parse()
    except TooComplexError:
        raise
    except InvalidPatternError:
        if '"$or"' not in text:
            raise
    # Where `$or` does not read as the operator it is a field like any other, and so are the reasons.
    return _Parser(text, with_or=False).parse()


class _Parser:
    def __init__(self, text: str, *, with_or: bool) -> None:
        self._reader = Reader(text)
        self._with_or = with_or

    def parse(self) -> list[Branch]:
        if self._reader.next() is not Token.OBJECT:
            self._reader.fail("Filter is not an object")
        branches = self._object([], "", inside_or=False)
        if self._reader.next() is not Token.END:
            self._reader.fail("Trailing content after the pattern")
        branches = branches or [{}]
        for branch in branches:
            for values in branch.values():
                _check_complexity(values)
        return branches

    def _object(self, branches: list[Branch], path: str, *, inside_or: bool) -> list[Branch]:
        reader = self._reader
        empty = True
        while reader.next() is not Token.END_OBJECT:
            empty = False
            name = reader.text
            if name == "$or" and self._with_or:
                branches = self._alternatives(branches, path)
                continue
            if inside_or and name in _RESERVED:
                reader.fail(f"{name} is Ruler reserved fieldName which cannot be used inside $or.")
            field = f"{path}.{name}" if path else name
            match reader.next():
                case Token.OBJECT:
                    branches = self._object(branches, field, inside_or=inside_or)
                case Token.ARRAY:
                    values = self._values()
                    branches = [{**branch, field: values} for branch in branches or [{}]]
                case _:
                    reader.fail(f'"{name}" must be an object or an array')
        if empty:
            reader.fail("Empty objects are not allowed")
        return branches

    def _alternatives(self, branches: list[Branch], path: str) -> list[Branch]:
        reader = self._reader
        if reader.next() is not Token.ARRAY:
            reader.fail("It must be an Array followed with $or.")
        found: list[Branch] = []
        count = 0
        while (token := reader.next()) is not Token.END_ARRAY:
            count += 1
            if token is not Token.OBJECT:
                reader.fail("Only JSON object is allowed in array of $or relationship.")
            found += self._object(branches or [{}], path, inside_or=True)
            if len(found) > MAX_BRANCHES:
                raise TooComplexError(
                    f"Rule is too complex - the use of $or results in over {MAX_BRANCHES} rule combinations"
                )
        if count < 2:
            reader.fail("There must have at least 2 Objects in $or relationship.")
        return found

    def _values(self) -> tuple[Value, ...]:
        reader = self._reader
        values: list[Value] = []
        while (token := reader.next()) is not Token.END_ARRAY:
            match token:
                case Token.OBJECT:
                    values.append(self._expression())
                case Token.STRING:
                    values.append(Exactly(reader.text))
                case Token.NUMBER:
                    values.append(Number(_number(reader.text)))
                case Token.NULL:
                    values.append(Literal(None))
                case Token.TRUE | Token.FALSE:
                    values.append(Literal(token is Token.TRUE))
                case _:
                    reader.fail("Match value must be String, number, true, false, or null")
        if not values:
            reader.fail("Empty arrays are not allowed")
        return tuple(values)

    def _expression(self) -> Value:
        """What stands between braces in a list of values: `{"prefix": "a"}`."""
        reader = self._reader
        if reader.next() is not Token.NAME:
            reader.fail("Match expression name not found")
        name = reader.text
        if name not in _OPERATORS:
            reader.fail(f"Unrecognized match type {name}")
        match name:
            case "exactly":
                return self._last(Exactly(self._text("exact match pattern must be a string")))
            case "prefix" | "suffix":
                return self._affix(name)
            case "equals-ignore-case":
                return self._last(IgnoreCase(self._text("equals-ignore-case match pattern must be a string")))
            case "wildcard":
                return self._last(Wild(self._wildcard(self._text("wildcard match pattern must be a string"))))
            case "cidr":
                return self._last(Block(*block(self._text("prefix match pattern must be a string"))))
            case "exists":
                return self._exists()
            case "numeric":
                if reader.next() is not Token.ARRAY:
                    reader.fail("Value of numeric must be an array.")
                found = self._numeric()
                self._end("Too many elements in numeric expression")
                return found
            case _:
                return self._anything_but()

    def _text(self, otherwise: str) -> str:
        if self._reader.next() is not Token.STRING:
            self._reader.fail(otherwise)
        return self._reader.text

    def _end(self, otherwise: str = _ONE_KEY) -> None:
        if self._reader.next() is not Token.END_OBJECT:
            self._reader.fail(otherwise)

    def _last(self, value: Value) -> Value:
        self._end()
        return value

    def _wildcard(self, text: str) -> Wildcard:
        try:
            return Wildcard.parse(text)
        except InvalidPatternError as error:
            self._reader.fail(error.reason)

    def _affix(self, name: str) -> Value:
        reader = self._reader
        kind = Prefix if name == "prefix" else Suffix
        token = reader.next()
        if token is Token.STRING:
            return self._last(kind(reader.text))
        if token is not Token.OBJECT:
            reader.fail(f"{name} match pattern must be a string")
        if reader.next() is not Token.NAME:
            reader.fail(f"{name.capitalize()} expression name not found")
        if reader.text != "equals-ignore-case":
            reader.fail(f"Unsupported {name} pattern: {reader.text}")
        text = self._text("equals-ignore-case match pattern must be a string")
        self._end()
        return self._last(kind(text, ignore_case=True))

    def _exists(self) -> Value:
        token = self._reader.next()
        if token not in {Token.TRUE, Token.FALSE}:
            self._reader.fail("exists match pattern must be either true or false.")
        return self._last(Exists(token is Token.TRUE))

    def _anything_but(self) -> Value:
        reader = self._reader
        token = reader.next()
        operator = ""
        if token is Token.OBJECT:
            if reader.next() is not Token.NAME:
                reader.fail("Anything-But expression name not found")
            operator = reader.text
            if operator not in {"equals-ignore-case", "prefix", "suffix", "wildcard"}:
                reader.fail(f"Unsupported anything-but pattern: {operator}")
            token = reader.next()
        if token not in {Token.ARRAY, Token.STRING, Token.NUMBER}:
            reader.fail("Value of anything-but must be an array or single string/number value.")
        values = self._refused(operator) if token is Token.ARRAY else [self._refused_value(token, operator)]
        if token is Token.ARRAY and not operator:
            self._check_kinds(values)
        self._end("Too many elements in numeric expression")
        if operator:
            self._end("Too many elements in numeric expression")
        return AnythingBut(tuple(values))

    def _refused(self, operator: str) -> list[Value]:
        """The values of a list; the reason why one is refused names the place twice, as was recorded."""
        values = []
        try:
            while (token := self._reader.next()) is not Token.END_ARRAY:
                values.append(self._refused_value(token, operator))
        except InvalidPatternError as error:
            raise InvalidPatternError(self._reader.located(error.reason)) from None
        return values

    def _refused_value(self, token: Token, operator: str) -> Value:
        reader = self._reader
        if token is Token.NUMBER and not operator:
            return Number(self._in_range(reader.text))
        if token is not Token.STRING:
            self._wrong_kind(operator)
        text = reader.text
        match operator:
            case "prefix" | "suffix":
                if not text:
                    reader.fail("Null prefix/suffix not allowed")
                return Prefix(text) if operator == "prefix" else Suffix(text)
            case "equals-ignore-case":
                return IgnoreCase(text)
            case "wildcard":
                return Wild(self._wildcard(text))
            case _:
                return Exactly(text)

    def _wrong_kind(self, operator: str) -> NoReturn:
        match operator:
            case "":
                self._reader.fail("Inside anything but list, start|null|boolean is not supported.")
            case "equals-ignore-case":
                self._reader.fail(
                    "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
                )
            case "wildcard":
                self._reader.fail("wildcard match pattern must be a string")
            case _:
                self._reader.fail("prefix/suffix match pattern must be a string")

    def _check_kinds(self, values: list[Value]) -> None:
        numbers = sum(isinstance(value, Number) for value in values)
        if not values or 0 < numbers < len(values):
            self._reader.fail(
                "Inside anything but list, either all values are number or string, mixed type is not supported"
            )

    def _numeric(self) -> Value:
        reader = self._reader
        if reader.next() is not Token.STRING:
            reader.fail(f"Invalid member in numeric match: {reader.text}")
        operator = reader.text
        token = reader.next()
        if operator not in {"=", "<", "<=", ">", ">="}:
            reader.fail(f"Unrecognized numeric range operator: {operator}")
        if token is not Token.NUMBER:
            reader.fail(f"Value of {'equals' if operator == '=' else operator} must be numeric")
        number = self._in_range(reader.text)
        token = reader.next()
        key = number_key(number)
        if operator in {">", ">="} and token is not Token.END_ARRAY:
            return self._upper_end(token, number, open_bottom=operator == ">")
        if token is not Token.END_ARRAY:
            reader.fail("Too many elements in numeric expression")
        match operator:
            case "=":
                return Number(number)
            case "<" | "<=":
                return Range(None, key, open_top=operator == "<")
            case _:
                return Range(key, None, open_bottom=operator == ">")

    def _upper_end(self, token: Token, bottom: float, *, open_bottom: bool) -> Value:
        reader = self._reader
        if token is not Token.STRING:
            reader.fail(f"Bad value in numeric range: {reader.text}")
        operator = reader.text
        if operator not in {"<", "<="}:
            reader.fail(f"Bad numeric range operator: {operator}")
        if reader.next() is not Token.NUMBER:
            reader.fail(f"Value of {operator} must be numeric")
        top = self._in_range(reader.text)
        if reader.next() is not Token.END_ARRAY:
            reader.fail("Too many terms in numeric range expression")
        if not bottom < top:
            reader.fail("Bottom must be less than top")
        return Range(number_key(bottom), number_key(top), open_bottom, operator == "<")

    def _in_range(self, text: str) -> float:
        number = _number(text)
        if number_key(number) is None:
            self._reader.fail("Value must be between -5.0E9 and 5.0E9, inclusive")
        return number


def _number(text: str) -> float:
    """A number of the pattern: whole ones stay whole, so that account numbers are compared exactly."""
    if text.lstrip("-").isdigit():
        return int(text) if len(text) < 100 else float(text)
    return float(text)


def _check_complexity(values: tuple[Value, ...]) -> None:
    wildcards = []
    for value in values:
        inner = value.values if isinstance(value, AnythingBut) else (value,)
        wildcards += [v.value for v in inner if isinstance(v, Wild)]
    if too_complex(wildcards):
        raise TooComplexError(
            "Rule is too complex - try using fewer wildcard characters "
            "or fewer repeating character sequences after a wildcard character"
        )

"""Recursive descent from the tokens of a PartiQL statement to its tree.

select     = "SELECT" ("*" | path,…) "FROM" name ("." name)? ("WHERE" or)? ("ORDER" "BY" (name ("ASC"|"DESC")?),…)?
insert     = "INSERT" "INTO" name "VALUE" map
update     = "UPDATE" name (("SET" path "=" sum),… | "REMOVE" path,…)+ "WHERE" or returning?
delete     = "DELETE" "FROM" name "WHERE" or returning?
exists     = "EXISTS" "(" select ")"
returning  = "RETURNING" ("ALL" | "MODIFIED") ("OLD" | "NEW") "*"
or, and, not as in conditions; a test may also be `operand IS [NOT] (MISSING | NULL)` and `operand IN […]`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.parser import MAX_DEPTH
from fogbank.services.dynamodb._expressions.syntax import (
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
    Step,
    ValueRef,
)
from fogbank.services.dynamodb._partiql.statements import (
    Delete,
    Exists,
    Insert,
    Select,
    Statement,
    Update,
)
from fogbank.services.dynamodb._partiql.tokens import Token, TokenKind, malformed, tokenize
from fogbank.services.dynamodb._values.attributes import Value, ValueFault, checked_item, checked_value

T = TypeVar("T")

_COMPARATORS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CONDITIONS = {"begins_with", "contains", "attribute_type"}
_OPERANDS = {"size"}
_IN_SET = {"list_append", "if_not_exists", "set_add", "set_delete"}
_RETURNING = {
    ("ALL", "OLD"): "ALL_OLD",
    ("ALL", "NEW"): "ALL_NEW",
    ("MODIFIED", "OLD"): "UPDATED_OLD",
    ("MODIFIED", "NEW"): "UPDATED_NEW",
}


class _Parser:
    def __init__(self, text: str, parameters: Sequence[Value]) -> None:
        self.tokens = tokenize(text)
        self.at = 0
        self.depth = 0
        self.parameters = list(parameters)
        self.used = 0
        self.values: dict[str, Value] = {}

    # -- tokens -------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self) -> ValidationError:
        token = self.token
        if token.kind is TokenKind.END:
            return malformed("Unexpected end of statement")
        return malformed(f"Unexpected token {token.text!r} at position {token.at + 1}")

    def accept(self, symbol: str) -> bool:
        if self.token.kind is TokenKind.SYMBOL and self.token.text == symbol:
            self.at += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise self.fail()

    def accept_word(self, *words: str) -> bool:
        """Step over words that follow one another, all or none of them."""
        following = self.tokens[self.at : self.at + len(words)]
        if [token.keyword for token in following] != list(words):
            return False
        self.at += len(words)
        return True

    def expect_word(self, *words: str) -> None:
        if not self.accept_word(*words):
            raise self.fail()

    def listed(self, parse: Callable[[], T]) -> tuple[T, ...]:
        found = [parse()]
        while self.accept(","):
            found.append(parse())
        return tuple(found)

    def name(self) -> str:
        token = self.token
        if token.kind in (TokenKind.WORD, TokenKind.QUOTED) and token.text:
            self.at += 1
            return token.text
        raise self.fail()

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise malformed(f"nested more than {MAX_DEPTH} levels deep")

    # -- statements ---------------------------------------------------------------------------------------

    def statement(self) -> Statement:
        parsers: dict[str, Callable[[], Statement]] = {
            "SELECT": self.select,
            "INSERT": self.insert,
            "UPDATE": self.update,
            "DELETE": self.delete,
            "EXISTS": self.exists,
        }
        parse = parsers.get(self.token.keyword)
        if parse is None:
            raise self.fail()
        self.at += 1
        found = parse()
        self.accept(";")
        if self.token.kind is not TokenKind.END:
            raise self.fail()
        if self.used != len(self.parameters):
            raise ValidationError("Number of parameters in request and statement don't match.")
        return found

    def select(self) -> Select:
        paths = () if self.accept("*") else self.listed(self.path)
        self.expect_word("FROM")
        table = self.name()
        index = self.name() if self.accept(".") else None
        where = self.or_() if self.accept_word("WHERE") else None
        order: tuple[tuple[str, bool], ...] = ()
        if self.accept_word("ORDER", "BY"):
            order = self.listed(self.ordering)
        return Select(table, index, paths, where, order, self.values)

    def ordering(self) -> tuple[str, bool]:
        name = self.name()
        if self.accept_word("DESC"):
            return name, True
        self.accept_word("ASC")
        return name, False

    def exists(self) -> Exists:
        self.expect("(")
        self.expect_word("SELECT")
        found = Exists(self.select())
        self.expect(")")
        return found

    def insert(self) -> Insert:
        self.expect_word("INTO")
        table = self.name()
        self.expect_word("VALUE")
        value = self.literal()
        if "M" not in value:
            raise malformed("INSERT takes a tuple of attributes as its VALUE")
        try:
            return Insert(table, checked_item(value["M"])[0])
        except ValueFault as fault:
            raise ValidationError(str(fault)) from None

    def update(self) -> Update:
        table = self.name()
        sets: list[tuple[Path, Operand]] = []
        removes: list[Path] = []
        while self.token.keyword in ("SET", "REMOVE"):
            if self.accept_word("SET"):
                sets.extend(self.listed(self.assignment))
            else:
                self.expect_word("REMOVE")
                removes.extend(self.listed(self.path))
        if not sets and not removes:
            raise self.fail()
        self.expect_word("WHERE")
        where = self.or_()
        return Update(table, tuple(sets), tuple(removes), where, self.returning(), self.values)

    def assignment(self) -> tuple[Path, Operand]:
        path = self.path()
        self.expect("=")
        left = self.operand(_OPERANDS | _IN_SET)
        for operator in ("+", "-"):
            if self.accept(operator):
                return path, Arithmetic(operator, left, self.operand(_OPERANDS | _IN_SET))
        return path, left

    def delete(self) -> Delete:
        self.expect_word("FROM")
        table = self.name()
        self.expect_word("WHERE")
        where = self.or_()
        returning = self.returning()
        if returning not in ("NONE", "ALL_OLD"):
            raise ValidationError("DELETE supports only RETURNING ALL OLD *")
        return Delete(table, where, returning, self.values)

    def returning(self) -> str:
        if not self.accept_word("RETURNING"):
            return "NONE"
        for words, meaning in _RETURNING.items():
            if self.accept_word(*words):
                self.expect("*")
                return meaning
        raise self.fail()

    # -- conditions ---------------------------------------------------------------------------------------

    def or_(self) -> Condition:
        parts = [self.and_()]
        while self.accept_word("OR"):
            parts.append(self.and_())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def and_(self) -> Condition:
        parts = [self.not_()]
        while self.accept_word("AND"):
            parts.append(self.not_())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def not_(self) -> Condition:
        negations = 0
        while self.accept_word("NOT"):
            negations += 1
        test = self.test()
        return Not(test) if negations % 2 else test

    def test(self) -> Condition:
        if self.accept("("):
            self.deeper()
            inner = self.or_()
            self.expect(")")
            self.depth -= 1
            return inner
        operand = self.operand(_OPERANDS | _CONDITIONS)
        if isinstance(operand, Call) and operand.function in _CONDITIONS:
            return operand
        token = self.token
        if token.kind is TokenKind.SYMBOL and token.text in _COMPARATORS:
            self.at += 1
            return Comparison(_COMPARATORS[token.text], operand, self.operand(_OPERANDS))
        return self.worded(operand)

    def worded(self, operand: Operand) -> Condition:
        """A test whose operator is a word."""
        if self.accept_word("BETWEEN"):
            low = self.operand(_OPERANDS)
            self.expect_word("AND")
            return Between(operand, low, self.operand(_OPERANDS))
        if self.accept_word("IN"):
            closing = ")" if self.accept("(") else "]"
            if closing == "]":
                self.expect("[")
            choices = self.listed(lambda: self.operand(_OPERANDS))
            self.expect(closing)
            return In(operand, choices)
        if self.accept_word("IS"):
            negated = self.accept_word("NOT")
            return self.state(operand, negated=negated)
        raise self.fail()

    def state(self, operand: Operand, *, negated: bool) -> Condition:
        """`IS MISSING` and `IS NULL`."""
        if self.accept_word("MISSING"):
            return Call("attribute_exists" if negated else "attribute_not_exists", (operand,))
        self.expect_word("NULL")
        is_null = Call("attribute_type", (operand, self.held({"S": "NULL"})))
        return Not(is_null) if negated else is_null

    # -- operands -----------------------------------------------------------------------------------------

    def operand(self, functions: set[str]) -> Operand:
        token = self.token
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.kind is TokenKind.WORD and following.kind is TokenKind.SYMBOL and following.text == "(":
            return self.call(functions)
        if token.kind is TokenKind.QUOTED or (
            token.kind is TokenKind.WORD and token.keyword not in ("TRUE", "FALSE", "NULL")
        ):
            return self.path()
        return self.held(self.literal())

    def call(self, functions: set[str]) -> Call:
        name = self.token.text.lower()
        if name not in functions:
            raise self.fail()
        self.at += 2
        self.deeper()
        operands = self.listed(lambda: self.operand(_OPERANDS | (functions & _IN_SET)))
        self.expect(")")
        self.depth -= 1
        expected = 1 if name == "size" else 2
        if len(operands) != expected:
            raise malformed(f"{name} takes {expected} operands, got {len(operands)}")
        return Call(name, operands)

    def path(self) -> Path:
        steps: list[Step] = [self.name()]
        while True:
            if self.accept("."):
                steps.append(self.name())
            elif self.accept("["):
                steps.append(self.index())
                self.expect("]")
            else:
                return Path(tuple(steps))

    def index(self) -> int:
        token = self.token
        if token.kind is not TokenKind.NUMBER or not token.text.isdigit() or len(token.text) > 9:
            raise self.fail()
        self.at += 1
        return int(token.text)

    def held(self, value: Value) -> ValueRef:
        """Keep a value with the statement, under a number."""
        name = f":{len(self.values)}"
        self.values[name] = value
        return ValueRef(name)

    # -- literals -----------------------------------------------------------------------------------------

    def literal(self) -> Value:
        try:
            return checked_value(self._literal())[0]
        except ValueFault as fault:
            raise ValidationError(str(fault)) from None

    def _literal(self) -> dict[str, Any]:
        token = self.token
        self.at += 1
        match token:
            case Token(kind=TokenKind.STRING, text=text):
                return {"S": text}
            case Token(kind=TokenKind.NUMBER, text=text):
                return {"N": text}
            case Token(kind=TokenKind.SYMBOL, text="-") if self.token.kind is TokenKind.NUMBER:
                self.at += 1
                return {"N": f"-{self.tokens[self.at - 1].text}"}
            case Token(kind=TokenKind.WORD) if token.keyword in ("TRUE", "FALSE"):
                return {"BOOL": token.keyword == "TRUE"}
            case Token(kind=TokenKind.WORD) if token.keyword == "NULL":
                return {"NULL": True}
            case Token(kind=TokenKind.SYMBOL, text="?"):
                return self._parameter()
            case Token(kind=TokenKind.SYMBOL, text="[" | "{" | "<<" as opening):
                self.deeper()
                found = {"[": self._list, "{": self._map, "<<": self._set}[opening]()
                self.depth -= 1
                return found
        self.at -= 1
        raise self.fail()

    def _parameter(self) -> Value:
        if self.used >= len(self.parameters):
            raise ValidationError("Number of parameters in request and statement don't match.")
        self.used += 1
        return self.parameters[self.used - 1]

    def _list(self) -> dict[str, Any]:
        if self.accept("]"):
            return {"L": []}
        elements = self.listed(self._literal)
        self.expect("]")
        return {"L": list(elements)}

    def _map(self) -> dict[str, Any]:
        if self.accept("}"):
            return {"M": {}}
        members = self.listed(self._member)
        self.expect("}")
        found = dict(members)
        if len(found) != len(members):
            raise malformed("a tuple has two members with the same name")
        return {"M": found}

    def _member(self) -> tuple[str, dict[str, Any]]:
        token = self.token
        if token.kind not in (TokenKind.STRING, TokenKind.QUOTED):
            raise self.fail()
        self.at += 1
        self.expect(":")
        return token.text, self._literal()

    def _set(self) -> dict[str, Any]:
        members = () if self.accept(">>") else self.listed(self._literal)
        if members:
            self.expect(">>")
        kinds = {kind for member in members for kind in member}
        if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
            raise malformed("a set has members of one type: string, number or binary")
        (kind,) = kinds
        return {f"{kind}S": [member[kind] for member in members]}


def parse(text: str, parameters: Sequence[Any] = ()) -> Statement:
    """The tree of a statement, its `?` replaced by the parameters."""
    try:
        values = [checked_value(parameter)[0] for parameter in parameters]
    except ValueFault as fault:
        raise ValidationError(str(fault)) from None
    return _Parser(text, values).statement()

"""Recursive descent from the tokens of an expression to its tree.

    condition  = and ("OR" and)*
    and        = not ("AND" not)*
    not        = "NOT"* test
    test       = operand (comparator operand | "BETWEEN" operand "AND" operand | "IN" "(" operand,… ")")
               | call | "(" condition ")"
    operand    = path | :value | call | "(" operand ")"
    call       = word "(" operand,… ")"
    path       = (word | #name) ("." (word | #name) | "[" number "]")*

    update     = (SET path = sum,… | REMOVE path,… | ADD path :value,… | DELETE path :value,…)+
    sum        = operand (("+" | "-") operand)?
    projection = path,…

Only syntax is judged here; what names, functions and operands mean is judged afterwards (`naming.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.syntax import (
    Action,
    AddAction,
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    DeleteAction,
    In,
    Not,
    Operand,
    Or,
    Path,
    References,
    RemoveAction,
    SetAction,
    Step,
    ValueRef,
)
from fogbank.services.dynamodb._expressions.tokens import (
    Kind,
    Token,
    TokenKind,
    invalid,
    syntax_error,
    tokenize,
)

T = TypeVar("T")

MAX_DEPTH = 64
"""Parentheses and calls inside one another: a bound on recursion (law 7), far past what anyone writes."""
_COMPARATORS = {"=", "<>", "<", "<=", ">", ">="}
_CONDITION_KEYWORDS = {"AND", "OR", "NOT", "BETWEEN", "IN"}
_SECTIONS = {"SET", "REMOVE", "ADD", "DELETE"}
_MAX_INDEX = 2**31 - 1


class _Parser:
    """The tokens, a position among them, and what all grammars share."""

    keywords: ClassVar[set[str]] = set()

    def __init__(self, kind: Kind, text: str) -> None:
        self.kind = kind
        self.text = text
        self.tokens = tokenize(kind, text)
        self.at = 0
        self.depth = 0
        self.references = References()
        self._groups: dict[int, int] = {}

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self, at: int | None = None) -> ValidationError:
        """The syntax error at the present token, or at another."""
        return syntax_error(self.kind, self.text, self.tokens, self.at if at is None else at)

    def accept(self, symbol: str) -> bool:
        """Step over a symbol if it is next."""
        token = self.token
        if token.kind is TokenKind.SYMBOL and token.text == symbol:
            self.at += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise self.fail()

    def accept_keyword(self, keyword: str) -> bool:
        """Step over a keyword if it is next."""
        if self.token.keyword == keyword:
            self.at += 1
            return True
        return False

    def expect_end(self) -> None:
        if self.token.kind is not TokenKind.END:
            raise self.fail()

    def listed(self, parse: Callable[[], T]) -> tuple[T, ...]:
        """One or more, with commas between."""
        found = [parse()]
        while self.accept(","):
            found.append(parse())
        return tuple(found)

    def close_group(self, opening: int) -> None:
        """Step over the `)` of the group that began at `opening`; two pairs around the same are noted."""
        self.expect(")")
        self._groups[opening] = self.at - 1
        if self._groups.get(opening + 1) == self.at - 2:
            self.references.redundant_parentheses = True

    def enter(self) -> None:
        """One level deeper; too deep is an error."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            detail = f"The expression is nested too deeply; nesting levels: {self.depth}, maximum: {MAX_DEPTH}"
            raise invalid(self.kind, detail)

    def leave(self) -> None:
        self.depth -= 1

    # -- paths and operands -------------------------------------------------------------------------------

    def path(self) -> Path:
        steps: list[Step] = [self._name()]
        while True:
            if self.accept("."):
                steps.append(self._name())
            elif self.accept("["):
                steps.append(self._index())
                self.expect("]")
            else:
                break
        path = Path(tuple(steps))
        self.references.mentions.append(path)
        return path

    def _name(self) -> str:
        token = self.token
        if token.kind is TokenKind.NAME or (token.kind is TokenKind.WORD and token.keyword not in self.keywords):
            self.at += 1
            return token.text
        raise self.fail()

    def _index(self) -> int:
        token = self.token
        if token.kind is not TokenKind.NUMBER:
            raise self.fail()
        index = int(token.text[-4000:])
        if len(token.text) > 10 or index > _MAX_INDEX:
            raise invalid(self.kind, f"List index is not within the allowable range; index: [{token.text}]")
        self.at += 1
        return index

    def value(self) -> ValueRef:
        token = self.token
        if token.kind is not TokenKind.VALUE:
            raise self.fail()
        self.at += 1
        value = ValueRef(token.text)
        self.references.mentions.append(value)
        return value

    def operand(self) -> Operand:
        token = self.token
        if token.kind is TokenKind.VALUE:
            return self.value()
        following = self.tokens[self.at + 1] if token.kind is TokenKind.WORD else token
        if (
            token.kind is TokenKind.WORD
            and token.keyword not in self.keywords
            and following.kind is TokenKind.SYMBOL
            and following.text == "("
        ):
            return self.call()
        return self.path()

    def argument(self) -> Operand:
        """An operand of a function."""
        return self.operand()

    def call(self) -> Call:
        self.enter()
        name = self.token.text
        self.at += 2
        operands = self.listed(self.argument)
        self.expect(")")
        self.leave()
        call = Call(name, operands)
        self.references.calls.append(call)
        self.references.operators += 1
        return call


class _ConditionParser(_Parser):
    """A parenthesis may hold a condition or a mere operand; which it is shows only at its end.

    So each method may return an operand, and `_condition` refuses one where it will not do.
    """

    keywords = _CONDITION_KEYWORDS

    def argument(self) -> Operand:
        """An operand of a function may stand in parentheses."""
        return self._operand()

    def parse(self) -> Condition:
        condition = self._condition(self._or())
        self.expect_end()
        return condition

    def _condition(self, node: Condition | Operand) -> Condition:
        """`node`, which must be a condition; after an operand it is the next token that is wrong."""
        if isinstance(node, Path | ValueRef | Arithmetic):
            raise self.fail()
        if isinstance(node, Call):
            self.references.conditions.append(node)
        return node

    def _or(self) -> Condition | Operand:
        first = self._and()
        if self.token.keyword != "OR":
            return first
        parts = [self._condition(first)]
        while self.accept_keyword("OR"):
            parts.append(self._condition(self._and()))
        return Or(tuple(parts))

    def _and(self) -> Condition | Operand:
        first = self._not()
        if self.token.keyword != "AND":
            return first
        parts = [self._condition(first)]
        while self.accept_keyword("AND"):
            parts.append(self._condition(self._not()))
        return And(tuple(parts))

    def _not(self) -> Condition | Operand:
        negations = 0
        while self.accept_keyword("NOT"):
            negations += 1
        node = self._test()
        if not negations:
            return node
        condition = self._condition(node)
        return Not(condition) if negations % 2 else condition

    def _test(self) -> Condition | Operand:
        node = self._primary()
        token = self.token
        if not isinstance(node, Path | ValueRef | Call | Arithmetic):
            return node
        if token.kind is TokenKind.SYMBOL and token.text in _COMPARATORS:
            self.at += 1
            self.references.operators += 1
            return Comparison(token.text, node, self._operand())
        if self.accept_keyword("BETWEEN"):
            self.references.operators += 1
            low = self._operand()
            if not self.accept_keyword("AND"):
                raise self.fail()
            return Between(node, low, self._operand())
        if self.accept_keyword("IN"):
            self.references.operators += 1
            self.expect("(")
            choices = self.listed(self._operand)
            self.expect(")")
            return In(node, choices)
        return node

    def _primary(self) -> Condition | Operand:
        opening = self.at
        if not self.accept("("):
            return self.operand()
        self.enter()
        node = self._or()
        self.close_group(opening)
        self.leave()
        return node

    def _operand(self) -> Operand:
        node = self._primary()
        if not isinstance(node, Path | ValueRef | Call | Arithmetic):
            raise self.fail()
        return node


class _UpdateParser(_Parser):
    keywords = _SECTIONS

    def parse(self) -> list[Action]:
        sections = {"SET": self._set, "REMOVE": self._remove, "ADD": self._add, "DELETE": self._delete}
        actions: list[Action] = []
        seen: list[str] = []
        while (section := self.token.keyword) in sections:
            self.at += 1
            actions.extend(self.listed(sections[section]))
            seen.append(section)
        if not seen:
            raise self.fail()
        self.expect_end()
        self.references.repeated_section = next((one for at, one in enumerate(seen) if one in seen[:at]), "")
        return actions

    def _set(self) -> Action:
        path = self.path()
        self.expect("=")
        self.references.operators += 1
        return SetAction(path, self._sum())

    def _remove(self) -> Action:
        self.references.operators += 1
        return RemoveAction(self.path())

    def _add(self) -> Action:
        self.references.operators += 1
        return AddAction(self.path(), self.value())

    def _delete(self) -> Action:
        self.references.operators += 1
        return DeleteAction(self.path(), self.value())

    def _sum(self) -> Operand:
        left = self._term()
        for operator in ("+", "-"):
            if self.accept(operator):
                self.references.operators += 1
                return Arithmetic(operator, left, self._term())
        return left

    def _term(self) -> Operand:
        opening = self.at
        if not self.accept("("):
            return self.operand()
        self.enter()
        inner = self._sum()
        self.close_group(opening)
        self.leave()
        return inner


class _ProjectionParser(_Parser):
    def parse(self) -> tuple[Path, ...]:
        paths = self.listed(self.path)
        self.expect_end()
        return paths


def parse_condition(kind: Kind, text: str) -> tuple[Condition, References]:
    """The tree of a condition, filter or key condition, and what it refers to."""
    parser = _ConditionParser(kind, text)
    return parser.parse(), parser.references


def parse_update(text: str) -> tuple[list[Action], References]:
    """The actions of an update, in the order of the text, and what they refer to."""
    parser = _UpdateParser(Kind.UPDATE, text)
    return parser.parse(), parser.references


def parse_projection(text: str) -> tuple[tuple[Path, ...], References]:
    """The paths of a projection, and the same as references."""
    parser = _ProjectionParser(Kind.PROJECTION, text)
    return parser.parse(), parser.references

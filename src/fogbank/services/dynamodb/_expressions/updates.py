"""An update expression as the changes that it makes to an item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.actions import Change, Verb, minus, plus, wrong_type
from fogbank.services.dynamodb._expressions.conditions import CACHE_SIZE, Check, follow
from fogbank.services.dynamodb._expressions.conditions import wrong_type as wrong_literal
from fogbank.services.dynamodb._expressions.naming import Names, Steps, check_paths, nested_in
from fogbank.services.dynamodb._expressions.parser import parse_update
from fogbank.services.dynamodb._expressions.placeholders import NameItems, Placeholders, Values
from fogbank.services.dynamodb._expressions.syntax import (
    Action,
    AddAction,
    Arithmetic,
    Call,
    DeleteAction,
    Operand,
    Path,
    RemoveAction,
    SetAction,
    ValueRef,
)
from fogbank.services.dynamodb._expressions.tokens import Kind, invalid
from fogbank.services.dynamodb._values.attributes import Item, Value
from fogbank.services.dynamodb._values.comparison import kind_of

Getter = Callable[[Item, Values], Value]

_TYPE_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
}
_ADDED = frozenset(("N", "SS", "NS", "BS"))
_DELETED = frozenset(("SS", "NS", "BS"))
_NUMBER = frozenset(("N",))
_LIST = frozenset(("L",))


@dataclass(frozen=True, slots=True)
class Update:
    """What an update does: to which paths, and which changes for a given item."""

    paths: tuple[Steps, ...]
    changes: Callable[[Item], list[Change]]
    creates: bool
    """Whether it makes an item where there is none: one that only removes does not."""
    nested: frozenset[str] = frozenset()
    """The top-level attributes that it looks into, wherever it names them."""
    kinds: Callable[[], list[tuple[str, str]]] = list
    """Attributes and the types that it gives them, as far as that is known before any item is seen."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    steps: tuple[tuple[Verb, Steps, Getter | None], ...]
    kinds: tuple[tuple[str, str | ValueRef], ...]
    nested: frozenset[str]
    names: frozenset[str]
    values: frozenset[str]
    checks: tuple[Check, ...]
    fault: str | None = None
    """What is wrong after all that `checks` look at."""


def update(text: str, placeholders: Placeholders) -> Update:
    """The update that `text` states, checked together with the request's names and values."""
    compiled = _compiled(text, placeholders.names, placeholders.defined)
    placeholders.use(compiled.names, compiled.values)
    values = placeholders.values
    for check in compiled.checks:
        check(values)
    if compiled.fault is not None:
        raise ValidationError(compiled.fault)

    def kinds() -> list[tuple[str, str]]:
        return [(name, kind_of(values[k.name]) if isinstance(k, ValueRef) else k) for name, k in compiled.kinds]

    def changes(item: Item) -> list[Change]:
        return [Change(verb, path, None if get is None else get(item, values)) for verb, path, get in compiled.steps]

    creates = any(verb in (Verb.SET, Verb.ADD) for verb, _, _ in compiled.steps)
    paths = tuple(path for _, path, _ in compiled.steps)
    return Update(paths, changes, creates, compiled.nested, kinds)


@lru_cache(maxsize=CACHE_SIZE)
def _compiled(text: str, names: NameItems, defined: tuple[str, ...]) -> _Compiled:
    actions, references = parse_update(text)
    resolver = Names(Kind.UPDATE, dict(names))
    resolver.check(references, defined)
    check_paths(Kind.UPDATE, [resolver.resolve(action.path) for action in actions])
    compiler = UpdateCompiler(resolver)
    compiler.require_literals(actions)
    steps: tuple[tuple[Verb, Steps, Getter | None], ...] = ()
    fault = None
    try:
        resolver.check_counts(references)
        steps = tuple(compiler.step(action) for action in actions)
    except ValidationError as error:  # told only after the operands of ADD and DELETE were judged
        fault = error.message
    return _Compiled(
        steps,
        tuple(kind for action in actions if (kind := _given_kind(action, resolver)) is not None),
        nested_in(resolver.resolve(path) for path in references.paths),
        frozenset(resolver.used),
        frozenset(references.values),
        tuple(compiler.checks),
        fault,
    )


def _given_kind(action: Action, names: Names) -> tuple[str, str | ValueRef] | None:
    """The attribute that an action sets and its type, or the value that has its type."""
    path = names.resolve(action.path)
    if len(path) > 1 or not isinstance(action, SetAction | AddAction):
        return None
    match action.value:
        case ValueRef() as value:
            return str(path[0]), value
        case Arithmetic():
            return str(path[0]), "N"
        case Call(function="list_append"):
            return str(path[0]), "L"
        case _:
            return None


class UpdateCompiler:
    """Turns the operands of SET into functions, and gathers the checks that need the values."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.checks: list[Check] = []

    def require_literals(self, actions: Sequence[Action]) -> None:
        """What ADD and DELETE take is judged before any operand of SET."""
        for action in actions:
            if isinstance(action, AddAction):
                self._require_literal("ADD", action.value, _ADDED)
            elif isinstance(action, DeleteAction):
                self._require_literal("DELETE", action.value, _DELETED)

    def step(self, action: Action) -> tuple[Verb, Steps, Getter | None]:
        """An action as a verb, the path it is done to, and what finds its value."""
        path = self._names.resolve(action.path)
        match action:
            case SetAction(value=value):
                return Verb.SET, path, self.getter(value)
            case RemoveAction():
                return Verb.REMOVE, path, None
            case AddAction(value=value):
                return Verb.ADD, path, self.getter(value)
            case DeleteAction(value=value):
                return Verb.DELETE, path, self.getter(value)

    def getter(self, operand: Operand) -> Getter:
        """The function that finds what is to be set."""
        match operand:
            case Path():
                return _existing(self._names.resolve(operand))
            case ValueRef(name):
                return lambda _item, values: values[name]
            case Arithmetic(operator, left, right):
                return self._arithmetic(operator, left, right)
            case Call(function="list_append", operands=(left, right)):
                return self._list_append(left, right)
            case Call(operands=(subject, default)):
                return self._if_not_exists(subject, default)
        raise AssertionError(f"unexpected operand {operand}")

    def _arithmetic(self, operator: str, left: Operand, right: Operand) -> Getter:
        for operand in (left, right):
            self._require(operator, operand, _NUMBER)
        first, second = self.getter(left), self.getter(right)
        combine = plus if operator == "+" else minus

        def get(item: Item, values: Values) -> Value:
            one, two = first(item, values), second(item, values)
            if "N" not in one or "N" not in two:
                raise wrong_type()
            return {"N": combine(one["N"], two["N"])}

        return get

    def _list_append(self, left: Operand, right: Operand) -> Getter:
        for operand in (left, right):
            self._require("list_append", operand, _LIST)
        first, second = self.getter(left), self.getter(right)

        def get(item: Item, values: Values) -> Value:
            one, two = first(item, values), second(item, values)
            if "L" not in one or "L" not in two:
                raise wrong_type()
            return {"L": one["L"] + two["L"]}

        return get

    def _if_not_exists(self, subject: Operand, default: Operand) -> Getter:
        if not isinstance(subject, Path):
            detail = "Operator or function requires a document path; operator or function: if_not_exists"
            raise invalid(Kind.UPDATE, detail)
        path = self._names.resolve(subject)
        otherwise = self.getter(default)

        def get(item: Item, values: Values) -> Value:
            found = follow(item, path)
            return otherwise(item, values) if found is None else found

        return get

    def _require(self, operator: str, operand: Operand, allowed: frozenset[str]) -> None:
        """A literal's type, or a function's, must be allowed."""
        if isinstance(operand, ValueRef):
            name = operand.name

            def check(values: Values) -> None:
                found = kind_of(values[name])
                if found not in allowed:
                    raise wrong_literal(Kind.UPDATE, operator, found)

            self.checks.append(check)
        elif isinstance(operand, Call) and operand.function == "list_append" and "L" not in allowed:
            raise wrong_literal(Kind.UPDATE, operator, "L")
        elif isinstance(operand, Arithmetic) and "N" not in allowed:
            raise wrong_literal(Kind.UPDATE, operator, "N")

    def _require_literal(self, verb: str, value: ValueRef, allowed: frozenset[str]) -> None:
        name = value.name

        def check(values: Values) -> None:
            found = kind_of(values[name])
            if found not in allowed:
                raise invalid(
                    Kind.UPDATE,
                    f"Incorrect operand type for operator or function; operator: {verb}, "
                    f"operand type: {_TYPE_NAMES[found]}, typeSet: ALLOWED_FOR_{verb}_OPERAND",
                )

        self.checks.append(check)


def _existing(path: Steps) -> Getter:
    def get(item: Item, _values: Values) -> Value:
        found = follow(item, path)
        if found is None:
            raise ValidationError("The provided expression refers to an attribute that does not exist in the item")
        return found

    return get

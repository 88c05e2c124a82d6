"""A PartiQL statement as a plan to read or write, once its table is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.actions import Change, Verb
from fogbank.services.dynamodb._expressions.conditions import CompiledCondition, Compiler
from fogbank.services.dynamodb._expressions.keyconditions import KeyTest
from fogbank.services.dynamodb._expressions.naming import Names, Steps, check_paths
from fogbank.services.dynamodb._expressions.projections import Projection
from fogbank.services.dynamodb._expressions.syntax import (
    And,
    Between,
    Call,
    Comparison,
    Condition,
    Operand,
    Path,
    ValueRef,
)
from fogbank.services.dynamodb._expressions.tokens import Kind
from fogbank.services.dynamodb._expressions.updates import Getter, UpdateCompiler
from fogbank.services.dynamodb._expressions.updates import Update as Changes
from fogbank.services.dynamodb._items.plans import (
    CheckPlan,
    DeletePlan,
    Guard,
    InsertGuard,
    Plan,
    PutPlan,
    UpdatePlan,
)
from fogbank.services.dynamodb._items.reads import ReadPlan
from fogbank.services.dynamodb._items.writes import given_item
from fogbank.services.dynamodb._partiql.statements import Delete, Exists, Insert, Select, Statement, Update
from fogbank.services.dynamodb._values.attributes import Item, Value
from fogbank.services.dynamodb.model import KeySchema, Table

_NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"
_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _PlainNames(Names):
    """PartiQL has no placeholders: every name stands for itself, whatever it looks like."""

    def resolve(self, path: Path) -> Steps:
        return path.steps


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a SELECT is wanted."""

    limit: int | None = None
    start: Item | None = None
    consistent: bool = False


def read(select: Select, table: Table, paging: Paging) -> ReadPlan:
    """A SELECT as a Query, if its WHERE names one partition, else as a Scan; in any case filtered by all of WHERE."""
    schema = table.definition.keys
    if select.index is not None:
        index = table.index(select.index)
        if index is None:
            raise ValidationError(f"The table does not have the specified index: {select.index}")
        schema = index.definition.keys
    tests = _key_tests(select.where, select.values, schema)
    return ReadPlan(
        index=select.index,
        tests=tests,
        filter=None if select.where is None else _condition(select.where, select.values),
        values=select.values,
        projection=_projection(select.paths),
        select=None,
        limit=paging.limit,
        start=paging.start,
        forward=_forward(select, schema, ordered=tests is not None),
        consistent=paging.consistent,
    )


def _projection(paths: Sequence[Path]) -> Projection | None:
    steps = [path.steps for path in paths]
    check_paths(Kind.PROJECTION, steps)
    return Projection(steps) if steps else None


def _forward(select: Select, schema: KeySchema, *, ordered: bool) -> bool:
    """The direction that ORDER BY asks for: only the sort key of one partition has an order."""
    if not select.order:
        return True
    if not ordered:
        raise ValidationError(
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
        )
    sortable = [part.name for part in schema.parts]
    for name, _ in select.order:
        if name not in sortable:
            raise ValidationError(f"Variable reference {name} in ORDER BY clause must be part of the primary key")
    hashes = {part.name for part in schema.hash}
    directions = {descending for name, descending in select.order if name not in hashes}
    if len(directions) > 1:
        raise ValidationError("ORDER BY clause must have the same direction for all sort key attributes")
    return directions != {True}


def write(statement: Statement, table: Table, *, shows_item: bool, reads_old: bool) -> Plan:
    """A statement that is not a SELECT, as a plan."""
    match statement:
        case Insert(item=given):
            item, size = given_item(given)
            nothing = CompiledCondition(lambda _item, _values: True, frozenset(), frozenset(), (), frozenset())
            return PutPlan(item, size, InsertGuard(nothing, {}, shows_item), reads=reads_old)
        case Update(where=where, values=values):
            key, guard = _guarded(where, values, table, shows_item=shows_item)
            return UpdatePlan(key, _changes(statement), guard)
        case Delete(where=where, values=values):
            key, guard = _guarded(where, values, table, shows_item=shows_item)
            only_key = len(_flattened(where)) == len(key)
            return DeletePlan(key, None if only_key else guard, reads=reads_old or statement.returning != "NONE")
        case Exists(select=select):
            if select.where is None:
                raise ValidationError(_NO_KEY)
            key, guard = _guarded(select.where, select.values, table, shows_item=shows_item)
            return CheckPlan(key, guard)
        case _:
            raise ValidationError("A SELECT statement cannot stand where a statement that writes is expected")


def single_key(select: Select, table: Table) -> Item:
    """The key of the one item that a SELECT names, where only such a one may stand."""
    if select.where is None or select.index is not None:
        raise ValidationError(_NO_KEY)
    return _key_of(select.where, select.values, table)


def _guarded(where: Condition, values: Mapping[str, Value], table: Table, *, shows_item: bool) -> tuple[Item, Guard]:
    return _key_of(where, values, table), Guard(_condition(where, values), values, shows_item)


def _key_of(where: Condition, values: Mapping[str, Value], table: Table) -> Item:
    key: Item = {}
    for test in _comparisons(where, values):
        if test.operator == "=" and test.attribute in table.key_names and test.attribute not in key:
            key[test.attribute] = test.values[0]
    if key.keys() != table.key_names:
        raise ValidationError(_NO_KEY)
    return key


def _condition(tree: Condition, values: Mapping[str, Value]) -> CompiledCondition:
    """The whole of a WHERE as a filter. PartiQL lets a filter speak of keys, so it tells of no attributes."""
    compiler = Compiler(Kind.FILTER, _PlainNames(Kind.FILTER, {}))
    test = compiler.test(tree)
    for check in compiler.checks:
        check(values)
    return CompiledCondition(test, frozenset(), frozenset(), (), frozenset())


def _key_tests(where: Condition | None, values: Mapping[str, Value], schema: KeySchema) -> tuple[KeyTest, ...] | None:
    """What of a WHERE is a key condition; `None` if it does not name one partition."""
    if where is None:
        return None
    given: dict[str, list[KeyTest]] = {}
    for test in _comparisons(where, values):
        given.setdefault(test.attribute, []).append(test)
    found = []
    for part in schema.hash:
        equal = next((test for test in given.get(part.name, ()) if test.operator == "="), None)
        if equal is None:
            return None
        found.append(equal)
    for part in schema.range:
        tests = given.get(part.name)
        if not tests:
            break
        found.append(tests[0])
        if tests[0].operator != "=":
            break
    return tuple(found)


def _flattened(tree: Condition) -> list[Condition]:
    if isinstance(tree, And):
        return [part for each in tree.parts for part in _flattened(each)]
    return [tree]


def _comparisons(where: Condition, values: Mapping[str, Value]) -> list[KeyTest]:
    """Those parts of a WHERE, all of which must hold, that compare an attribute with values."""
    found = []
    for part in _flattened(where):
        match part:
            case Comparison(operator, Path(steps=(str(name),)), ValueRef(value)) if operator in _FLIPPED:
                found.append(KeyTest(name, operator, (values[value],)))
            case Comparison(operator, ValueRef(value), Path(steps=(str(name),))) if operator in _FLIPPED:
                found.append(KeyTest(name, _FLIPPED[operator], (values[value],)))
            case Between(Path(steps=(str(name),)), ValueRef(low), ValueRef(high)):
                found.append(KeyTest(name, "BETWEEN", (values[low], values[high])))
            case Call("begins_with", (Path(steps=(str(name),)), ValueRef(value))):
                found.append(KeyTest(name, "begins_with", (values[value],)))
    return found


def _changes(statement: Update) -> Changes:
    """SET and REMOVE as changes of an item."""
    compiler = UpdateCompiler(_PlainNames(Kind.UPDATE, {}))
    steps = [_assignment(compiler, path, operand) for path, operand in statement.sets]
    steps += [(Verb.REMOVE, path.steps, None) for path in statement.removes]
    check_paths(Kind.UPDATE, [path for _, path, _ in steps])
    values = statement.values
    for check in compiler.checks:
        check(values)

    def changes(item: Item) -> list[Change]:
        return [Change(verb, path, None if get is None else get(item, values)) for verb, path, get in steps]

    return Changes(tuple(path for _, path, _ in steps), changes, creates=True)


def _assignment(compiler: UpdateCompiler, path: Path, operand: Operand) -> tuple[Verb, Steps, Getter | None]:
    """One SET. Adding to or deleting from a set is a verb of its own in expressions."""
    if isinstance(operand, Call) and operand.function in ("set_add", "set_delete"):
        subject, members = operand.operands
        if subject != path:
            raise ValidationError(f"{operand.function} must be of the attribute that is set")
        verb = Verb.ADD if operand.function == "set_add" else Verb.DELETE
        return verb, path.steps, compiler.getter(members)
    if isinstance(operand, Call) and operand.function == "size":
        raise ValidationError("The function is not allowed in an update expression; function: size")
    return Verb.SET, path.steps, compiler.getter(operand)

"""Requests to read: every check that needs no table is made here, the others in `target` and `check_target`."""

from __future__ import annotations

from dataclasses import dataclass

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions import legacy
from fogbank.services.dynamodb._expressions.conditions import CompiledCondition, condition
from fogbank.services.dynamodb._expressions.keyconditions import KeyCondition, KeyTest
from fogbank.services.dynamodb._expressions.placeholders import Placeholders, Values
from fogbank.services.dynamodb._expressions.projections import Projection, projection
from fogbank.services.dynamodb._expressions.tokens import Kind
from fogbank.services.dynamodb._items import parameters
from fogbank.services.dynamodb._items.keyranges import BAD_START
from fogbank.services.dynamodb._items.writes import Given, given_key, placeholders_of
from fogbank.services.dynamodb._values.attributes import EMPTY, SEVERAL, Item, ValueFault, checked_item
from fogbank.services.dynamodb.errors import invalid_parameter
from fogbank.services.dynamodb.model import Index, IndexStatus, ProjectionType, Table

_INVALID = "One or more parameter values were invalid: "
_START_FAULTS = frozenset(
    (
        EMPTY,
        SEVERAL,
        f"{_INVALID}Null attribute value types must have the value of true",
        f"{_INVALID}An string set  may not be empty",
        f"{_INVALID}Binary sets should not be empty",
    )
)


@dataclass(frozen=True, slots=True)
class GetPlan:
    """One item, and which parts of it."""

    key: Item
    projection: Projection | None
    consistent: bool


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """A Query (with `tests`) or a Scan (without)."""

    index: str | None
    tests: tuple[KeyTest, ...] | None
    filter: CompiledCondition | None
    values: Values
    projection: Projection | None
    select: str | None
    limit: int | None
    start: Item | None
    forward: bool
    consistent: bool
    segment: int = 0
    segments: int = 1

    @property
    def counts(self) -> bool:
        """Whether only the number of items is wanted."""
        return self.select == "COUNT"


def get(request: Given) -> GetPlan:
    """GetItem, and Get of a transaction."""
    parameters.check_combination(request, parameters.GET)
    key = given_key(request["Key"])
    return GetPlan(key, selection(request), bool(request.get("ConsistentRead")))


def selection(request: Given) -> Projection | None:
    """Which attributes a request that reads items by key wants."""
    if "ExpressionAttributeNames" not in request and "ProjectionExpression" not in request:
        names = request.get("AttributesToGet")
        return None if names is None else legacy.attributes_to_get(names)
    parameters.check_combination(request, parameters.GET)
    placeholders = placeholders_of(request)
    wanted = projection(request["ProjectionExpression"], placeholders)
    placeholders.check_used()
    return wanted


def query(request: Given) -> ReadPlan:
    """Query.

    The parameters are judged in DynamoDB's order: first those that expressions replaced, but for `KeyConditions`,
    then the start key, the key conditions, and last the other expressions.
    """
    rules = parameters.QUERY if "KeyConditionExpression" in request else parameters.QUERY_BY_CONDITIONS
    parameters.check_combination(request, rules)
    filtered, wanted = _legacy(request, "QueryFilter")
    start = _start_key(request)
    tests = legacy.key_conditions(request["KeyConditions"]) if "KeyConditions" in request else None
    _check_select(request)
    placeholders = placeholders_of(request)
    condition_of_keys = None
    if "KeyConditionExpression" in request:
        condition_of_keys = KeyCondition(request["KeyConditionExpression"], placeholders)
    filtered, wanted = _by_expressions(request, placeholders, filtered, wanted)
    if condition_of_keys is not None:
        tests = condition_of_keys.tests()
    if tests is None:
        raise ValidationError(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    placeholders.check_used()
    return _plan(request, placeholders, tests, filtered, wanted, start)


def scan(request: Given) -> ReadPlan:
    """Scan."""
    parameters.check_combination(request, parameters.SCAN)
    filtered, wanted = _legacy(request, "ScanFilter")
    start = _start_key(request)
    _check_select(request)
    _check_segments(request)
    placeholders = placeholders_of(request)
    filtered, wanted = _by_expressions(request, placeholders, filtered, wanted)
    placeholders.check_used()
    return _plan(request, placeholders, None, filtered, wanted, start)


def _legacy(request: Given, parameter: str) -> tuple[CompiledCondition | None, Projection | None]:
    """The filter and the selection of a request that is made without expressions."""
    found = None
    if request.get(parameter):
        found = legacy.filtered(request[parameter], request.get("ConditionalOperator"))
    names = request.get("AttributesToGet")
    return found, None if names is None else legacy.attributes_to_get(names)


def _start_key(request: Given) -> Item | None:
    """The values of ExclusiveStartKey; some faults of theirs are told as faults of the key."""
    start = request.get("ExclusiveStartKey")
    if start is None:
        return None
    try:
        return checked_item(start)[0]
    except ValueFault as fault:
        message = str(fault)
        raise ValidationError(f"{BAD_START}: {message}" if message in _START_FAULTS else message) from None


def _by_expressions(
    request: Given, placeholders: Placeholders, found: CompiledCondition | None, wanted: Projection | None
) -> tuple[CompiledCondition | None, Projection | None]:
    """The filter and the selection, by expressions if they are given."""
    if "FilterExpression" in request:
        found = condition(Kind.FILTER, request["FilterExpression"], placeholders)
    if "ProjectionExpression" in request:
        wanted = projection(request["ProjectionExpression"], placeholders)
    return found, wanted


def _plan(
    request: Given,
    placeholders: Placeholders,
    tests: tuple[KeyTest, ...] | None,
    found: CompiledCondition | None,
    wanted: Projection | None,
    start: Item | None,
) -> ReadPlan:
    return ReadPlan(
        index=request.get("IndexName"),
        tests=tests,
        filter=found,
        values=placeholders.values,
        projection=wanted,
        select=request.get("Select"),
        limit=request.get("Limit"),
        start=start,
        forward=request.get("ScanIndexForward", True),
        consistent=bool(request.get("ConsistentRead")),
        segment=request.get("Segment", 0),
        segments=request.get("TotalSegments", 1),
    )


def _check_select(request: Given) -> None:
    select = request.get("Select")
    if select is None:
        return
    given = next((name for name in ("ProjectionExpression", "AttributesToGet") if name in request), None)
    if select == "SPECIFIC_ATTRIBUTES":
        if given is None:
            raise ValidationError(
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
            )
    elif given is not None:
        wanted = "only the Count" if select == "COUNT" else select
        raise ValidationError(f"Cannot specify the {given} when choosing to get {wanted}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and "IndexName" not in request:
        # These are the words for a Scan too.
        raise ValidationError("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")


def _check_segments(request: Given) -> None:
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if total is None and segment is not None:
        raise ValidationError(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is "
            "present"
        )
    if segment is None and total is not None:
        raise ValidationError(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is "
            "present"
        )
    if segment is not None and total is not None and segment >= total:
        raise ValidationError(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )


def target(plan: ReadPlan, table: Table) -> Index | None:
    """The index that a plan reads."""
    if plan.index is None:
        return None
    index = table.index(plan.index)
    if index is None:
        raise ValidationError(f"The table does not have the specified index: {plan.index}")
    if index.definition.is_global:
        if plan.consistent:
            raise ValidationError("Consistent reads are not supported on global secondary indexes")
        if index.definition.status is not IndexStatus.ACTIVE:
            raise ValidationError(f"Cannot read from backfilling global secondary index: {index.name}")
    return index


def check_target(plan: ReadPlan, table: Table, index: Index | None) -> None:
    """Whether filter and selection fit the table or index; judged after key conditions and start key."""
    if plan.tests is not None and plan.filter is not None:
        schema = (table.definition.keys if index is None else index.definition.keys).parts
        what = "QueryFilter" if plan.filter.is_legacy else "Filter Expression"
        for part in schema:
            if part.name in plan.filter.attributes:
                raise ValidationError(
                    f"{what} can only contain non-primary key attributes: Primary key attribute: {part.name}"
                )
    if index is not None and index.definition.is_global:
        _check_projected(plan, index)


def check_scalars(plan: ReadPlan, table: Table) -> None:
    """Filter and selection may not look into keys."""
    if plan.filter is not None and plan.filter.nested:
        table.check_scalars(plan.filter.nested)
    if plan.projection is not None and plan.projection.nested:
        table.check_scalars(plan.projection.nested)


def _check_projected(plan: ReadPlan, index: Index) -> None:
    if plan.select == "ALL_ATTRIBUTES" and index.definition.projection is not ProjectionType.ALL:
        raise invalid_parameter(
            f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} because its "
            "projection type is not ALL"
        )
    if plan.projection is not None:
        lacking = index.lacks(plan.projection.attributes)
        if lacking:
            raise invalid_parameter(
                f"Global secondary index {index.name} does not project [{', '.join(sorted(lacking))}]"
            )


def reads_table(plan: ReadPlan, index: Index | None) -> bool:
    """Whether a read of a local index must fetch the items themselves as well."""
    if index is None or index.definition.is_global or plan.counts:
        return False
    if plan.projection is not None:
        return bool(index.lacks(plan.projection.attributes))
    return plan.select == "ALL_ATTRIBUTES" and index.definition.projection is not ProjectionType.ALL


def passes(plan: ReadPlan, item: Item) -> bool:
    """Whether the filter lets an item through."""
    return plan.filter is None or plan.filter.test(item, plan.values)

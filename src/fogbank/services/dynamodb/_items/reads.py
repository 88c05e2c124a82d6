"""Requests to read: every check that needs no table is made here, the others in `check_target`."""

from __future__ import annotations

from dataclasses import dataclass

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions import legacy
from fogbank.services.dynamodb._expressions.conditions import CompiledCondition, condition
from fogbank.services.dynamodb._expressions.keyconditions import KeyTest, key_condition
from fogbank.services.dynamodb._expressions.placeholders import Placeholders, Values
from fogbank.services.dynamodb._expressions.projections import Projection, projection
from fogbank.services.dynamodb._expressions.tokens import Kind
from fogbank.services.dynamodb._items import parameters
from fogbank.services.dynamodb._items.writes import Given, given_key, placeholders_of
from fogbank.services.dynamodb._values.attributes import Item
from fogbank.services.dynamodb.errors import invalid_parameter
from fogbank.services.dynamodb.model import Index, IndexStatus, ProjectionType, Table


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
    """GetItem, Get of a transaction, and one table of BatchGetItem with its keys apart."""
    wanted = selection(request)
    return GetPlan(given_key(request["Key"]), wanted, bool(request.get("ConsistentRead")))


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
    """Query."""
    parameters.check_combination(request, parameters.QUERY)
    _check_select(request)
    placeholders = placeholders_of(request)
    tests: tuple[KeyTest, ...]
    if "KeyConditionExpression" in request:
        tests = key_condition(request["KeyConditionExpression"], placeholders)
    elif "KeyConditions" in request:
        tests = legacy.key_conditions(request["KeyConditions"])
    else:
        raise ValidationError(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    return _plan(request, placeholders, tests, "QueryFilter")


def scan(request: Given) -> ReadPlan:
    """Scan."""
    parameters.check_combination(request, parameters.SCAN)
    _check_select(request)
    _check_segments(request)
    return _plan(request, placeholders_of(request), None, "ScanFilter")


def _plan(
    request: Given, placeholders: Placeholders, tests: tuple[KeyTest, ...] | None, legacy_filter: str
) -> ReadPlan:
    found: CompiledCondition | None = None
    if "FilterExpression" in request:
        found = condition(Kind.FILTER, request["FilterExpression"], placeholders)
    elif request.get(legacy_filter):
        found = legacy.filtered(request[legacy_filter], request.get("ConditionalOperator"))
    wanted: Projection | None = None
    if "ProjectionExpression" in request:
        wanted = projection(request["ProjectionExpression"], placeholders)
    elif "AttributesToGet" in request:
        wanted = legacy.attributes_to_get(request["AttributesToGet"])
    placeholders.check_used()
    start = request.get("ExclusiveStartKey")
    return ReadPlan(
        index=request.get("IndexName"),
        tests=tests,
        filter=found,
        values=placeholders.values,
        projection=wanted,
        select=request.get("Select"),
        limit=request.get("Limit"),
        start=None if start is None else given_key(start),
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
    """The index that a plan reads, after the checks that need the table."""
    index = None
    if plan.index is not None:
        index = table.index(plan.index)
        if index is None:
            raise ValidationError(f"The table does not have the specified index: {plan.index}")
        if index.definition.is_global:
            _check_global(plan, index)
    if plan.tests is not None and plan.filter is not None:
        schema = (table.definition.keys if index is None else index.definition.keys).parts
        for part in schema:
            if part.name in plan.filter.attributes:
                raise ValidationError(
                    f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {part.name}"
                )
    return index


def _check_global(plan: ReadPlan, index: Index) -> None:
    if plan.consistent:
        raise ValidationError("Consistent reads are not supported on global secondary indexes")
    if index.definition.status is not IndexStatus.ACTIVE:
        raise ValidationError(f"Cannot read from backfilling global secondary index: {index.name}")
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

"""Metric filters and subscription filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.paging import cut_page, encode_token
from fogbank.services.logs import storage
from fogbank.services.logs._api.service import (
    LogsService,
    filter_pattern,
    group_of,
    position_of,
    refuse_parameters,
)
from fogbank.services.logs._patterns import compile_pattern
from fogbank.services.logs.errors import (
    AccessDeniedError,
    InvalidOperationError,
    InvalidParameterError,
    LimitExceededError,
    ResourceNotFoundError,
)
from fogbank.services.logs.model import (
    MAX_METRIC_FILTERS,
    MAX_REGEX_FILTERS,
    MAX_SUBSCRIPTIONS,
    Group,
    GroupClass,
    check_metric_transformation,
)

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

_BAD_METRIC_PATTERN = "Invalid metric filter pattern"
_UNREACHABLE = (
    "Could not execute the lambda function. "
    "Make sure you have given CloudWatch Logs permission to execute your function."
)


class FilterOperations(LogsService):
    """The operations on metric and subscription filters."""

    async def test_metric_filter(
        self,
        call: Call,  # noqa: ARG002 - the same for all accounts
        request: t.TestMetricFilterRequestTypeDef,
    ) -> Reply:
        """Which of some messages a pattern matches, and what it extracts from them."""
        pattern = filter_pattern(request["filterPattern"], _BAD_METRIC_PATTERN)
        matches = []
        for number, message in enumerate(request["logEventMessages"]):
            values = pattern.extract(message)
            if values is not None:
                matches.append({"eventNumber": number, "eventMessage": message, "extractedValues": values})
        return {"matches": matches}

    async def put_metric_filter(self, call: Call, request: t.PutMetricFilterRequestTypeDef) -> Reply:
        """Create or replace a metric filter."""
        unknown = ["applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions"]
        refuse_parameters("PutMetricFilter", request, unknown)
        name, text = request["filterName"], request["filterPattern"]
        filter_pattern(text, _BAD_METRIC_PATTERN)
        transformation = request["metricTransformations"][0]
        check_metric_transformation(transformation)
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            group = await group_of(tx, call.scope, request["logGroupName"])
            _check_class(group, "Metric filters")
            is_new = not await storage.has_metric_filter(tx, group.id, name)
            if is_new and group.metric_filters >= MAX_METRIC_FILTERS:
                raise LimitExceededError
            await _check_regexes(tx, call.scope, group, name, text)
            await storage.put_metric_filter(tx, group, name, pattern=text, transformation=transformation, now=now)

        await self.kit.storage.transact(body)
        return {}

    async def describe_metric_filters(self, call: Call, request: t.DescribeMetricFiltersRequestTypeDef) -> Reply:
        """List metric filters by name: of a group, of a metric, or all."""
        group_name = request.get("logGroupName")
        metric, namespace = request.get("metricName"), request.get("metricNamespace")
        if (metric is None) != (namespace is None):
            raise InvalidParameterError("metricName and metricNamespace must be specified together.")
        prefix = request.get("filterNamePrefix", "") if group_name is not None else ""
        limit = request.get("limit", 50)
        after = position_of(request, tuple[str, str])

        async def body(tx: Tx) -> list[tuple[str, str, int, Any, str]]:
            if group_name is not None:
                await group_of(tx, call.scope, group_name)
            return await storage.list_metric_filters(tx, call.scope)

        found = [
            row
            for row in await self.kit.storage.read(body)
            if (group_name is None or row[4] == group_name)
            and row[0].startswith(prefix)
            and (metric is None or (row[3]["metricName"], row[3]["metricNamespace"]) == (metric, namespace))
            and (after is None or (row[0], row[4]) > after)
        ]
        page, more = cut_page(found, limit)
        return {
            "metricFilters": [
                {
                    "filterName": name,
                    "filterPattern": pattern,
                    "metricTransformations": [transformation],
                    "creationTime": created_at,
                    "logGroupName": group,
                    "applyOnTransformedLogs": False,
                }
                for name, pattern, created_at, transformation, group in page
            ],
            "nextToken": encode_token([page[-1][0], page[-1][4]]) if more else None,
        }

    async def delete_metric_filter(self, call: Call, request: t.DeleteMetricFilterRequestTypeDef) -> Reply:
        """Delete a metric filter."""

        async def body(tx: Tx) -> None:
            group = await group_of(tx, call.scope, request["logGroupName"])
            if not await storage.delete_metric_filter(tx, group.id, request["filterName"]):
                raise ResourceNotFoundError("metric filter")

        await self.kit.storage.transact(body)
        return {}

    async def put_subscription_filter(self, call: Call, request: t.PutSubscriptionFilterRequestTypeDef) -> Reply:
        """Create or replace a subscription filter whose destination is a function."""
        unknown = ["applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFields"]
        refuse_parameters("PutSubscriptionFilter", request, unknown)
        name, text, destination = request["filterName"], request["filterPattern"], request["destinationArn"]
        filter_pattern(text)
        _check_destination(destination, call.scope, with_role="roleArn" in request)
        if "roleArn" in request:
            raise InvalidParameterError("destinationArn for vendor lambda cannot be used with roleArn")
        await self._check_function(call, destination)
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            group = await group_of(tx, call.scope, request["logGroupName"])
            _check_class(group, "Subscription filters")
            names = {row[0] for row in await storage.list_subscriptions(tx, group.id)}
            if name not in names and len(names) >= MAX_SUBSCRIPTIONS:
                raise LimitExceededError
            await _check_regexes(tx, call.scope, group, name, text)
            await storage.put_subscription(
                tx, group.id, name, pattern=text, destination=destination, now=now, is_new=name not in names
            )

        await self.kit.storage.transact(body)
        return {}

    async def _check_function(self, call: Call, destination: str) -> None:
        try:
            request = {"FunctionName": destination}
            await self.kit.cloud.call(call.scope, "lambda", "GetFunctionConfiguration", request, trace=call.trace)
        except ApiError as error:
            if error.status >= 500:
                raise
            raise InvalidParameterError(_UNREACHABLE) from None

    async def describe_subscription_filters(
        self, call: Call, request: t.DescribeSubscriptionFiltersRequestTypeDef
    ) -> Reply:
        """List the subscription filters of a group by name."""
        prefix, limit = request.get("filterNamePrefix", ""), request.get("limit", 50)
        after = position_of(request, str) or ""

        async def body(tx: Tx) -> list[tuple[str, str, int, str]]:
            group = await group_of(tx, call.scope, request["logGroupName"])
            return await storage.list_subscriptions(tx, group.id)

        rows = [row for row in await self.kit.storage.read(body) if row[0].startswith(prefix) and row[0] > after]
        page, more = cut_page(rows, limit)
        return {
            "subscriptionFilters": [
                {
                    "filterName": name,
                    "logGroupName": request["logGroupName"],
                    "filterPattern": pattern,
                    "destinationArn": destination,
                    "distribution": "ByLogStream",
                    "applyOnTransformedLogs": False,
                    "creationTime": created_at,
                }
                for name, pattern, created_at, destination in page
            ],
            "nextToken": encode_token(page[-1][0]) if more else None,
        }

    async def delete_subscription_filter(self, call: Call, request: t.DeleteSubscriptionFilterRequestTypeDef) -> Reply:
        """Delete a subscription filter."""

        async def body(tx: Tx) -> None:
            group = await group_of(tx, call.scope, request["logGroupName"])
            if not await storage.delete_subscription(tx, group.id, request["filterName"]):
                raise ResourceNotFoundError("subscription filter")

        await self.kit.storage.transact(body)
        return {}


def _check_class(group: Group, what: str) -> None:
    if group.group_class is not GroupClass.STANDARD:
        raise InvalidOperationError(f"{what} are not supported for log groups of class {group.group_class}.")


def _check_destination(text: str, scope: Scope, *, with_role: bool) -> None:
    try:
        arn = Arn.parse(text)
    except MalformedArnError:
        raise InvalidParameterError(
            "PutSubscriptionFilter operation cannot work with destinationArn for vendor"
        ) from None
    if arn.service in ("kinesis", "firehose") and not with_role:
        raise InvalidParameterError(f"destinationArn for vendor {arn.service} cannot be used without roleArn")
    if arn.service in ("kinesis", "firehose", "logs"):
        raise NotImplementedByFogbank(
            f"Fogbank does not deliver subscriptions to {arn.service} yet, only to Lambda functions"
        )
    if arn.service != "lambda":
        raise InvalidParameterError(
            f"PutSubscriptionFilter operation cannot work with destinationArn for vendor {arn.service}"
        )
    if arn.account != scope.account:
        raise AccessDeniedError(
            "Cross-account lambda invocation passing is not allowed. "
            "You must use DestinationPolicies to create cross account lambda triggers."
        )


async def _check_regexes(tx: Tx, scope: Scope, group: Group, name: str, text: str) -> None:
    """At most five of a group's filters may hold regular expressions."""
    if compile_pattern(text).regexes == 0:
        return
    others = [row[1] for row in await storage.list_subscriptions(tx, group.id) if row[0] != name]
    others += [
        row[1] for row in await storage.list_metric_filters(tx, scope) if row[4] == group.name and row[0] != name
    ]
    if sum(compile_pattern(other).regexes > 0 for other in others) >= MAX_REGEX_FILTERS:
        raise LimitExceededError

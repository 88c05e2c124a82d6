"""Finding dead-letter queues: asks every service that can name one for what it names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from fogbank.cli.connection import Connection, error_code
from fogbank.cli.deadletters import Owner, OwnerKind
from fogbank.cli.send import queue_urls

_DEFAULT_RETRIES = 2
"""Retries of an asynchronous invocation where nothing else is configured."""


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A queue that dead letters go to. `url` is `None` if there is no such queue in this account and region."""

    arn: str
    url: str | None
    owners: list[Owner] = field(default_factory=list)
    messages: int = 0

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.arn.rpartition(":")[2]


def dead_letter_queues(connection: Connection) -> list[DeadLetterQueue]:
    """Every queue that anything names as its dead-letter queue or as its destination on failure."""
    queues = {found["QueueArn"]: (url, found) for url, found in _queues(connection)}
    owners: dict[str, list[Owner]] = {}
    readers = (_of_rules, _of_schedules, _of_functions, _of_topics)
    for arn, owner in (*_of_queues(queues), *(found for reader in readers for found in reader(connection))):
        if arn.split(":")[2:3] == ["sqs"]:
            owners.setdefault(arn, []).append(owner)
    found = []
    for arn, who in sorted(owners.items()):
        url, attributes = queues.get(arn, (None, {}))
        found.append(DeadLetterQueue(arn, url, who, _count(attributes)))
    return found


def _count(attributes: dict[str, str]) -> int:
    return sum(
        int(attributes.get(name, 0))
        for name in ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    )


def _queues(connection: Connection) -> Iterator[tuple[str, dict[str, str]]]:
    sqs = connection.client("sqs")
    for url in queue_urls(connection):
        try:
            yield url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        except ClientError as error:
            if "NonExistentQueue" not in error_code(error):  # deleted since it was listed
                raise


def _of_queues(queues: dict[str, tuple[str, dict[str, str]]]) -> Iterator[tuple[str, Owner]]:
    for arn, (_, attributes) in queues.items():
        if policy := attributes.get("RedrivePolicy"):
            redrive = json.loads(policy)
            limit = int(redrive["maxReceiveCount"])
            yield redrive["deadLetterTargetArn"], Owner(OwnerKind.QUEUE, arn.rpartition(":")[2], arn, limit)


def _of_rules(connection: Connection) -> Iterator[tuple[str, Owner]]:
    events = connection.client("events")
    for bus in _pages(events.list_event_buses, "EventBuses"):
        for rule in _pages(events.list_rules, "Rules", EventBusName=bus["Name"]):
            targets = _pages(events.list_targets_by_rule, "Targets", Rule=rule["Name"], EventBusName=bus["Name"])
            for target in targets:
                if arn := target.get("DeadLetterConfig", {}).get("Arn"):
                    retries = target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185)
                    yield arn, Owner(OwnerKind.RULE, rule["Name"], rule["Arn"], retries + 1)


def _of_schedules(connection: Connection) -> Iterator[tuple[str, Owner]]:
    scheduler = connection.client("scheduler")
    for listed in _pages(scheduler.list_schedules, "Schedules"):
        schedule = scheduler.get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
        target = schedule["Target"]
        if arn := target.get("DeadLetterConfig", {}).get("Arn"):
            retries = target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185)
            yield arn, Owner(OwnerKind.SCHEDULE, schedule["Name"], schedule["Arn"], retries + 1)


def _of_functions(connection: Connection) -> Iterator[tuple[str, Owner]]:
    functions = connection.client("lambda")
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            yield from _of_function(functions, function)


def _of_function(functions: Any, function: dict[str, Any]) -> Iterator[tuple[str, Owner]]:
    name, arn = function["FunctionName"], function["FunctionArn"]
    configurations = [
        configuration
        for page in functions.get_paginator("list_function_event_invoke_configs").paginate(FunctionName=name)
        for configuration in page["FunctionEventInvokeConfigs"]
    ]
    retries = {c["FunctionArn"]: c.get("MaximumRetryAttempts", _DEFAULT_RETRIES) for c in configurations}
    for configuration in configurations:
        destination = configuration.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination:
            attempts = retries[configuration["FunctionArn"]] + 1
            yield destination, Owner(OwnerKind.FUNCTION, name, arn, attempts)
    if target := function.get("DeadLetterConfig", {}).get("TargetArn"):
        attempts = retries.get(f"{arn}:$LATEST", _DEFAULT_RETRIES) + 1
        yield target, Owner(OwnerKind.FUNCTION, name, arn, attempts)


def _of_topics(connection: Connection) -> Iterator[tuple[str, Owner]]:
    sns = connection.client("sns")
    for page in sns.get_paginator("list_subscriptions").paginate():
        for listed in page["Subscriptions"]:
            arn = listed["SubscriptionArn"]
            if not arn.startswith("arn:"):
                continue  # it waits to be confirmed
            attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
            if policy := attributes.get("RedrivePolicy"):
                name = listed["TopicArn"].rpartition(":")[2]
                owner = Owner(OwnerKind.TOPIC, name, arn, endpoint=listed["Endpoint"])
                yield json.loads(policy)["deadLetterTargetArn"], owner


def _pages(operation: Any, member: str, **request: Any) -> Iterator[dict[str, Any]]:
    """Every item of a listing whose pages are joined by NextToken, whether or not botocore has a paginator for it."""
    token: dict[str, str] = {}
    while True:
        page = operation(**request, **token)
        yield from page[member]
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}

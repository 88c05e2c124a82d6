"""A target's settings: whether they are in order, and the messages that they make of events.

Sources: the service model (PutTargets, Target); https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
and eb-rule-dlq.html (retry policy, dead letters).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from fogbank.core.arn import Arn
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.delivery import Message, RetryPolicy
from fogbank.delivery.targets import DELIVERABLE
from fogbank.services.events._destinations.route import ROUTE as DESTINATION
from fogbank.services.events._inputs import MISSING, Input, Occurrence, Path, compile_input
from fogbank.services.events.errors import ValidationError
from fogbank.services.events.model import Rule, Target, target_arn

TARGET = "events.target"
"""The route of messages to other targets: it counts what comes of them."""
FORWARD = "events.forward"
"""The route of messages to event buses: the event goes on as it is, not as a new one."""
ARCHIVE_ARN = "arn:aws:events:{region}:::"
"""The target of an archive's rule, as AWS shows it."""

DEFAULT_POLICY = RetryPolicy()
"""185 retries within 24 hours, with back-off and jitter."""

_NEEDS_ROLE = frozenset({"states", "kinesis", "firehose"})
_NOT_YET = (
    "RunCommandParameters",
    "EcsParameters",
    "BatchParameters",
    "RedshiftDataParameters",
    "SageMakerPipelineParameters",
    "AppSyncParameters",
)
Parameters = Callable[[Occurrence], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class CompiledTarget:
    """What is needed to send an event to a target."""

    arn: str
    route: str
    make: Input
    parameters: Parameters
    policy: RetryPolicy
    dead_letter: str | None
    attributes: Mapping[str, str]

    def message(self, occurrence: Occurrence, scope: Scope, trace: Trace) -> Message:
        """The message that brings an event to the target."""
        return Message(
            target=self.arn,
            payload=self.make(occurrence),
            scope=scope,
            trace=trace,
            route=self.route,
            parameters=self.parameters(occurrence),
            policy=self.policy,
            dead_letter=self.dead_letter,
            dead_letter_attributes=self.attributes,
        )


def is_archive(arn: str) -> bool:
    """Whether a target is the archive behind its rule."""
    return arn.startswith("arn:aws:events:") and arn.endswith(":::")


def is_destination(arn: Arn) -> bool:
    """Whether an ARN names an API destination."""
    return arn.service == "events" and arn.resource.startswith("api-destination/")


def is_bus(arn: Arn) -> bool:
    """Whether an ARN names an event bus."""
    return arn.service == "events" and arn.resource.startswith("event-bus/")


def check_target(rule: Rule, target: Target) -> None:
    """Refuse settings that are not in order, or that Fogbank does not honour yet."""
    arn = target_arn(target.arn)
    if arn is None:
        raise ValidationError(f"Parameter {target.arn} is not valid. Reason: Provided Arn is not in correct format.")
    settings = target.settings
    for name in _NOT_YET:
        if name in settings:
            raise NotImplementedByFogbank(f"Fogbank does not implement {name} of events.PutTargets yet")
    if arn.service not in DELIVERABLE or (arn.service == "events" and not (is_bus(arn) or is_destination(arn))):
        raise NotImplementedByFogbank(
            f"Fogbank does not deliver events to targets like {target.arn} yet; "
            f"it knows those of {', '.join(sorted(DELIVERABLE))}"
        )
    _check_service(rule, target, arn)
    _check_dead_letter(rule, target)
    compile_target(rule, target)


def _check_service(rule: Rule, target: Target, arn: Arn) -> None:
    settings = target.settings
    if (arn.service in _NEEDS_ROLE or is_destination(arn)) and not settings.get("RoleArn"):
        raise ValidationError(f"RoleArn is required for target {target.arn}.")
    if arn.service == "sqs" and arn.resource.endswith(".fifo") and "SqsParameters" not in settings:
        raise ValidationError(f"Parameter(s) SqsParameters must be specified for target: {target.id}.")
    if "SqsParameters" in settings and arn.service != "sqs":
        raise ValidationError(f"Parameter(s) SqsParameters not supported for target: {target.id}.")
    if "HttpParameters" in settings and not is_destination(arn):
        raise ValidationError(f"Parameter(s) HttpParameters not supported for target: {target.id}.")
    if "KinesisParameters" in settings and arn.service != "kinesis":
        raise ValidationError(f"Parameter(s) KinesisParameters not supported for target: {target.id}.")
    if not is_bus(arn):
        return
    if any(settings.get(name) for name in ("Input", "InputPath", "InputTransformer")):
        if arn.account != rule.bus.account:
            raise ValidationError(
                "Input, InputPath and InputTransformer are not available for the event bus of another account "
                f"(target {target.id})."
            )
        raise NotImplementedByFogbank(
            "Fogbank does not implement Input, InputPath and InputTransformer for event bus targets yet"
        )
    if arn == Arn.parse(rule.bus.arn):
        raise ValidationError(f"The event bus of the rule cannot be its target {target.id}.")


def _check_dead_letter(rule: Rule, target: Target) -> None:
    text = (target.settings.get("DeadLetterConfig") or {}).get("Arn")
    if text is None:
        return
    arn = target_arn(text)
    if arn is None or arn.service != "sqs":
        raise ValidationError(f"Parameter {text} is not valid. Reason: Provided Arn is not in correct format.")
    if arn.resource.endswith(".fifo"):
        raise ValidationError(
            f"Parameter {text} is not valid. Reason: A FIFO queue cannot be used as a dead-letter queue."
        )
    if arn.region != rule.bus.region:
        raise ValidationError(
            f"Parameter {text} is not valid. Reason: The dead-letter queue must be in the rule's region."
        )


def compile_target(rule: Rule, target: Target) -> CompiledTarget:
    """What sending to a target takes; `ValidationError` if its input settings are not in order."""
    settings = target.settings
    retry = settings.get("RetryPolicy")
    arn = target_arn(target.arn)
    return CompiledTarget(
        arn=target.arn,
        route=_route(arn),
        make=compile_input(target.id, settings),
        parameters=_parameters(target),
        policy=DEFAULT_POLICY if retry is None else _policy(retry),
        dead_letter=(settings.get("DeadLetterConfig") or {}).get("Arn"),
        attributes={"RULE_ARN": rule.arn, "TARGET_ARN": target.arn},
    )


def _route(arn: Arn | None) -> str:
    if arn is not None and is_bus(arn):
        return FORWARD
    return DESTINATION if arn is not None and is_destination(arn) else TARGET


def _policy(retry: Mapping[str, int]) -> RetryPolicy:
    return RetryPolicy(
        max_retries=retry.get("MaximumRetryAttempts", DEFAULT_POLICY.max_retries),
        max_age=retry.get("MaximumEventAgeInSeconds", DEFAULT_POLICY.max_age),
    )


def _parameters(target: Target) -> Parameters:
    """The members of the target's API call that do not depend on its payload."""
    if ":api-destination/" in target.arn:
        return _http_parameters(target)
    fixed: dict[str, Any] = {}
    group = (target.settings.get("SqsParameters") or {}).get("MessageGroupId")
    if group:
        fixed["MessageGroupId"] = group
    text = (target.settings.get("KinesisParameters") or {}).get("PartitionKeyPath")
    if text is None and ":kinesis:" not in target.arn:
        return lambda _: fixed
    try:
        path = Path.parse(text or "$.id")
    except ValueError as error:
        raise ValidationError(f"PartitionKeyPath for target {target.id} is not a valid JSON path: {error}.") from None

    def with_key(occurrence: Occurrence) -> Mapping[str, Any]:
        key = path.find(occurrence.event)
        return {**fixed, "PartitionKey": occurrence.event["id"] if key is MISSING else str(key)[:256]}

    return with_key


def _http_parameters(target: Target) -> Parameters:
    """HttpParameters: path, headers and query; a value that is a path of the event is replaced by what is there."""
    given = target.settings.get("HttpParameters") or {}
    path = [_value(target, text) for text in given.get("PathParameterValues", ())]
    headers = {name: _value(target, text) for name, text in (given.get("HeaderParameters") or {}).items()}
    query = {name: _value(target, text) for name, text in (given.get("QueryStringParameters") or {}).items()}

    def parameters(occurrence: Occurrence) -> Mapping[str, Any]:
        return {
            "path": [value(occurrence) for value in path],
            "headers": {name: value(occurrence) for name, value in headers.items()},
            "query": {name: value(occurrence) for name, value in query.items()},
        }

    return parameters


def _value(target: Target, text: str) -> Callable[[Occurrence], str]:
    if not text.startswith("$."):
        return lambda _: text
    try:
        path = Path.parse(text)
    except ValueError as error:
        raise ValidationError(f"HttpParameters for target {target.id} hold no valid JSON path: {error}.") from None

    def found(occurrence: Occurrence) -> str:
        value = path.find(occurrence.event)
        if value is MISSING:
            return ""
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    return found

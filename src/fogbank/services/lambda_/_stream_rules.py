"""The settings of a mapping that reads a stream of a table, with AWS's words. Pure functions.

Source: the API reference of CreateEventSourceMapping; errors and defaults as the LocalStack project recorded them on
AWS (event_source_mapping/test_api, test_lambda_integration_dynamodbstreams).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.lambda_.errors import InvalidParameterValueError

LATEST = "LATEST"
_DEFAULTS: Mapping[str, Any] = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "BisectBatchOnFunctionError": False,
    "MaximumRetryAttempts": -1,
    "MaximumRecordAgeInSeconds": -1,
    "TumblingWindowInSeconds": 0,
    "DestinationConfig": {"OnFailure": {}},
}
_KEPT = (*_DEFAULTS, "StartingPosition", "FunctionResponseTypes", "FilterCriteria")
_OTHERS = (
    "ScalingConfig",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "SelfManagedEventSource",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
)


def table_arn(stream: Arn) -> str:
    """The ARN of the table that a stream belongs to."""
    return str(stream).partition("/stream/")[0]


def stream_settings(given: Mapping[str, Any], before: Mapping[str, Any], source: Arn) -> dict[str, Any]:
    """The settings of a Create (`before` is empty) or Update, checked and with their defaults."""
    for name in _OTHERS:
        if name in given:
            raise InvalidParameterValueError(f"Unsupported {name} parameter for given event source mapping type.")
    _check_position(given, before, source)
    for name in ("ParallelizationFactor", "TumblingWindowInSeconds"):
        if given.get(name, _DEFAULTS[name]) != _DEFAULTS[name]:
            raise NotImplementedByFogbank(f"Fogbank does not implement the {name} of a mapping yet")
    settings = {**_DEFAULTS, **before, **{name: given[name] for name in _KEPT if name in given}}
    age = settings["MaximumRecordAgeInSeconds"]
    if -1 < age < 60:
        raise InvalidParameterValueError("MaximumRecordAgeInSeconds must be -1 or between 60 and 604800 (inclusive)")
    _check_destination(settings["DestinationConfig"])
    return settings


def _check_position(given: Mapping[str, Any], before: Mapping[str, Any], source: Arn) -> None:
    if before:
        return
    position = given.get("StartingPosition")
    if position is None:
        raise InvalidParameterValueError(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    if position == "AT_TIMESTAMP":
        raise InvalidParameterValueError(f"Unsupported starting position for arn type: {source}")
    if "StartingPositionTimestamp" in given:
        raise InvalidParameterValueError("Timestamp only valid with StartingPosition AT_TIMESTAMP")


def _check_destination(config: Mapping[str, Any]) -> None:
    if config.get("OnSuccess", {}).get("Destination"):
        raise InvalidParameterValueError("Unsupported DestinationConfig parameter for given event source mapping type.")
    destination = config.get("OnFailure", {}).get("Destination")
    if not destination:
        return
    try:
        service = Arn.parse(destination).service
    except MalformedArnError:
        service = ""
    if service in ("s3", "kafka"):
        raise NotImplementedByFogbank(f"Fogbank does not implement {service} destinations of a mapping yet")
    if service not in ("sqs", "sns"):
        raise InvalidParameterValueError(f"The destination ARN {destination} is invalid.")

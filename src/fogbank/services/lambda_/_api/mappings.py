"""Event source mappings: queues and streams of tables whose messages and records a function gets.

    Creating ──▶ Enabled ◀──Enabling── Disabled        (answers of the operations show the state on the way,
                    └──Disabling──▶ Disabled             the next Get the one at its end; Deleting ends in none)

Other sources come later and are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.call import Call, Reply
from fogbank.core.errors import ApiError, NotImplementedByFogbank, ValidationError
from fogbank.core.patterns import InvalidPatternError, TooComplexError, compile_pattern
from fogbank.services.lambda_ import _rules
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import LambdaBase, marker_of, need_version, next_marker
from fogbank.services.lambda_._names import FunctionRef, parse_function
from fogbank.services.lambda_._stream_rules import LATEST, stream_settings
from fogbank.services.lambda_.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    ResourceConflictError,
    ResourceNotFoundError,
)
from fogbank.services.lambda_.model import DEFAULT_TIMEOUT, Version
from fogbank.services.lambda_.storage import Checkpoint, SourceMapping
from fogbank.services.lambda_.worker import Pollers, queue_url
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateEventSourceMappingRequestTypeDef,
        DeleteEventSourceMappingRequestTypeDef,
        GetEventSourceMappingRequestTypeDef,
        ListEventSourceMappingsRequestTypeDef,
        UpdateEventSourceMappingRequestTypeDef,
    )

_PAGE = 100
_STREAMS_ONLY = (
    "ParallelizationFactor",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "TumblingWindowInSeconds",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "SelfManagedEventSource",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "DestinationConfig",
)
_ABSENT = ("ProvisionedPollerConfig", "MetricsConfig", "LoggingConfig", "KMSKeyArn")
_KEPT = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FunctionResponseTypes",
    "FilterCriteria",
    "ScalingConfig",
)
_OTHER_SOURCES = {
    "kinesis": "Kinesis streams",
    "kafka": "Kafka clusters",
    "mq": "Amazon MQ brokers",
    "rds": "DocumentDB clusters",
}
MAX_FILTERS = 5


class Mappings(LambdaBase):
    """The operations on event source mappings."""

    _pollers: Pollers

    async def create_event_source_mapping(self, call: Call, request: CreateEventSourceMappingRequestTypeDef) -> Reply:
        """CreateEventSourceMapping."""
        given: Mapping[str, Any] = request
        source = _source(given)
        ref = parse_function(call.scope, request["FunctionName"])
        settings = _settings(given, {}, source)
        _rules.check_tags(given.get("Tags", {}), by_service=bool(call.principal.service))
        version = await self.kit.storage.read(lambda tx: _need(tx, ref))
        checkpoint = await self._check_source(call, source, version, settings)
        made = SourceMapping(
            uuid=self.kit.ids.uuid(),
            function=ref,
            source=str(source),
            enabled=given.get("Enabled", True),
            settings=settings,
            tags=given.get("Tags", {}),
            modified=self.kit.clock.millis(),
        )

        async def body(tx: Tx) -> None:
            await _need(tx, ref)
            known = await rows.same_mapping(tx, made.source, ref)
            if known is not None:
                raise ResourceConflictError(
                    f'The event source arn (" {made.source} ") and function (" {ref.name} ") provided mapping '
                    f"already exists. Please update or delete the existing mapping with UUID {known.uuid}"
                )
            await rows.put_mapping(tx, made)
            if checkpoint is not None:
                await rows.put_checkpoint(tx, made.uuid, checkpoint)
            tx.after_commit(lambda: self._pollers.apply(made))

        await self.kit.storage.transact(body)
        return _shown(made, checkpoint or Checkpoint(), "Creating")

    async def _check_source(
        self, call: Call, source: Arn, version: Version, settings: dict[str, Any]
    ) -> Checkpoint | None:
        """The source must be there; where a stream's reading begins. Notes since when, if only the latest is wanted."""
        if source.service == "sqs":
            await self._check_queue(call, source, version)
            return None
        try:
            described = await self._stream(call, source, "DescribeStream")
        except ApiError as error:
            raise InvalidParameterValueError(f"Stream not found: {source}") from error
        iterator = ""
        if settings["StartingPosition"] == LATEST:
            settings["Since"] = float(int(self.kit.clock.time()))
            shard = described["StreamDescription"]["Shards"][0]["ShardId"]
            found = await self._stream(call, source, "GetShardIterator", ShardId=shard, ShardIteratorType=LATEST)
            iterator = found["ShardIterator"]
        return Checkpoint(iterator=iterator, result="No records processed")

    async def _stream(self, call: Call, source: Arn, operation: str, **more: Any) -> Reply:
        request = {"StreamArn": str(source), **more}
        return await self.kit.cloud.call(source.scope, "dynamodbstreams", operation, request, trace=call.trace)

    async def _check_queue(self, call: Call, source: Arn, version: Version) -> None:
        """The queue must be there, and keep messages from others for as long as the function may take."""
        request = {"QueueUrl": queue_url(source), "AttributeNames": ["VisibilityTimeout"]}
        try:
            reply = await self.kit.cloud.call(source.scope, "sqs", "GetQueueAttributes", request, trace=call.trace)
        except NotImplementedByFogbank:
            raise
        except ApiError as error:
            raise InvalidParameterValueError(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
                f"SQS Error Message: {error.message}"
            ) from error
        visibility = int(reply["Attributes"]["VisibilityTimeout"])
        timeout = version.config.get("Timeout", DEFAULT_TIMEOUT)
        if visibility < timeout:
            raise InvalidParameterValueError(
                f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds"
            )

    async def update_event_source_mapping(self, call: Call, request: UpdateEventSourceMappingRequestTypeDef) -> Reply:
        """UpdateEventSourceMapping."""
        given: Mapping[str, Any] = request
        ref = parse_function(call.scope, given["FunctionName"]) if given.get("FunctionName") else None
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> tuple[SourceMapping, SourceMapping, Checkpoint]:
            known = await _need_mapping(tx, call, given["UUID"])
            if ref is not None:
                await _need(tx, ref)
            settings = _settings(given, known.settings, Arn.parse(known.source))
            changed = replace(
                known,
                function=ref or known.function,
                enabled=given.get("Enabled", known.enabled),
                settings=settings,
                modified=now,
            )
            await rows.put_mapping(tx, changed)
            tx.after_commit(lambda: self._pollers.apply(changed))
            return known, changed, await rows.find_checkpoint(tx, known.uuid)

        known, changed, checkpoint = await self.kit.storage.transact(body)
        state = "Updating"
        if known.enabled != changed.enabled:
            state = "Enabling" if changed.enabled else "Disabling"
        return _shown(changed, checkpoint, state)

    async def get_event_source_mapping(self, call: Call, request: GetEventSourceMappingRequestTypeDef) -> Reply:
        """GetEventSourceMapping."""

        async def body(tx: Tx) -> Reply:
            found = await _need_mapping(tx, call, request["UUID"])
            return _shown(found, await rows.find_checkpoint(tx, found.uuid))

        return await self.kit.storage.read(body)

    async def list_event_source_mappings(self, call: Call, request: ListEventSourceMappingsRequestTypeDef) -> Reply:
        """ListEventSourceMappings: all, or those of a source or a function."""
        given: Mapping[str, Any] = request
        limit = min(given.get("MaxItems", _PAGE), _PAGE)
        after = marker_of(given.get("Marker"), str, "")
        ref = parse_function(call.scope, given["FunctionName"]) if given.get("FunctionName") else None

        async def body(tx: Tx) -> list[tuple[SourceMapping, Checkpoint]]:
            found = await rows.list_mappings(
                tx,
                call.scope,
                source=given.get("EventSourceArn", ""),
                name=ref.name if ref else "",
                qualifier=(ref.qualifier or "") if ref else "",
                after=after,
                limit=limit + 1,
            )
            return [(mapping, await rows.find_checkpoint(tx, mapping.uuid)) for mapping in found]

        found = await self.kit.storage.read(body)
        page = found[:limit]
        return {
            "EventSourceMappings": [_shown(mapping, checkpoint) for mapping, checkpoint in page],
            "NextMarker": next_marker(page[-1][0].uuid if page else "", more=len(found) > limit),
        }

    async def delete_event_source_mapping(self, call: Call, request: DeleteEventSourceMappingRequestTypeDef) -> Reply:
        """DeleteEventSourceMapping."""

        async def body(tx: Tx) -> Reply:
            found = await _need_mapping(tx, call, request["UUID"])
            shown = _shown(found, await rows.find_checkpoint(tx, found.uuid), "Deleting")
            await rows.delete_mapping(tx, found.uuid)
            tx.after_commit(lambda: self._pollers.drop(found.uuid))
            return shown

        return await self.kit.storage.transact(body)


async def _need(tx: Tx, ref: FunctionRef) -> Version:
    try:
        return await need_version(tx, ref)
    except FunctionNotFoundError:
        raise InvalidParameterValueError("Function does not exist") from None


async def _need_mapping(tx: Tx, call: Call, uuid: str) -> SourceMapping:
    found = await rows.find_mapping(tx, call.scope, uuid)
    if found is None:
        raise ResourceNotFoundError("The resource you requested does not exist.")
    return found


def _source(given: Mapping[str, Any]) -> Arn:
    if given.get("SelfManagedEventSource"):
        raise NotImplementedByFogbank("Fogbank does not poll self-managed Kafka clusters yet")
    try:
        source = Arn.parse(given.get("EventSourceArn", ""))
    except MalformedArnError:
        raise InvalidParameterValueError("Unrecognized event source.") from None
    if source.service in _OTHER_SOURCES:
        raise NotImplementedByFogbank(f"Fogbank does not poll {_OTHER_SOURCES[source.service]} yet")
    if source.service == "dynamodb" and "/stream/" in source.resource:
        return source
    if source.service != "sqs":
        raise InvalidParameterValueError(
            f"Unrecognized event source, must be kinesis, dynamodb stream or sqs. Unsupported source arn {source}"
        )
    return source


def _settings(given: Mapping[str, Any], before: Mapping[str, Any], source: Arn) -> dict[str, Any]:
    """The settings of a mapping, checked."""
    for name in _ABSENT:
        if given.get(name):
            raise NotImplementedByFogbank(f"Fogbank does not implement the {name} of a mapping yet")
    if source.service == "dynamodb":
        settings = stream_settings(given, before, source)
        _check_filters(settings)
        return settings
    if "StartingPosition" in given or "StartingPositionTimestamp" in given:
        raise InvalidParameterValueError("StartingPosition is not valid for SQS event sources.")
    for name in _STREAMS_ONLY:
        if name in given:
            raise InvalidParameterValueError(f"Unsupported {name} parameter for given event source mapping type.")
    settings = {**before, **{name: given[name] for name in _KEPT if name in given}}
    batch = settings.setdefault("BatchSize", 10)
    window = settings.setdefault("MaximumBatchingWindowInSeconds", 0)
    if source.resource.endswith(".fifo"):
        if batch > 10:
            raise InvalidParameterValueError("BatchSize for FIFO queue must be less than or equal to 10")
        if window:
            raise InvalidParameterValueError("Batching window is not supported for FIFO queues")
    if batch > 10 and window < 1:
        raise InvalidParameterValueError(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        )
    if not settings.get("ScalingConfig", {}).get("MaximumConcurrency"):
        settings.pop("ScalingConfig", None)
    _check_filters(settings)
    return settings


def _check_filters(settings: dict[str, Any]) -> None:
    filters = settings.get("FilterCriteria", {}).get("Filters", [])
    if not filters:
        settings.pop("FilterCriteria", None)
        return
    if len(filters) > MAX_FILTERS:
        raise ValidationError(
            f"1 validation error detected: Value '{filters}' at 'filterCriteria.filters' failed to satisfy "
            f"constraint: Member must have length less than or equal to {MAX_FILTERS}"
        )
    for one in filters:
        try:
            compile_pattern(one.get("Pattern", ""))
        except (InvalidPatternError, TooComplexError):
            raise InvalidParameterValueError("Invalid filter pattern definition.") from None


def _shown(mapping: SourceMapping, checkpoint: Checkpoint, state: str | None = None) -> dict[str, Any]:
    """EventSourceMappingConfiguration."""
    stream = "StartingPosition" in mapping.settings
    shown: dict[str, Any] = {
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping.arn,
        "EventSourceArn": mapping.source,
        "FunctionArn": mapping.function.qualified_arn,
        "LastModified": mapping.modified / 1000,
        "State": state or ("Enabled" if mapping.enabled else "Disabled"),
        "StateTransitionReason": "User action" if stream else "USER_INITIATED",
        "FunctionResponseTypes": [],
        **mapping.settings,
    }
    shown.pop("Since", None)
    if stream:
        shown["LastProcessingResult"] = checkpoint.result
    return shown

"""Invoke, and the settings of asynchronous invocation."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.call import Call, Reply
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.delivery import Message
from fogbank.runtime import Event, Outcome
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import (
    LambdaBase,
    marker_of,
    need_version,
    next_marker,
)
from fogbank.services.lambda_._async import Progress
from fogbank.services.lambda_._metrics import OutcomeRoute
from fogbank.services.lambda_._names import LATEST, FunctionRef, parse_function
from fogbank.services.lambda_._running import (
    ASYNC_POLICY,
    ASYNC_ROUTE,
    DEAD_LETTER_ROUTE,
    DESTINATION_ROUTE,
    AsyncRoute,
    Runner,
)
from fogbank.services.lambda_._targets import Target
from fogbank.services.lambda_.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    InvalidRequestContentError,
    RequestTooLargeError,
    ResourceNotFoundError,
)
from fogbank.services.lambda_.storage import AsyncSettings
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteFunctionEventInvokeConfigRequestTypeDef,
        GetFunctionEventInvokeConfigRequestTypeDef,
        InvocationRequestTypeDef,
        InvokeAsyncRequestTypeDef,
        ListFunctionEventInvokeConfigsRequestTypeDef,
        PutFunctionEventInvokeConfigRequestTypeDef,
        UpdateFunctionEventInvokeConfigRequestTypeDef,
    )

    from fogbank.services.kit import Kit

MAX_SYNC = 6 * 1024 * 1024
MAX_ASYNC = 1024 * 1024
MAX_ASYNC_OLD = 256 * 1024
MAX_CLIENT_CONTEXT = 3583
_check_json = msgspec.json.Decoder(msgspec.Raw).decode
_PAGE = 50
_NO_FUNCTION = "The function doesn't exist."
_DESTINATIONS = frozenset({"sqs", "sns", "lambda", "events"})


class Invocation(LambdaBase):
    """The operations that run functions."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._runner = Runner(kit, self._targets, self._concurrency)
        self._async = AsyncRoute(kit, self._runner)
        kit.delivery.route(ASYNC_ROUTE, self._async)
        counts = self._runner.counts
        kit.delivery.route(DESTINATION_ROUTE, OutcomeRoute(kit, counts, "DestinationDeliveryFailures"))
        kit.delivery.route(DEAD_LETTER_ROUTE, OutcomeRoute(kit, counts, "DeadLetterErrors"))

    async def invoke(self, call: Call, request: InvocationRequestTypeDef) -> Reply:
        """Invoke."""
        given: Mapping[str, Any] = request
        if given.get("DurableExecutionName") or given.get("TenantId"):
            raise NotImplementedByFogbank(
                "Fogbank does not implement the DurableExecutionName and TenantId of Invoke yet"
            )
        ref = parse_function(call.scope, request["FunctionName"], given.get("Qualifier"))
        kind = given.get("InvocationType", "RequestResponse")
        payload: bytes = given.get("Payload") or b"{}"
        most = MAX_ASYNC if kind == "Event" else MAX_SYNC
        if len(payload) > most:
            raise RequestTooLargeError(
                f"{len(payload)} byte payload is too large for the {kind} invocation type (limit {most} bytes)"
            )
        resolution = self._targets.cached(ref) or await self._targets.find(ref)
        target = resolution.pick(self.kit.ids.fraction() if resolution.alias else 0.0)
        if kind == "DryRun":
            return {"StatusCode": 204}
        check_payload(payload)
        context = client_context(given.get("ClientContext"))
        if kind == "Event":
            await self._accept(call, ref, payload, context)
            return {"StatusCode": 202, "Payload": b""}
        event = Event(
            request_id=call.request_id,
            payload=payload,
            function_arn=ref.qualified_arn,
            trace=call.trace.header,
            client_context=context,
            tail=given.get("LogType") == "Tail",
        )
        outcome = await self._runner.run(target, event)
        return _reply(target, outcome, event)

    async def invoke_async(self, call: Call, request: InvokeAsyncRequestTypeDef) -> Reply:
        """InvokeAsync, the older form of an asynchronous invocation."""
        given: Mapping[str, Any] = request
        ref = parse_function(call.scope, request["FunctionName"])
        payload: bytes = given["InvokeArgs"] or b"{}"
        if len(payload) > MAX_ASYNC_OLD:
            raise RequestTooLargeError(
                f"{len(payload)} byte payload is too large for the Event invocation type (limit {MAX_ASYNC_OLD} bytes)"
            )
        await self._targets.find(ref)
        check_payload(payload)
        await self._accept(call, ref, payload, None)
        return {"Status": 202}

    async def _accept(self, call: Call, ref: FunctionRef, payload: bytes, context: str | None) -> None:
        """Put an event into the outbox; it is safe when this returns."""
        progress = Progress(call.request_id, self.kit.clock.time(), client_context=context)
        message = Message(
            target=ref.qualified_arn,
            payload=payload,
            scope=call.scope,
            trace=call.trace,
            route=ASYNC_ROUTE,
            source="lambda.amazonaws.com",
            parameters=progress.pack(),
            policy=ASYNC_POLICY,
        )
        await self.kit.storage.transact(lambda tx: self.kit.delivery.enqueue(tx, message))
        self._runner.counts.accepted(call.scope, ref.name)

    # -- settings of asynchronous invocation ----------------------------------------------------------------

    async def put_function_event_invoke_config(
        self, call: Call, request: PutFunctionEventInvokeConfigRequestTypeDef
    ) -> Reply:
        """PutFunctionEventInvokeConfig: replaces what there was."""
        return await self._configure(call, request, merge=False)

    async def update_function_event_invoke_config(
        self, call: Call, request: UpdateFunctionEventInvokeConfigRequestTypeDef
    ) -> Reply:
        """UpdateFunctionEventInvokeConfig: changes what is given."""
        return await self._configure(call, request, merge=True)

    async def _configure(self, call: Call, given: Mapping[str, Any], *, merge: bool) -> Reply:
        ref = parse_function(call.scope, given["FunctionName"], given.get("Qualifier"))
        qualifier = ref.qualifier or LATEST
        names = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
        changes = {name: given[name] for name in names if name in given}
        if not changes:
            raise InvalidParameterValueError("You must specify at least one of error handling or destination setting.")
        _check_destinations(changes.get("DestinationConfig", {}), ref)
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> AsyncSettings:
            await _need(tx, ref, changes.get("DestinationConfig", {}))
            known = await rows.find_async(tx, ref, qualifier)
            if merge and known is None:
                raise _no_settings(ref)
            before = known.settings if merge and known is not None else {}
            settings = AsyncSettings(qualifier, {**before, **changes}, now)
            await rows.put_async(tx, ref, settings)
            return settings

        return _shown(ref, await self.kit.storage.transact(body))

    async def get_function_event_invoke_config(
        self, call: Call, request: GetFunctionEventInvokeConfigRequestTypeDef
    ) -> Reply:
        """GetFunctionEventInvokeConfig."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))

        async def body(tx: Tx) -> AsyncSettings | None:
            return await rows.find_async(tx, ref, ref.qualifier or LATEST)

        found = await self.kit.storage.read(body)
        if found is None:
            raise _no_settings(ref)
        return _shown(ref, found)

    async def list_function_event_invoke_configs(
        self, call: Call, request: ListFunctionEventInvokeConfigsRequestTypeDef
    ) -> Reply:
        """ListFunctionEventInvokeConfigs."""
        ref = parse_function(call.scope, request["FunctionName"])
        limit = min(request.get("MaxItems", _PAGE), _PAGE)
        after = marker_of(request.get("Marker"), str, "")

        async def body(tx: Tx) -> list[AsyncSettings]:
            if await rows.find_function(tx, ref) is None:
                raise ResourceNotFoundError(_NO_FUNCTION)
            return await rows.list_async(tx, ref, after=after, limit=limit + 1)

        found = await self.kit.storage.read(body)
        page = found[:limit]
        return {
            "FunctionEventInvokeConfigs": [_shown(ref, settings) for settings in page],
            "NextMarker": next_marker(page[-1].qualifier if page else "", more=len(found) > limit),
        }

    async def delete_function_event_invoke_config(
        self, call: Call, request: DeleteFunctionEventInvokeConfigRequestTypeDef
    ) -> Reply:
        """DeleteFunctionEventInvokeConfig."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))
        if not await self.kit.storage.transact(lambda tx: rows.delete_async(tx, ref, ref.qualifier or LATEST)):
            raise _no_settings(ref)
        return {}


async def _need(tx: Tx, ref: FunctionRef, config: Mapping[str, Any]) -> None:
    """The function must be there, and so must functions that are destinations."""
    if not await _exists(tx, ref):
        raise ResourceNotFoundError(_NO_FUNCTION)
    for side in config.values():
        destination = side.get("Destination") or ""
        if ":function:" in destination and not await _exists(tx, parse_function(ref.scope, destination)):
            raise InvalidParameterValueError(f"The destination ARN {destination} is invalid.")


async def _exists(tx: Tx, ref: FunctionRef) -> bool:
    try:
        await need_version(tx, ref)
    except FunctionNotFoundError:
        return False
    return True


def check_payload(payload: bytes) -> None:
    """An event must be JSON; `InvalidRequestContentError` if it is not."""
    try:
        _check_json(payload)
    except msgspec.DecodeError as error:
        raise InvalidRequestContentError(
            f"Could not parse request body into json: Could not parse payload into json: {error}"
        ) from None


def client_context(text: str | None) -> str | None:
    """The client context, decoded; `InvalidRequestContentError` if it is no JSON object in base64."""
    if not text:
        return None
    if len(text) > MAX_CLIENT_CONTEXT:
        raise InvalidRequestContentError(
            f"Client context must be no more than {MAX_CLIENT_CONTEXT} bytes when base64-encoded."
        )
    try:
        decoded = base64.b64decode(text, validate=True)
        if not isinstance(msgspec.json.decode(decoded), dict):
            raise InvalidRequestContentError("Client context must be a valid Base64-encoded JSON object.")
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise InvalidRequestContentError("Client context must be a valid Base64-encoded JSON object.") from None
    return decoded.decode()


def _reply(target: Target, outcome: Outcome, event: Event) -> Reply:
    reply: Reply = {"StatusCode": 200, "Payload": outcome.payload, "ExecutedVersion": target.executed}
    if outcome.error is not None:
        reply["FunctionError"] = outcome.error
    if event.tail:
        reply["LogResult"] = base64.b64encode(outcome.log).decode()
    return reply


def _no_settings(ref: FunctionRef) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"The function {ref.arn}:{ref.qualifier or LATEST} doesn't have an EventInvokeConfig")


def _shown(ref: FunctionRef, found: AsyncSettings) -> dict[str, Any]:
    return {
        "LastModified": found.modified / 1000,
        "FunctionArn": f"{ref.arn}:{found.qualifier}",
        **found.settings,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}, **found.settings.get("DestinationConfig", {})},
    }


def _check_destinations(config: Mapping[str, Any], ref: FunctionRef) -> None:
    for side in ("OnSuccess", "OnFailure"):
        destination = config.get(side, {}).get("Destination")
        if not destination:
            continue
        try:
            arn = Arn.parse(destination)
        except MalformedArnError:
            raise _bad_destination(config) from None
        if arn.service == "s3":
            raise NotImplementedByFogbank("Fogbank does not implement S3 destinations of Lambda yet")
        if arn.service not in _DESTINATIONS:
            raise _bad_destination(config)
        if arn.service == "lambda" and parse_function(ref.scope, destination).name == ref.name:
            raise InvalidParameterValueError("You can't specify the function as a destination for itself.")
        if arn.service in ("sqs", "sns") and arn.resource.endswith(".fifo"):
            raise InvalidParameterValueError(
                f"The destination ARN {destination} is invalid: FIFO queues and topics are not supported."
            )


def _bad_destination(config: Mapping[str, Any]) -> InvalidParameterValueError:
    success = config.get("OnSuccess", {}).get("Destination")
    failure = config.get("OnFailure", {}).get("Destination")
    return InvalidParameterValueError(
        "The provided destination config DestinationConfig("
        f"onSuccess={f'OnSuccess(destination={success})' if success else 'null'}, "
        f"onFailure={f'OnFailure(destination={failure})' if failure else 'null'}) is invalid."
    )

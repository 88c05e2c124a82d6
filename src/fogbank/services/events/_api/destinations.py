"""API destinations: HTTP endpoints that rules send events to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn
from fogbank.services.events._api.connections import ConnectionOperations, check_endpoint
from fogbank.services.events._api.operations import Page
from fogbank.services.events._destinations import storage as rows
from fogbank.services.events._destinations.model import AUTHORIZED, DEFAULT_RATE, MAX_DESTINATIONS, Destination
from fogbank.services.events.errors import LimitExceededError, ResourceAlreadyExistsError, ResourceNotFoundError

if TYPE_CHECKING:
    from types_boto3_events.type_defs import (
        CreateApiDestinationRequestTypeDef,
        DeleteApiDestinationRequestTypeDef,
        DescribeApiDestinationRequestTypeDef,
        ListApiDestinationsRequestTypeDef,
        UpdateApiDestinationRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class DestinationOperations(ConnectionOperations):
    """Create, describe, list, update and delete API destinations."""

    async def create_api_destination(self, call: Call, request: CreateApiDestinationRequestTypeDef) -> Reply:
        """Name an endpoint, with the connection that it is called with."""
        check_endpoint(request["InvocationEndpoint"], "InvocationEndpoint")
        now = self._clock.millis()
        made = Destination(
            *(call.scope, request["Name"], self._ids.uuid(), request.get("Description"), request["ConnectionArn"]),
            *(request["InvocationEndpoint"], request["HttpMethod"]),
            *(request.get("InvocationRateLimitPerSecond", DEFAULT_RATE), now, now),
        )

        async def body(tx: Tx) -> Reply:
            if await rows.get_destination(tx, call.scope, made.name) is not None:
                raise ResourceAlreadyExistsError(f"An api-destination '{made.name}' already exists.")
            if await rows.count_destinations(tx, call.scope) >= MAX_DESTINATIONS:
                raise LimitExceededError
            await self._need_connection(tx, made.connection)
            await rows.put_destination(tx, made)
            return await self._summary(tx, made)

        return await self._storage.transact(body)

    async def update_api_destination(self, call: Call, request: UpdateApiDestinationRequestTypeDef) -> Reply:
        """Change an API destination: what is left out stays."""
        given: Mapping[str, Any] = request
        if "InvocationEndpoint" in given:
            check_endpoint(given["InvocationEndpoint"], "InvocationEndpoint")
        now = self._clock.millis()

        async def body(tx: Tx) -> Reply:
            before = await self._destination(tx, call, given["Name"])
            after = replace(
                before,
                description=given.get("Description", before.description),
                connection=given.get("ConnectionArn", before.connection),
                endpoint=given.get("InvocationEndpoint", before.endpoint),
                method=given.get("HttpMethod", before.method),
                rate=given.get("InvocationRateLimitPerSecond", before.rate),
                modified=now,
            )
            await self._need_connection(tx, after.connection)
            await rows.put_destination(tx, after)
            return await self._summary(tx, after)

        return await self._storage.transact(body)

    async def describe_api_destination(self, call: Call, request: DescribeApiDestinationRequestTypeDef) -> Reply:
        """Describe one API destination."""

        async def body(tx: Tx) -> Reply:
            found = await self._destination(tx, call, request["Name"])
            return await self._summary(tx, found) | _document(found) | {"Description": found.description}

        return await self._storage.read(body)

    async def list_api_destinations(self, call: Call, request: ListApiDestinationsRequestTypeDef) -> Reply:
        """List API destinations by name, of a connection if one is given."""
        page = Page(request.get("NextToken"), request.get("Limit"), request.get("NamePrefix"))
        connection = request.get("ConnectionArn", "")

        async def body(tx: Tx) -> Reply:
            found = await rows.list_destinations(
                tx, call.scope, start=page.start, connection=connection, limit=page.limit + 1
            )
            destinations, token = page.cut(found, [destination.name for destination in found])
            documents = [await self._summary(tx, d) | _document(d) for d in destinations]
            return {"ApiDestinations": documents, "NextToken": token}

        return await self._storage.read(body)

    async def delete_api_destination(self, call: Call, request: DeleteApiDestinationRequestTypeDef) -> Reply:
        """Delete an API destination; rules that still have it as a target fail to deliver to it."""

        async def body(tx: Tx) -> None:
            found = await self._destination(tx, call, request["Name"])
            await rows.delete_destination(tx, call.scope, found.name)

        await self._storage.transact(body)
        return {}

    @staticmethod
    async def _destination(tx: Tx, call: Call, name: str) -> Destination:
        """An API destination that must be there."""
        found = await rows.get_destination(tx, call.scope, name)
        if found is None:
            raise ResourceNotFoundError(
                f"Failed to describe the api-destination(s). An api-destination '{name}' does not exist."
            )
        return found

    @staticmethod
    async def _state(tx: Tx, arn: str) -> str | None:
        """The state of the connection of an ARN; `None` if there is no such connection."""
        parsed = Arn.parse(arn)
        name = parsed.resource.removeprefix("connection/").partition("/")[0]
        found = await rows.get_connection(tx, parsed.scope, name)
        return found.state if found is not None and found.arn == arn else None

    async def _need_connection(self, tx: Tx, arn: str) -> None:
        if await self._state(tx, arn) is None:
            raise ResourceNotFoundError(f"Connection '{arn}' does not exist.")

    async def _summary(self, tx: Tx, destination: Destination) -> Reply:
        active = await self._state(tx, destination.connection) == AUTHORIZED
        return {
            "ApiDestinationArn": destination.arn,
            "ApiDestinationState": "ACTIVE" if active else "INACTIVE",
            "CreationTime": destination.created / 1000,
            "LastModifiedTime": destination.modified / 1000,
        }


def _document(destination: Destination) -> Reply:
    return {
        "Name": destination.name,
        "ConnectionArn": destination.connection,
        "InvocationEndpoint": destination.endpoint,
        "HttpMethod": destination.method,
        "InvocationRateLimitPerSecond": destination.rate,
    }

"""Connections: the credentials of HTTP endpoints. What is secret in them is never answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.http.client import check_url
from fogbank.services.events._api.operations import Operations, Page, refuse_parameters
from fogbank.services.events._destinations import storage as rows
from fogbank.services.events._destinations.model import (
    AUTHORIZED,
    AUTHORIZING,
    DEAUTHORIZED,
    MAX_CONNECTIONS,
    OAUTH,
    PARAMETERS,
    Connection,
    merged,
    missing,
    shown,
)
from fogbank.services.events._destinations.tokens import Keeper
from fogbank.services.events.errors import (
    LimitExceededError,
    ResourceAlreadyExistsError,
    ResourceNotFoundError,
    ValidationError,
)
from fogbank.services.kit import Kit

if TYPE_CHECKING:
    from types_boto3_events.type_defs import (
        CreateConnectionRequestTypeDef,
        DeauthorizeConnectionRequestTypeDef,
        DeleteConnectionRequestTypeDef,
        DescribeConnectionRequestTypeDef,
        ListConnectionsRequestTypeDef,
        UpdateConnectionRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_NOT_YET = ("InvocationConnectivityParameters", "KmsKeyIdentifier")


class ConnectionOperations(Operations):
    """Create, describe, list, update, deauthorize and delete connections."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._keeper = Keeper(kit.storage, kit.clock)

    async def create_connection(self, call: Call, request: CreateConnectionRequestTypeDef) -> Reply:
        """Keep credentials. Those of OAuth are tried at once, after the answer."""
        refuse_parameters(call, _NOT_YET, request)
        given: Mapping[str, Any] = request
        kind, now = given["AuthorizationType"], self._clock.millis()
        auth = _auth({}, given["AuthParameters"], kind)
        made = Connection(
            *(call.scope, given["Name"], self._ids.uuid(), given.get("Description"), kind, auth),
            *(_first_state(kind), None, now, now, now if kind != OAUTH else None),
        )

        async def body(tx: Tx) -> None:
            if await rows.get_connection(tx, call.scope, made.name) is not None:
                raise ResourceAlreadyExistsError(f"Connection {made.name} already exists.")
            if await rows.count_connections(tx, call.scope) >= MAX_CONNECTIONS:
                raise LimitExceededError
            await rows.put_connection(tx, made)

        await self._storage.transact(body)
        self._authorize(made)
        return _answer(made, authorized=False)

    def _authorize(self, connection: Connection) -> None:
        if connection.state == AUTHORIZING:
            self.spawn(self._keeper.authorize(connection))

    async def update_connection(self, call: Call, request: UpdateConnectionRequestTypeDef) -> Reply:
        """Change a connection: what is left out stays."""
        refuse_parameters(call, _NOT_YET, request)
        given: Mapping[str, Any] = request
        now = self._clock.millis()

        async def body(tx: Tx) -> Connection:
            before = await self._connection(tx, call, given["Name"])
            kind = given.get("AuthorizationType", before.kind)
            auth = _auth(before.auth, given.get("AuthParameters", {}), kind)
            after = replace(
                before,
                description=given.get("Description", before.description),
                kind=kind,
                auth=auth,
                state=_first_state(kind),
                reason=None,
                modified=now,
                authorized=before.authorized if kind == OAUTH else now,
            )
            await rows.put_connection(tx, after)
            return after

        connection = await self._storage.transact(body)
        self._keeper.forget(connection.arn)
        self._authorize(connection)
        return _answer(connection)

    async def describe_connection(self, call: Call, request: DescribeConnectionRequestTypeDef) -> Reply:
        """Describe one, without its secrets."""
        connection = await self._storage.read(lambda tx: self._connection(tx, call, request["Name"]))
        return _answer(connection) | {
            "Name": connection.name,
            "Description": connection.description,
            "StateReason": connection.reason,
            "AuthorizationType": connection.kind,
            "SecretArn": connection.secret_arn,
            "AuthParameters": shown(connection.auth),
        }

    async def list_connections(self, call: Call, request: ListConnectionsRequestTypeDef) -> Reply:
        """List connections by name, of a state if one is given."""
        page = Page(request.get("NextToken"), request.get("Limit"), request.get("NamePrefix"))
        state = request.get("ConnectionState", "")
        found = await self._storage.read(
            lambda tx: rows.list_connections(tx, call.scope, start=page.start, state=state, limit=page.limit + 1)
        )
        connections, token = page.cut(found, [connection.name for connection in found])
        documents = [
            _answer(c) | {"Name": c.name, "StateReason": c.reason, "AuthorizationType": c.kind} for c in connections
        ]
        return {"Connections": documents, "NextToken": token}

    async def deauthorize_connection(self, call: Call, request: DeauthorizeConnectionRequestTypeDef) -> Reply:
        """Forget a connection's credentials; it can be given others."""
        now = self._clock.millis()

        async def body(tx: Tx) -> Connection:
            before = await self._connection(tx, call, request["Name"])
            after = replace(before, auth={}, state=DEAUTHORIZED, reason=None, modified=now)
            await rows.put_connection(tx, after)
            return after

        connection = await self._storage.transact(body)
        self._keeper.forget(connection.arn)
        return _answer(connection)

    async def delete_connection(self, call: Call, request: DeleteConnectionRequestTypeDef) -> Reply:
        """Delete a connection; the API destinations that use it are inactive from then on."""

        async def body(tx: Tx) -> Connection:
            connection = await self._connection(tx, call, request["Name"])
            await rows.delete_connection(tx, call.scope, connection.name)
            return connection

        connection = await self._storage.transact(body)
        self._keeper.forget(connection.arn)
        return _answer(connection) | {"ConnectionState": "DELETING"}

    @staticmethod
    async def _connection(tx: Tx, call: Call, name: str) -> Connection:
        """A connection that must be there."""
        found = await rows.get_connection(tx, call.scope, name)
        if found is None:
            raise ResourceNotFoundError(f"Failed to describe the connection(s). Connection '{name}' does not exist.")
        return found


def _first_state(kind: str) -> str:
    return AUTHORIZING if kind == OAUTH else AUTHORIZED


def _auth(before: Mapping[str, Any], given: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The authorization parameters after a request; they must be whole, and of the connection's type."""
    if "ConnectivityParameters" in given or "ConnectivityParameters" in given.get("OAuthParameters", {}):
        raise NotImplementedByFogbank("Fogbank does not implement ConnectivityParameters of events connections yet")
    others = [name for name in PARAMETERS.values() if name in given and name != PARAMETERS[kind]]
    if others:
        raise ValidationError(f"Authorization type {kind} does not take {', '.join(others)}.")
    auth = merged(before, given, kind)
    lacks = missing(auth, kind)
    if lacks is not None:
        raise ValidationError(f"Authorization type {kind} requires {lacks}.")
    endpoint = auth.get("OAuthParameters", {}).get("AuthorizationEndpoint")
    if endpoint is not None:
        check_endpoint(endpoint, "AuthorizationEndpoint")
    return auth


def check_endpoint(url: str, name: str) -> None:
    """Refuse what is no HTTPS URL; plain HTTP is for endpoints on this machine only."""
    try:
        check_url(url.replace("*", "x"))
    except ValueError as error:
        raise ValidationError(f"Parameter {name} is not valid. Reason: {error}.") from None


def _answer(connection: Connection, *, authorized: bool = True) -> Reply:
    reply: Reply = {
        "ConnectionArn": connection.arn,
        "ConnectionState": connection.state,
        "CreationTime": connection.created / 1000,
        "LastModifiedTime": connection.modified / 1000,
    }
    if authorized and connection.authorized is not None:
        reply["LastAuthorizedTime"] = connection.authorized / 1000
    return reply

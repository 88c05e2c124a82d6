"""Saved queries: kept and listed. To run them is for StartQuery, which is not there yet and says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fogbank.core.paging import cut_page, encode_token
from fogbank.services.logs import storage
from fogbank.services.logs._api.service import LogsService, position_of
from fogbank.services.logs.errors import InvalidParameterError, LimitExceededError, ResourceNotFoundError

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

MAX_DEFINITIONS = 1_000
"""Saved queries of an account in a region (quota)."""
_KEPT = ("queryLanguage", "queryString", "logGroupNames", "parameters")
_DEFAULT_LANGUAGE = "CWLI"


class DefinitionOperations(LogsService):
    """The operations on saved queries."""

    async def put_query_definition(self, call: Call, request: t.PutQueryDefinitionRequestTypeDef) -> Reply:
        """Create a saved query, or replace all of one."""
        given: Mapping[str, Any] = request
        settings = {name: given[name] for name in _KEPT if given.get(name) not in (None, [])}
        settings.setdefault("queryLanguage", _DEFAULT_LANGUAGE)
        if settings["queryLanguage"] != _DEFAULT_LANGUAGE and ("parameters" in settings or "logGroupNames" in settings):
            raise InvalidParameterError("logGroupNames and parameters can be used only with the query language CWLI.")
        wanted, token = request.get("queryDefinitionId"), request.get("clientToken")
        made = self.kit.ids.uuid()
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> str:
            key = wanted or made
            if wanted is not None:
                if await storage.find_definition(tx, call.scope, wanted) is None:
                    raise ResourceNotFoundError("query definition")
            elif token is not None and (known := await storage.definition_of_token(tx, call.scope, token)) is not None:
                return known
            elif await storage.count_definitions(tx, call.scope) >= MAX_DEFINITIONS:
                raise LimitExceededError
            await storage.put_definition(
                tx, call.scope, key, name=request["name"], settings=settings, now=now, token=token
            )
            return key

        return {"queryDefinitionId": await self.kit.storage.transact(body)}

    async def describe_query_definitions(self, call: Call, request: t.DescribeQueryDefinitionsRequestTypeDef) -> Reply:
        """List saved queries by name."""
        after = position_of(request, tuple[str, str]) or ("", "")
        limit = request.get("maxResults", MAX_DEFINITIONS)
        prefix, language = request.get("queryDefinitionNamePrefix", ""), request.get("queryLanguage")

        async def body(tx: Tx) -> list[storage.Definition]:
            return await storage.list_definitions(tx, call.scope, after=after, limit=MAX_DEFINITIONS)

        found = [
            each
            for each in await self.kit.storage.read(body)
            if each.name.startswith(prefix) and language in (None, each.settings["queryLanguage"])
        ]
        page, more = cut_page(found, limit)
        return {
            "queryDefinitions": [
                {"queryDefinitionId": each.id, "name": each.name, "lastModified": each.modified, **each.settings}
                for each in page
            ],
            "nextToken": encode_token([page[-1].name, page[-1].id]) if more else None,
        }

    async def delete_query_definition(self, call: Call, request: t.DeleteQueryDefinitionRequestTypeDef) -> Reply:
        """Delete a saved query."""

        async def body(tx: Tx) -> None:
            if not await storage.delete_definition(tx, call.scope, request["queryDefinitionId"]):
                raise ResourceNotFoundError("query definition")

        await self.kit.storage.transact(body)
        return {"success": True}

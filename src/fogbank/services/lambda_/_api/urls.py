"""The configuration of function URLs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fogbank.core.call import Call, Reply
from fogbank.core.config import is_loopback
from fogbank.services.lambda_ import _urls
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import LambdaBase, marker_of, next_marker
from fogbank.services.lambda_._names import FunctionRef, parse_function
from fogbank.services.lambda_._urls import FunctionUrl
from fogbank.services.lambda_.errors import ResourceConflictError, ResourceNotFoundError
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateFunctionUrlConfigRequestTypeDef,
        DeleteFunctionUrlConfigRequestTypeDef,
        GetFunctionUrlConfigRequestTypeDef,
        ListFunctionUrlConfigsRequestTypeDef,
        UpdateFunctionUrlConfigRequestTypeDef,
    )

_PAGE = 50
_ID = 32
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_NO_FUNCTION = "Function does not exist"


class Urls(LambdaBase):
    """The operations on function URLs."""

    async def create_function_url_config(self, call: Call, request: CreateFunctionUrlConfigRequestTypeDef) -> Reply:
        """CreateFunctionUrlConfig."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))
        cors: Any = request.get("Cors")
        _urls.check_cors(cors)
        now = self.kit.clock.millis()
        url_id = "".join(_LETTERS[byte % 32] for byte in self.kit.ids.bytes(_ID))
        made = FunctionUrl(url_id, ref, request["AuthType"], request.get("InvokeMode", "BUFFERED"), cors, now, now)

        async def body(tx: Tx) -> None:
            await _need_function(tx, ref)
            if await rows.url_of(tx, ref) is not None:
                raise ResourceConflictError(
                    f"Failed to create function url config for [functionArn = {ref.qualified_arn}]. "
                    "Error message:  FunctionUrlConfig exists for this Lambda function"
                )
            await rows.put_url(tx, made)
            self._targets.changed(tx, ref)

        await self.kit.storage.transact(body)
        shown = self._url_shown(made)
        del shown["LastModifiedTime"]
        return shown

    async def update_function_url_config(self, call: Call, request: UpdateFunctionUrlConfigRequestTypeDef) -> Reply:
        """UpdateFunctionUrlConfig: changes what is given; an empty Cors takes it away."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))
        cors: Any = request.get("Cors")
        _urls.check_cors(cors)

        async def body(tx: Tx) -> FunctionUrl:
            known = await _need_url(tx, ref)
            changed = replace(
                known,
                auth=request.get("AuthType", known.auth),
                mode=request.get("InvokeMode", known.mode),
                cors=known.cors if cors is None else cors or None,
                modified=self.kit.clock.millis(),
            )
            await rows.put_url(tx, changed)
            self._targets.changed(tx, ref)
            return changed

        return self._url_shown(await self.kit.storage.transact(body))

    async def get_function_url_config(self, call: Call, request: GetFunctionUrlConfigRequestTypeDef) -> Reply:
        """GetFunctionUrlConfig."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))
        return self._url_shown(await self.kit.storage.read(lambda tx: _need_url(tx, ref)))

    async def list_function_url_configs(self, call: Call, request: ListFunctionUrlConfigsRequestTypeDef) -> Reply:
        """ListFunctionUrlConfigs: the function's own, and those of its aliases."""
        ref = parse_function(call.scope, request["FunctionName"]).unqualified
        limit = min(request.get("MaxItems", _PAGE), _PAGE)
        marker = request.get("Marker")
        after = marker_of(marker, str, "") if marker else None

        async def body(tx: Tx) -> list[FunctionUrl]:
            await _need_function(tx, ref)
            return await rows.list_urls(tx, ref, after=after, limit=limit + 1)

        found = await self.kit.storage.read(body)
        page = found[:limit]
        last = page[-1].function.qualifier or "" if page else ""
        return {
            "FunctionUrlConfigs": [self._url_shown(url) for url in page],
            "NextMarker": next_marker(last, more=len(found) > limit),
        }

    async def delete_function_url_config(self, call: Call, request: DeleteFunctionUrlConfigRequestTypeDef) -> Reply:
        """DeleteFunctionUrlConfig."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))

        async def body(tx: Tx) -> None:
            await rows.delete_url(tx, (await _need_url(tx, ref)).id)
            self._targets.changed(tx, ref)

        await self.kit.storage.transact(body)
        return {}

    def _url_shown(self, url: FunctionUrl) -> dict[str, Any]:
        """FunctionUrlConfig. The address leads here: every name below `localhost` is this machine."""
        endpoint = urlsplit(self.kit.config.endpoint)
        name = endpoint.hostname or "localhost"
        if is_loopback(name) or name == "0.0.0.0":  # noqa: S104 - compared, not listened on
            name = "localhost"
        region = url.function.scope.region
        return url.render(f"{endpoint.scheme}://{url.id}.lambda-url.{region}.{name}:{endpoint.port}/")


async def _need_function(tx: Tx, ref: FunctionRef) -> None:
    """The function, and the alias if one is named, must be there."""
    if await rows.find_function(tx, ref) is None:
        raise ResourceNotFoundError(_NO_FUNCTION)
    if ref.qualifier is not None and await rows.find_alias(tx, ref, ref.qualifier) is None:
        raise ResourceNotFoundError(_NO_FUNCTION)


async def _need_url(tx: Tx, ref: FunctionRef) -> FunctionUrl:
    found = await rows.url_of(tx, ref)
    if found is None:
        raise ResourceNotFoundError("The resource you requested does not exist.")
    return found

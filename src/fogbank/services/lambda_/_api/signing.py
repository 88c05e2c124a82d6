"""Code signing configurations, and the functions that have one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.services.lambda_ import _rules
from fogbank.services.lambda_._api.base import LambdaBase, marker_of, need_function, next_marker
from fogbank.services.lambda_._deployment import storage as rows
from fogbank.services.lambda_._deployment.model import SigningConfig, signing_place
from fogbank.services.lambda_._names import parse_function, parse_unqualified
from fogbank.services.lambda_.errors import (
    CodeSigningConfigNotFoundError,
    ResourceConflictError,
    ResourceNotFoundError,
)
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateCodeSigningConfigRequestTypeDef,
        DeleteCodeSigningConfigRequestTypeDef,
        DeleteFunctionCodeSigningConfigRequestTypeDef,
        GetCodeSigningConfigRequestTypeDef,
        GetFunctionCodeSigningConfigRequestTypeDef,
        ListCodeSigningConfigsRequestTypeDef,
        ListFunctionsByCodeSigningConfigRequestTypeDef,
        PutFunctionCodeSigningConfigRequestTypeDef,
        UpdateCodeSigningConfigRequestTypeDef,
    )

_PAGE = 50
_SETTINGS = ("Description", "AllowedPublishers", "CodeSigningPolicies")


class Signing(LambdaBase):
    """The operations on code signing."""

    async def create_code_signing_config(self, call: Call, request: CreateCodeSigningConfigRequestTypeDef) -> Reply:
        """CreateCodeSigningConfig."""
        given: Mapping[str, Any] = request
        tags = given.get("Tags", {})
        _rules.check_tags(tags, by_service=bool(call.principal.service))
        config = {name: given[name] for name in _SETTINGS if name in given}
        made = SigningConfig(call.scope, f"csc-{self.kit.ids.hex(17)}", config, self.kit.clock.millis(), tags)
        await self.kit.storage.transact(lambda tx: rows.put(tx, made))
        return {"CodeSigningConfig": made.render()}

    async def update_code_signing_config(self, call: Call, request: UpdateCodeSigningConfigRequestTypeDef) -> Reply:  # noqa: ARG002
        """UpdateCodeSigningConfig: changes what is given."""
        given: Mapping[str, Any] = request
        changes = {name: given[name] for name in _SETTINGS if name in given}

        async def body(tx: Tx) -> SigningConfig:
            known = await _need(tx, given["CodeSigningConfigArn"])
            changed = replace(known, config={**known.config, **changes}, modified=self.kit.clock.millis())
            await rows.put(tx, changed)
            return changed

        return {"CodeSigningConfig": (await self.kit.storage.transact(body)).render()}

    async def get_code_signing_config(self, call: Call, request: GetCodeSigningConfigRequestTypeDef) -> Reply:  # noqa: ARG002
        """GetCodeSigningConfig."""
        found = await self.kit.storage.read(lambda tx: _need(tx, request["CodeSigningConfigArn"]))
        return {"CodeSigningConfig": found.render()}

    async def list_code_signing_configs(self, call: Call, request: ListCodeSigningConfigsRequestTypeDef) -> Reply:
        """ListCodeSigningConfigs."""
        limit = min(request.get("MaxItems", _PAGE), _PAGE)
        after = marker_of(request.get("Marker"), str, "")
        found = await self.kit.storage.read(lambda tx: rows.listed(tx, call.scope, after=after, limit=limit + 1))
        page = found[:limit]
        return {
            "CodeSigningConfigs": [config.render() for config in page],
            "NextMarker": next_marker(page[-1].id if page else "", more=len(found) > limit),
        }

    async def delete_code_signing_config(self, call: Call, request: DeleteCodeSigningConfigRequestTypeDef) -> Reply:  # noqa: ARG002
        """DeleteCodeSigningConfig: no function may have it."""

        async def body(tx: Tx) -> None:
            known = await _need(tx, request["CodeSigningConfigArn"])
            if await rows.signed_by(tx, known, after="", limit=1):
                raise ResourceConflictError(
                    "Cannot delete the code signing configuration because it is being used by one or more functions."
                )
            await rows.delete(tx, known)

        await self.kit.storage.transact(body)
        return {}

    # -- functions --------------------------------------------------------------------------------------------

    async def put_function_code_signing_config(
        self, call: Call, request: PutFunctionCodeSigningConfigRequestTypeDef
    ) -> Reply:
        """PutFunctionCodeSigningConfig: for what is deployed from now on."""
        ref = parse_unqualified(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> None:
            config = await need_config(tx, request["CodeSigningConfigArn"])
            await need_function(tx, ref)
            await rows.sign(tx, ref, config)

        await self.kit.storage.transact(body)
        return {"CodeSigningConfigArn": request["CodeSigningConfigArn"], "FunctionName": ref.name}

    async def get_function_code_signing_config(
        self, call: Call, request: GetFunctionCodeSigningConfigRequestTypeDef
    ) -> Reply:
        """GetFunctionCodeSigningConfig."""
        ref = parse_function(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> SigningConfig | None:
            await need_function(tx, ref)
            return await rows.of_function(tx, ref)

        found = await self.kit.storage.read(body)
        return {} if found is None else {"CodeSigningConfigArn": found.arn, "FunctionName": ref.name}

    async def delete_function_code_signing_config(
        self, call: Call, request: DeleteFunctionCodeSigningConfigRequestTypeDef
    ) -> Reply:
        """DeleteFunctionCodeSigningConfig."""
        ref = parse_unqualified(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> None:
            await need_function(tx, ref)
            await rows.unsign(tx, ref)

        await self.kit.storage.transact(body)
        return {}

    async def list_functions_by_code_signing_config(
        self,
        call: Call,  # noqa: ARG002
        request: ListFunctionsByCodeSigningConfigRequestTypeDef,
    ) -> Reply:
        """ListFunctionsByCodeSigningConfig."""
        limit = min(request.get("MaxItems", _PAGE), _PAGE)
        after = marker_of(request.get("Marker"), str, "")

        async def body(tx: Tx) -> tuple[SigningConfig, list[str]]:
            known = await _need(tx, request["CodeSigningConfigArn"])
            return known, await rows.signed_by(tx, known, after=after, limit=limit + 1)

        known, names = await self.kit.storage.read(body)
        page = names[:limit]
        return {
            "FunctionArns": [known.scope.arn("lambda", f"function:{name}") for name in page],
            "NextMarker": next_marker(page[-1] if page else "", more=len(names) > limit),
        }


async def need_config(tx: Tx, arn: str) -> SigningConfig:
    """The configuration that a function is to have, or `CodeSigningConfigNotFoundError`."""
    found = await rows.find(tx, *signing_place(arn))
    if found is None:
        raise CodeSigningConfigNotFoundError(arn)
    return found


async def _need(tx: Tx, arn: str) -> SigningConfig:
    """The configuration that is asked for itself, or `ResourceNotFoundError`."""
    found = await rows.find(tx, *signing_place(arn))
    if found is None:
        raise ResourceNotFoundError(f"The Lambda code signing configuration {arn} can not be found.")
    return found

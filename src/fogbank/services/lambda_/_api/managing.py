"""Settings of functions that are about how they run: recursive loops, and updates of their runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import LambdaBase, need_function, need_version
from fogbank.services.lambda_._deployment import storage as deployment
from fogbank.services.lambda_._deployment.model import MANUAL, RuntimeUpdates, runtime_updates
from fogbank.services.lambda_._names import LATEST, FunctionRef, is_version, parse_function, parse_unqualified
from fogbank.services.lambda_.errors import InvalidParameterValueError
from fogbank.services.lambda_.model import Version
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        GetFunctionRecursionConfigRequestTypeDef,
        GetRuntimeManagementConfigRequestTypeDef,
        PutFunctionRecursionConfigRequestTypeDef,
        PutRuntimeManagementConfigRequestTypeDef,
    )


class Managing(LambdaBase):
    """The operations on recursion and on runtime updates."""

    async def put_function_recursion_config(
        self, call: Call, request: PutFunctionRecursionConfigRequestTypeDef
    ) -> Reply:
        """PutFunctionRecursionConfig: whether loops through the function are stopped."""
        ref = parse_unqualified(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> None:
            function = await need_function(tx, ref)
            await rows.put_function(tx, replace(function, recursion=request["RecursiveLoop"]))
            self._targets.changed(tx, ref)

        await self.kit.storage.transact(body)
        return {"RecursiveLoop": request["RecursiveLoop"]}

    async def get_function_recursion_config(
        self, call: Call, request: GetFunctionRecursionConfigRequestTypeDef
    ) -> Reply:
        """GetFunctionRecursionConfig."""
        ref = parse_unqualified(call.scope, request["FunctionName"])
        function = await self.kit.storage.read(lambda tx: need_function(tx, ref))
        return {"RecursiveLoop": function.recursion}

    async def put_runtime_management_config(
        self, call: Call, request: PutRuntimeManagementConfigRequestTypeDef
    ) -> Reply:
        """PutRuntimeManagementConfig. A runtime has one version, this machine's interpreter: only it can be set."""
        ref = _version_ref(parse_function(call.scope, request["FunctionName"], request.get("Qualifier")))

        async def body(tx: Tx) -> tuple[Version, RuntimeUpdates]:
            version = await need_version(tx, ref)
            wanted = runtime_updates(request, version)
            await deployment.put_updates(tx, ref, version.number, wanted)
            return version, wanted

        return _shown(*await self.kit.storage.transact(body))

    async def get_runtime_management_config(
        self, call: Call, request: GetRuntimeManagementConfigRequestTypeDef
    ) -> Reply:
        """GetRuntimeManagementConfig."""
        ref = _version_ref(parse_function(call.scope, request["FunctionName"], request.get("Qualifier")))

        async def body(tx: Tx) -> tuple[Version, RuntimeUpdates]:
            version = await need_version(tx, ref)
            return version, await deployment.updates(tx, ref, version.number)

        found, updates = await self.kit.storage.read(body)
        return {**_shown(found, updates), "FunctionArn": ref.qualified_arn}


def _version_ref(ref: FunctionRef) -> FunctionRef:
    if ref.qualifier is not None and ref.qualifier != LATEST and not is_version(ref.qualifier):
        raise InvalidParameterValueError(
            "Aliases do not support runtime management. Please specify a version or an unqualified function."
        )
    return ref


def _shown(version: Version, updates: RuntimeUpdates) -> Reply:
    shown: Reply = {"UpdateRuntimeOn": updates.mode, "FunctionArn": version.qualified_arn}
    if updates.mode == MANUAL:
        shown["RuntimeVersionArn"] = updates.arn
    return shown

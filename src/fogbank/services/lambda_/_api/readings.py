"""What clients read of features that come later: there is none of it, in AWS's words.

Infrastructure tools ask for these whenever they look at a function. Setting any of them is refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply
from fogbank.services.lambda_._api.base import LambdaBase, need_function, need_version
from fogbank.services.lambda_._names import parse_function

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        GetFunctionCodeSigningConfigRequestTypeDef,
        GetRuntimeManagementConfigRequestTypeDef,
    )


class Readings(LambdaBase):
    """The operations that read what a function cannot have yet."""

    async def get_function_code_signing_config(
        self, call: Call, request: GetFunctionCodeSigningConfigRequestTypeDef
    ) -> Reply:
        """GetFunctionCodeSigningConfig: no function has one."""
        ref = parse_function(call.scope, request["FunctionName"])
        await self.kit.storage.read(lambda tx: need_function(tx, ref))
        return {}

    async def get_runtime_management_config(
        self, call: Call, request: GetRuntimeManagementConfigRequestTypeDef
    ) -> Reply:
        """GetRuntimeManagementConfig: a function runs on the newest interpreter of its version on this machine."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))
        await self.kit.storage.read(lambda tx: need_version(tx, ref))
        return {"UpdateRuntimeOn": "Auto", "FunctionArn": ref.qualified_arn}

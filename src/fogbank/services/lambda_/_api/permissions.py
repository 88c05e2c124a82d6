"""Resource policies of functions, their tags, and settings of a function as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn
from fogbank.core.call import Call, Reply
from fogbank.core.errors import ValidationError
from fogbank.services.lambda_ import _archive, _policy, _rules
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import LambdaBase, check_revision, need_function, need_resource, touch
from fogbank.services.lambda_._deployment import storage as deployment
from fogbank.services.lambda_._deployment.model import SigningConfig, signing_place
from fogbank.services.lambda_._names import LATEST, FunctionRef, parse_function, parse_unqualified
from fogbank.services.lambda_._warm import storage as warm_rows
from fogbank.services.lambda_.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    ResourceNotFoundError,
    UntypedParameterError,
)
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        AddPermissionRequestTypeDef,
        DeleteFunctionConcurrencyRequestTypeDef,
        GetFunctionConcurrencyRequestTypeDef,
        GetPolicyRequestTypeDef,
        ListTagsRequestTypeDef,
        PutFunctionConcurrencyRequestTypeDef,
        RemovePermissionRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

MAX_CODE_STORAGE = 80_530_636_800
"""Bytes of code that an account may store in a region (75 GB)."""


class Permissions(LambdaBase):
    """The operations on policies, tags, concurrency and the account."""

    async def add_permission(self, call: Call, request: AddPermissionRequestTypeDef) -> Reply:
        """AddPermission."""
        given: Mapping[str, Any] = request
        ref = self._policy_ref(call, given)
        statement = _policy.function_statement(given, ref.qualified_arn, call.scope.partition)

        async def body(tx: Tx) -> None:
            resource = await need_resource(tx, ref)
            check_revision(given.get("RevisionId"), resource.revision)
            await rows.put_policy(tx, ref, _policy.add(await rows.find_policy(tx, ref), statement))
            self._targets.changed(tx, ref)
            await touch(tx, resource, self.kit.ids.uuid())

        await self.kit.storage.transact(body)
        return {"Statement": _policy.text(statement)}

    async def remove_permission(self, call: Call, request: RemovePermissionRequestTypeDef) -> Reply:
        """RemovePermission."""
        given: Mapping[str, Any] = request
        ref = self._policy_ref(call, given)

        async def body(tx: Tx) -> None:
            if await rows.find_function(tx, ref) is None:
                raise ResourceNotFoundError(f"No policy found for: {ref.qualified_arn}")
            resource = await need_resource(tx, ref)
            policy = await rows.find_policy(tx, ref)
            if not policy:
                raise ResourceNotFoundError("No policy is associated with the given resource.")
            check_revision(given.get("RevisionId"), resource.revision)
            await rows.put_policy(tx, ref, _policy.remove(policy, given["StatementId"]))
            self._targets.changed(tx, ref)
            await touch(tx, resource, self.kit.ids.uuid())

        await self.kit.storage.transact(body)
        return {}

    async def get_policy(self, call: Call, request: GetPolicyRequestTypeDef) -> Reply:
        """GetPolicy."""
        ref = self._policy_ref(call, request)

        async def body(tx: Tx) -> Reply:
            await need_function(tx, ref)
            policy = await rows.find_policy(tx, ref)
            if not policy:
                raise ResourceNotFoundError("The resource you requested does not exist.")
            resource = await need_resource(tx, ref)
            return {"Policy": _policy.document(policy), "RevisionId": resource.revision}

        return await self.kit.storage.read(body)

    @staticmethod
    def _policy_ref(call: Call, given: Mapping[str, Any]) -> FunctionRef:
        ref = parse_function(call.scope, given["FunctionName"], given.get("Qualifier"))
        if ref.qualifier == LATEST:
            raise InvalidParameterValueError("We currently do not support adding policies for $LATEST.")
        return ref

    # -- tags -----------------------------------------------------------------------------------------------

    async def tag_resource(self, call: Call, request: TagResourceRequestTypeDef) -> Reply:
        """TagResource."""
        added = request["Tags"]
        if not added:
            raise InvalidParameterValueError("An error occurred and the request cannot be processed.")

        def change(tags: Mapping[str, str]) -> dict[str, str]:
            merged = {**tags, **added}
            _rules.check_tags(merged, added, by_service=bool(call.principal.service))
            return merged

        await self._retag(call, request["Resource"], change)
        return {}

    async def untag_resource(self, call: Call, request: UntagResourceRequestTypeDef) -> Reply:
        """UntagResource."""
        removed = set(request["TagKeys"])
        if not removed:
            raise ValidationError(
                "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: "
                "Member must not be null"
            )
        await self._retag(
            call, request["Resource"], lambda tags: {name: tags[name] for name in tags if name not in removed}
        )
        return {}

    async def list_tags(self, call: Call, request: ListTagsRequestTypeDef) -> Reply:
        """ListTags."""
        arn = request["Resource"]

        async def body(tx: Tx) -> Mapping[str, str]:
            if uuid := _mapping_uuid(arn):
                return (await self._need_mapping(tx, call, uuid)).tags
            if _SIGNING in arn:
                return (await _need_signing(tx, arn)).tags
            return (await need_function(tx, _tagged(call, arn))).tags

        return {"Tags": dict(await self.kit.storage.read(body))}

    async def _retag(self, call: Call, arn: str, change: Any) -> None:
        async def body(tx: Tx) -> None:
            if uuid := _mapping_uuid(arn):
                mapping = await self._need_mapping(tx, call, uuid)
                await rows.put_mapping(tx, replace(mapping, tags=change(mapping.tags)))
                return
            if _SIGNING in arn:
                config = await _need_signing(tx, arn)
                await deployment.put(tx, replace(config, tags=change(config.tags)))
                return
            function = await need_function(tx, _tagged(call, arn))
            await rows.put_function(tx, replace(function, tags=change(function.tags)))
            await rows.touch_version(tx, function.ref, 0, self.kit.ids.uuid())

        await self.kit.storage.transact(body)

    @staticmethod
    async def _need_mapping(tx: Tx, call: Call, uuid: str) -> rows.SourceMapping:
        mapping = await rows.find_mapping(tx, call.scope, uuid)
        if mapping is None:
            raise ResourceNotFoundError("The resource you requested does not exist.")
        return mapping

    # -- concurrency ------------------------------------------------------------------------------------------

    async def put_function_concurrency(self, call: Call, request: PutFunctionConcurrencyRequestTypeDef) -> Reply:
        """PutFunctionConcurrency."""
        wanted = request["ReservedConcurrentExecutions"]
        ref = parse_unqualified(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> None:
            function = await rows.find_function(tx, ref)
            if function is None:
                raise FunctionNotFoundError(f"{ref.arn}:{LATEST}")
            _, _, reserved = await rows.usage(tx, ref.scope)
            provisioned = sum(one.count for one in (await warm_rows.provisioned(tx, ref)).values())
            others = reserved - (provisioned if function.reserved is None else function.reserved)
            if wanted < provisioned:
                raise InvalidParameterValueError(
                    f"ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned "
                    f"concurrency [{provisioned}]."
                )
            if self._concurrency.limit - others - wanted < self._concurrency.floor:
                raise UntypedParameterError(
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    f"UnreservedConcurrentExecution below its minimum value of [{self._concurrency.floor}]."
                )
            await rows.put_function(tx, replace(function, reserved=wanted))
            self._targets.changed(tx, ref)
            self._concurrency.changed(tx, ref.scope)

        await self.kit.storage.transact(body)
        return {"ReservedConcurrentExecutions": wanted}

    async def get_function_concurrency(self, call: Call, request: GetFunctionConcurrencyRequestTypeDef) -> Reply:
        """GetFunctionConcurrency."""
        ref = parse_function(call.scope, request["FunctionName"])
        function = await self.kit.storage.read(lambda tx: need_function(tx, ref))
        return {} if function.reserved is None else {"ReservedConcurrentExecutions": function.reserved}

    async def delete_function_concurrency(self, call: Call, request: DeleteFunctionConcurrencyRequestTypeDef) -> Reply:
        """DeleteFunctionConcurrency."""
        ref = parse_unqualified(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> None:
            function = await need_function(tx, ref)
            await rows.put_function(tx, replace(function, reserved=None))
            self._targets.changed(tx, ref)
            self._concurrency.changed(tx, ref.scope)

        await self.kit.storage.transact(body)
        return {}

    async def get_account_settings(self, call: Call, request: Mapping[str, Any]) -> Reply:  # noqa: ARG002
        """GetAccountSettings."""
        functions, size, reserved = await self.kit.storage.read(lambda tx: rows.usage(tx, call.scope))
        limit = self._concurrency.limit
        return {
            "AccountLimit": {
                "TotalCodeSize": MAX_CODE_STORAGE,
                "CodeSizeUnzipped": _archive.MAX_UNZIPPED,
                "CodeSizeZipped": _archive.MAX_UPLOAD,
                "ConcurrentExecutions": limit,
                "UnreservedConcurrentExecutions": limit - reserved,
            },
            "AccountUsage": {"TotalCodeSize": size, "FunctionCount": functions},
        }


_SIGNING = ":code-signing-config:"


async def _need_signing(tx: Tx, arn: str) -> SigningConfig:
    config = await deployment.find(tx, *signing_place(arn))
    if config is None:
        raise ResourceNotFoundError("The resource you requested does not exist.")
    return config


def _mapping_uuid(arn: str) -> str:
    resource = Arn.parse(arn).resource
    prefix = "event-source-mapping:"
    return resource.removeprefix(prefix) if resource.startswith(prefix) else ""


def _tagged(call: Call, arn: str) -> FunctionRef:
    ref = parse_function(call.scope, arn) if ":function:" in arn else None
    if ref is None:
        raise ResourceNotFoundError("The resource you requested does not exist.")
    if ref.qualifier is not None:
        raise InvalidParameterValueError(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
        )
    return ref

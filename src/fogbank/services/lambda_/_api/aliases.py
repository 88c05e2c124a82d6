"""Aliases: names for versions, with weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import (
    LambdaBase,
    check_revision,
    marker_of,
    need_alias,
    need_function,
    need_version,
    next_marker,
)
from fogbank.services.lambda_._names import LATEST, FunctionRef, parse_unqualified
from fogbank.services.lambda_._warm import storage as warm_rows
from fogbank.services.lambda_._warm.model import check_moved
from fogbank.services.lambda_.errors import (
    InvalidParameterValueError,
    ResourceConflictError,
    ResourceNotFoundError,
    UntypedParameterError,
    not_now,
)
from fogbank.services.lambda_.model import Alias, VersionState
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateAliasRequestTypeDef,
        DeleteAliasRequestTypeDef,
        GetAliasRequestTypeDef,
        ListAliasesRequestTypeDef,
        UpdateAliasRequestTypeDef,
    )

_PAGE = 50


class Aliases(LambdaBase):
    """The operations on aliases."""

    async def create_alias(self, call: Call, request: CreateAliasRequestTypeDef) -> Reply:
        """CreateAlias."""
        given: Mapping[str, Any] = request
        ref = parse_unqualified(call.scope, request["FunctionName"])
        alias = Alias(
            ref,
            request["Name"],
            request["FunctionVersion"],
            given.get("Description", ""),
            _weights(given, request["FunctionVersion"]),
            self.kit.ids.uuid(),
        )

        async def body(tx: Tx) -> None:
            await _check_versions(tx, alias)
            if await rows.find_alias(tx, ref, alias.name) is not None:
                raise ResourceConflictError(f"Alias already exists: {ref.arn}:{alias.name}")
            await rows.put_alias(tx, alias)
            self._targets.changed(tx, ref)

        await self.kit.storage.transact(body)
        return alias.render()

    async def update_alias(self, call: Call, request: UpdateAliasRequestTypeDef) -> Reply:
        """UpdateAlias."""
        given: Mapping[str, Any] = request
        ref = parse_unqualified(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> Alias:
            await need_function(tx, ref)
            alias = await rows.find_alias(tx, ref, request["Name"])
            if alias is None:
                raise ResourceNotFoundError(f"Alias not found: {ref.arn}:{request['Name']}")
            check_revision(given.get("RevisionId"), alias.revision)
            version = given.get("FunctionVersion", alias.version)
            weights = _weights(given, version) if "RoutingConfig" in given else alias.weights
            changed = replace(
                alias,
                version=version,
                description=given.get("Description", alias.description),
                weights=weights,
                revision=self.kit.ids.uuid(),
            )
            await _check_versions(tx, changed)
            known = await warm_rows.provisioned(tx, ref)
            if alias.name in known:
                check_moved(changed, known)
                self._provisioner.changed(tx, ref)
            await rows.put_alias(tx, changed)
            self._targets.changed(tx, ref)
            return changed

        return (await self.kit.storage.transact(body)).render()

    async def get_alias(self, call: Call, request: GetAliasRequestTypeDef) -> Reply:
        """GetAlias."""
        ref = parse_unqualified(call.scope, request["FunctionName"])
        return (await self.kit.storage.read(lambda tx: need_alias(tx, ref, request["Name"]))).render()

    async def list_aliases(self, call: Call, request: ListAliasesRequestTypeDef) -> Reply:
        """ListAliases: all, or those of a version."""
        given: Mapping[str, Any] = request
        ref = parse_unqualified(call.scope, request["FunctionName"])
        limit = min(given.get("MaxItems", _PAGE), _PAGE)
        version = given.get("FunctionVersion")
        after = marker_of(given.get("Marker"), str, "")

        async def body(tx: Tx) -> list[Alias]:
            await need_function(tx, ref)
            every = await rows.list_aliases(tx, ref, after=after, limit=100_000)
            return [a for a in every if version is None or version == a.version or version in a.weights]

        found = await self.kit.storage.read(body)
        page = found[:limit]
        return {
            "Aliases": [alias.render() for alias in page],
            "NextMarker": next_marker(page[-1].name if page else "", more=len(found) > limit),
        }

    async def delete_alias(self, call: Call, request: DeleteAliasRequestTypeDef) -> Reply:
        """DeleteAlias: no error if there is none."""
        ref = parse_unqualified(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> None:
            await need_function(tx, ref)
            await rows.delete_alias(tx, ref, request["Name"])
            if await warm_rows.delete_provisioned(tx, ref, request["Name"]):
                self._concurrency.changed(tx, ref.scope)
                self._provisioner.changed(tx, ref)
            self._targets.changed(tx, ref)

        await self.kit.storage.transact(body)
        return {}


def _weights(given: Mapping[str, Any], version: str) -> dict[str, float]:
    weights: dict[str, float] = given.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    if len(weights) > 1:
        raise InvalidParameterValueError("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if weights and version == LATEST:
        raise UntypedParameterError("$LATEST is not supported for an alias pointing to more than 1 version")
    if version in weights:
        raise InvalidParameterValueError(
            f"Invalid function version {version}. Function version {version} is already included in routing "
            "configuration."
        )
    return dict(weights)


async def _check_versions(tx: Tx, alias: Alias) -> None:
    for version in (alias.version, *alias.weights):
        found = await need_version(tx, FunctionRef(alias.ref.scope, alias.ref.name, version))
        if found.state is VersionState.FAILED:
            raise not_now(found.state)

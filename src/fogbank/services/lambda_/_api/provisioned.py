"""Provisioned concurrency: environments that are ready before any event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import LambdaBase, marker_of, need_function, need_resource, next_marker
from fogbank.services.lambda_._names import LATEST, FunctionRef, is_version, parse_function, version_number
from fogbank.services.lambda_._warm import storage as warm_rows
from fogbank.services.lambda_._warm.model import (
    Requested,
    check_capacity,
    check_provisioned,
    render,
    unpublished,
)
from fogbank.services.lambda_.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    ProvisionedConcurrencyConfigNotFoundError,
)
from fogbank.services.lambda_.model import Alias, Version
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteProvisionedConcurrencyConfigRequestTypeDef,
        GetProvisionedConcurrencyConfigRequestTypeDef,
        ListProvisionedConcurrencyConfigsRequestTypeDef,
        PutProvisionedConcurrencyConfigRequestTypeDef,
    )

_PAGE = 50


class Provisioning(LambdaBase):
    """The operations on provisioned concurrency."""

    async def put_provisioned_concurrency_config(
        self, call: Call, request: PutProvisionedConcurrencyConfigRequestTypeDef
    ) -> Reply:
        """PutProvisionedConcurrencyConfig: replaces what there was."""
        ref = parse_function(call.scope, request["FunctionName"], request["Qualifier"])
        qualifier = ref.qualifier or LATEST
        if qualifier == LATEST:
            raise unpublished()
        wanted = Requested(qualifier, request["ProvisionedConcurrentExecutions"], self.kit.clock.millis())

        async def body(tx: Tx) -> None:
            resource = await need_resource(tx, ref)
            function = await need_function(tx, ref)
            known = await warm_rows.provisioned(tx, ref)
            aliases = await rows.list_aliases(tx, ref, after="", limit=100_000)
            check_provisioned(resource, await _versions(tx, ref, resource), aliases, known)
            own = sum(one.count for one in known.values())
            others = own - (known[qualifier].count if qualifier in known else 0)
            _, _, taken = await rows.usage(tx, ref.scope)
            left = self._concurrency.limit - (taken - (own if function.reserved is None else 0))
            check_capacity(wanted.count, others, function.reserved, left, self._concurrency.floor)
            await warm_rows.put_provisioned(tx, ref, wanted)
            self._concurrency.changed(tx, ref.scope)
            self._provisioner.changed(tx, ref)

        await self.kit.storage.transact(body)
        return {
            "RequestedProvisionedConcurrentExecutions": wanted.count,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
            "LastModified": render(wanted, self._provisioner.state(ref, wanted, None))["LastModified"],
        }

    async def get_provisioned_concurrency_config(
        self, call: Call, request: GetProvisionedConcurrencyConfigRequestTypeDef
    ) -> Reply:
        """GetProvisionedConcurrencyConfig."""
        ref = _published(call, request)

        async def body(tx: Tx) -> tuple[Requested | None, Version | Alias]:
            resource = await need_resource(tx, ref)
            return (await warm_rows.provisioned(tx, ref)).get(ref.qualifier or LATEST), resource

        found, resource = await self.kit.storage.read(body)
        if found is None:
            raise ProvisionedConcurrencyConfigNotFoundError
        alias = resource if isinstance(resource, Alias) else None
        return render(found, self._provisioner.state(ref, found, alias))

    async def delete_provisioned_concurrency_config(
        self, call: Call, request: DeleteProvisionedConcurrencyConfigRequestTypeDef
    ) -> Reply:
        """DeleteProvisionedConcurrencyConfig: no error if there is none."""
        ref = _published(call, request)

        async def body(tx: Tx) -> None:
            await need_resource(tx, ref)
            await warm_rows.delete_provisioned(tx, ref, ref.qualifier or LATEST)
            self._concurrency.changed(tx, ref.scope)
            self._provisioner.changed(tx, ref)

        await self.kit.storage.transact(body)
        return {}

    async def list_provisioned_concurrency_configs(
        self, call: Call, request: ListProvisionedConcurrencyConfigsRequestTypeDef
    ) -> Reply:
        """ListProvisionedConcurrencyConfigs."""
        ref = parse_function(call.scope, request["FunctionName"])
        limit = min(request.get("MaxItems", _PAGE), _PAGE)
        after = marker_of(request.get("Marker"), str, "")

        async def body(tx: Tx) -> tuple[list[Requested], dict[str, Alias]]:
            await need_function(tx, ref)
            known = await warm_rows.provisioned(tx, ref)
            aliases = await rows.list_aliases(tx, ref, after="", limit=100_000)
            return [one for one in known.values() if one.qualifier > after], {alias.name: alias for alias in aliases}

        found, aliases = await self.kit.storage.read(body)
        page = found[:limit]
        return {
            "ProvisionedConcurrencyConfigs": [
                {
                    "FunctionArn": f"{ref.arn}:{one.qualifier}",
                    **render(one, self._provisioner.state(ref, one, aliases.get(one.qualifier))),
                }
                for one in page
            ],
            "NextMarker": next_marker(page[-1].qualifier if page else "", more=len(found) > limit),
        }


def _published(call: Call, request: Mapping[str, Any]) -> FunctionRef:
    ref = parse_function(call.scope, request["FunctionName"], request["Qualifier"])
    if ref.qualifier == LATEST:
        raise InvalidParameterValueError("The function resource provided must be an alias or a published version.")
    return ref


async def _versions(tx: Tx, ref: FunctionRef, resource: Version | Alias) -> list[Version]:
    """The versions that a resource leads to."""
    if isinstance(resource, Version):
        return [resource]
    found = []
    for name in (resource.version, *resource.weights):
        version = await rows.find_version(tx, ref, version_number(name)) if is_version(name) else None
        if version is None:
            raise FunctionNotFoundError(f"{ref.arn}:{name}")
        found.append(version)
    return found

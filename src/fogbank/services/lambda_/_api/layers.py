"""Layers: archives that several functions share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.core.scope import Scope
from fogbank.services.lambda_ import _policy
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import marker_of, next_marker
from fogbank.services.lambda_._api.functions import Functions
from fogbank.services.lambda_._layers import parse_layer
from fogbank.services.lambda_.errors import (
    InvalidParameterValueError,
    PreconditionFailedError,
    ResourceNotFoundError,
)
from fogbank.services.lambda_.model import Layer
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        AddLayerVersionPermissionRequestTypeDef,
        DeleteLayerVersionRequestTypeDef,
        GetLayerVersionByArnRequestTypeDef,
        GetLayerVersionPolicyRequestTypeDef,
        GetLayerVersionRequestTypeDef,
        ListLayersRequestTypeDef,
        ListLayerVersionsRequestTypeDef,
        PublishLayerVersionRequestTypeDef,
        RemoveLayerVersionPermissionRequestTypeDef,
    )

_PAGE = 50
_SETTINGS = ("Description", "LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures")


class Layers(Functions):
    """The operations on layers."""

    async def publish_layer_version(self, call: Call, request: PublishLayerVersionRequestTypeDef) -> Reply:
        """PublishLayerVersion."""
        given: Mapping[str, Any] = request
        scope, name = _named(call, request["LayerName"])
        code = await self._store(call, given["Content"])
        config = {key: given[key] for key in _SETTINGS if key in given}
        now = self.kit.clock.millis()
        layer = await self.kit.storage.transact(lambda tx: rows.add_layer(tx, scope, name, code, config, now))
        return self._rendered(layer, content=True)

    def _rendered(self, layer: Layer, *, content: bool = False) -> dict[str, Any]:
        moment = datetime.fromtimestamp(layer.created // 1000, UTC)
        shown: dict[str, Any] = {
            "LayerVersionArn": layer.version_arn,
            "Version": layer.number,
            "Description": layer.config.get("Description", ""),
            "CreatedDate": f"{moment:%Y-%m-%dT%H:%M:%S}.{layer.created % 1000:03d}+0000",
            **{key: layer.config[key] for key in _SETTINGS if key in layer.config},
        }
        if content:
            shown["LayerArn"] = layer.arn
            shown["Content"] = {
                "Location": self._location(layer.code),
                "CodeSha256": layer.code.sha256,
                "CodeSize": layer.code.size,
            }
        return shown

    async def get_layer_version(self, call: Call, request: GetLayerVersionRequestTypeDef) -> Reply:
        """GetLayerVersion."""
        scope, name = _named(call, request["LayerName"])
        layer = await self.kit.storage.read(lambda tx: _need(tx, scope, name, request["VersionNumber"]))
        return self._rendered(layer, content=True)

    async def get_layer_version_by_arn(self, call: Call, request: GetLayerVersionByArnRequestTypeDef) -> Reply:  # noqa: ARG002
        """GetLayerVersionByArn."""
        scope, name, number = parse_layer(request["Arn"])
        layer = await self.kit.storage.read(lambda tx: _need(tx, scope, name, number or 0))
        return self._rendered(layer, content=True)

    async def list_layer_versions(self, call: Call, request: ListLayerVersionsRequestTypeDef) -> Reply:
        """ListLayerVersions: the newest first."""
        given: Mapping[str, Any] = request
        scope, name = _named(call, request["LayerName"])
        limit = min(given.get("MaxItems", _PAGE), _PAGE)
        before = marker_of(given.get("Marker"), int, 1 << 62)

        async def body(tx: Tx) -> list[Layer]:
            return await rows.list_layer(tx, scope, name, before=before, limit=100_000)

        found = [layer for layer in await self.kit.storage.read(body) if _fits(layer, given)]
        page = found[:limit]
        return {
            "LayerVersions": [self._rendered(layer) for layer in page],
            "NextMarker": next_marker(page[-1].number if page else 0, more=len(found) > limit),
        }

    async def list_layers(self, call: Call, request: ListLayersRequestTypeDef) -> Reply:
        """ListLayers."""
        given: Mapping[str, Any] = request
        limit = min(given.get("MaxItems", _PAGE), _PAGE)
        after = marker_of(given.get("Marker"), str, "")
        every = await self.kit.storage.read(lambda tx: rows.list_layers(tx, call.scope, after=after, limit=100_000))
        found = [layer for layer in every if _fits(layer, given)]
        page = found[:limit]
        shown = [
            {"LayerName": layer.name, "LayerArn": layer.arn, "LatestMatchingVersion": self._rendered(layer)}
            for layer in page
        ]
        return {
            "Layers": shown,
            "NextMarker": next_marker(page[-1].name if page else "", more=len(found) > limit),
        }

    async def delete_layer_version(self, call: Call, request: DeleteLayerVersionRequestTypeDef) -> Reply:
        """DeleteLayerVersion: no error if there is none."""
        scope, name = _named(call, request["LayerName"])
        number = request["VersionNumber"]
        _check_number(number)
        await self.kit.storage.transact(lambda tx: rows.delete_layer(tx, scope, name, number))
        return {}

    async def add_layer_version_permission(self, call: Call, request: AddLayerVersionPermissionRequestTypeDef) -> Reply:
        """AddLayerVersionPermission."""
        given: Mapping[str, Any] = request
        scope, name = _named(call, request["LayerName"])
        revision = self.kit.ids.uuid()

        async def body(tx: Tx) -> _policy.Statement:
            layer = await _need_for_policy(tx, scope, name, given["VersionNumber"])
            policy = await rows.layer_policy(tx, layer)
            _check_revision(given.get("RevisionId"), policy.revision)
            statement = _policy.layer_statement(given, layer.version_arn, scope.partition)
            await rows.put_layer_policy(tx, layer, _policy.add(policy.statements, statement), revision)
            return statement

        return {"Statement": _policy.text(await self.kit.storage.transact(body)), "RevisionId": revision}

    async def remove_layer_version_permission(
        self, call: Call, request: RemoveLayerVersionPermissionRequestTypeDef
    ) -> Reply:
        """RemoveLayerVersionPermission."""
        given: Mapping[str, Any] = request
        scope, name = _named(call, request["LayerName"])

        async def body(tx: Tx) -> None:
            layer = await _need_for_policy(tx, scope, name, given["VersionNumber"])
            policy = await rows.layer_policy(tx, layer)
            _check_revision(given.get("RevisionId"), policy.revision)
            left = _policy.remove(policy.statements, given["StatementId"])
            await rows.put_layer_policy(tx, layer, left, self.kit.ids.uuid())

        await self.kit.storage.transact(body)
        return {}

    async def get_layer_version_policy(self, call: Call, request: GetLayerVersionPolicyRequestTypeDef) -> Reply:
        """GetLayerVersionPolicy."""
        scope, name = _named(call, request["LayerName"])

        async def body(tx: Tx) -> rows.Policy:
            return await rows.layer_policy(tx, await _need_for_policy(tx, scope, name, request["VersionNumber"]))

        policy = await self.kit.storage.read(body)
        if not policy.statements:
            raise ResourceNotFoundError("No policy is associated with the given resource.")
        return {"Policy": _policy.document(policy.statements), "RevisionId": policy.revision}


def _named(call: Call, text: str) -> tuple[Scope, str]:
    if not text.startswith("arn:"):
        return call.scope, text
    scope, name, _ = parse_layer(text)
    return scope, name


def _check_number(number: int) -> None:
    if number < 1:
        raise InvalidParameterValueError("Layer Version Cannot be less than 1")


def _check_revision(given: str | None, latest: str) -> None:
    if given is not None and given != latest:
        raise PreconditionFailedError("GetLayerPolicy")


async def _need_for_policy(tx: Tx, scope: Scope, name: str, number: int) -> Layer:
    """The layer, or the error of the operations on policies."""
    _check_number(number)
    found = await rows.find_layer(tx, scope, name, number)
    if found is None:
        arn = scope.arn("lambda", f"layer:{name}:{number}")
        raise ResourceNotFoundError(f"Layer version {arn} does not exist.")
    return found


async def _need(tx: Tx, scope: Scope, name: str, number: int) -> Layer:
    _check_number(number)
    found = await rows.find_layer(tx, scope, name, number)
    if found is None:
        raise ResourceNotFoundError("The resource you requested does not exist.")
    return found


def _fits(layer: Layer, given: Mapping[str, Any]) -> bool:
    """Whether a layer is for the runtime and the architecture that a listing asks for."""
    for asked, kept in (
        ("CompatibleRuntime", "CompatibleRuntimes"),
        ("CompatibleArchitecture", "CompatibleArchitectures"),
    ):
        if asked in given and given[asked] not in layer.config.get(kept, []):
            return False
    return True

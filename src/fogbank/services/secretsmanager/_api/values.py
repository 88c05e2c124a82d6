"""Values: reading them, putting new ones, their versions and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.core.paging import InvalidTokenError, cut_page, decode_token, encode_token
from fogbank.services.secretsmanager import storage as rows
from fogbank.services.secretsmanager._api.frame import find, find_live, head, lacking, listed
from fogbank.services.secretsmanager._api.secrets import SecretOperations
from fogbank.services.secretsmanager.errors import (
    InvalidNextTokenError,
    InvalidParameterError,
    InvalidRequestError,
    SecretNotFoundError,
    SecretsError,
)
from fogbank.services.secretsmanager.model import (
    CURRENT,
    DAY,
    MAX_LABELS,
    Secret,
    Version,
    move,
    outdated,
    value_of,
)
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

_BATCH = 20
_PAGE = 100


class ValueOperations(SecretOperations):
    """What applications and rotation functions call."""

    async def get_secret_value(self, call: Call, request: t.GetSecretValueRequestTypeDef) -> Reply:
        """A secret's value: the current one, or that of a version."""
        wanted, stage = request.get("VersionId"), request.get("VersionStage")

        async def body(tx: Tx) -> tuple[Secret, Version]:
            secret = await find_live(tx, call.scope, request["SecretId"])
            return secret, _select(await rows.versions(tx, secret.id), wanted, stage)

        secret, version = await self.kit.storage.read(body)
        await self._accessed([(secret, version)])
        return self._value(secret, version)

    async def _accessed(self, read: Sequence[tuple[Secret, Version]]) -> None:
        """Note the day of an access, where it is another than before."""
        now = self.clock.millis()
        day = now - now % DAY
        fresh = [(secret, version) for secret, version in read if (secret.accessed, version.accessed) != (day, day)]
        if not fresh:
            return

        async def body(tx: Tx) -> None:
            for secret, version in fresh:
                await rows.touch(tx, secret, version, day)

        await self.kit.storage.transact(body)

    def _value(self, secret: Secret, version: Version) -> Reply:
        value = self.unseal(secret, version)
        assert value is not None, "versions without a value are not selected"
        found = {"SecretBinary": value.data} if value.binary else {"SecretString": value.data.decode()}
        return {
            **head(secret),
            "VersionId": version.id,
            **found,
            "VersionStages": list(version.stages),
            "CreatedDate": version.created / 1000,
        }

    async def batch_get_secret_value(self, call: Call, request: t.BatchGetSecretValueRequestTypeDef) -> Reply:
        """The current values of up to twenty secrets, by their names or by filters."""
        ids, filters = request.get("SecretIdList"), request.get("Filters")
        if bool(ids) == bool(filters):
            raise InvalidParameterError("You must include either SecretIdList or Filters, but not both.")
        if ids and request.get("MaxResults"):
            raise InvalidParameterError("MaxResults can be used with Filters only.")

        async def body(tx: Tx) -> tuple[list[tuple[Secret, Version]], list[dict[str, Any]], str | None]:
            names, token = list(ids or ()), None
            if not names:
                page, token = await listed(tx, call, request, request.get("MaxResults", _BATCH))
                names = [secret.arn for secret in page]
            found, errors = [], []
            for name in names:
                try:
                    secret = await find_live(tx, call.scope, name)
                    found.append((secret, _select(await rows.versions(tx, secret.id), None, None)))
                except SecretsError as error:
                    errors.append({"SecretId": name, "ErrorCode": error.code, "Message": error.message})
            return found, errors, token

        found, errors, token = await self.kit.storage.read(body)
        await self._accessed(found)
        return {
            "SecretValues": [self._value(secret, version) for secret, version in found],
            "Errors": errors,
            "NextToken": token,
        }

    async def put_secret_value(self, call: Call, request: t.PutSecretValueRequestTypeDef) -> Reply:
        """Add a version. Repeated with the same value it changes nothing."""
        lacking(request, "PutSecretValue", "RotationToken")
        value, token = value_of(request), self.token(request)
        if value is None:
            raise InvalidRequestError("You must provide either SecretString or SecretBinary.")
        labels = tuple(request.get("VersionStages") or (CURRENT,))

        async def body(tx: Tx) -> tuple[Secret, Version]:
            secret = await find_live(tx, call.scope, request["SecretId"])
            versions = await rows.versions(tx, secret.id)
            present = next((each for each in versions if each.id == token), None)
            if present is not None and present.sealed is not None and self.unseal(secret, present) == value:
                return secret, present
            chosen = labels if any(each.sealed for each in versions) else tuple({*labels, CURRENT})
            version = await self.add_version(tx, secret, token, value, chosen)
            await rows.update(tx, replace(secret, changed=self.clock.millis()))
            return secret, version

        secret, version = await self.kit.storage.transact(body)
        return {**head(secret), "VersionId": version.id, "VersionStages": list(version.stages)}

    async def list_secret_version_ids(self, call: Call, request: t.ListSecretVersionIdsRequestTypeDef) -> Reply:
        """A secret's versions that have a value, newest first."""
        deprecated = request.get("IncludeDeprecated", False)

        async def body(tx: Tx) -> tuple[Secret, list[Version]]:
            secret = await find(tx, call.scope, request["SecretId"])
            return secret, await rows.versions(tx, secret.id)

        secret, versions = await self.kit.storage.read(body)
        shown = [each for each in reversed(versions) if each.sealed and (deprecated or each.stages)]
        page, more = cut_page(_after(shown, request), request.get("MaxResults", _PAGE))
        return {
            **head(secret),
            "Versions": [_row(secret, version) for version in page],
            "NextToken": encode_token([page[-1].created, page[-1].id]) if more else None,
        }

    async def update_secret_version_stage(self, call: Call, request: t.UpdateSecretVersionStageRequestTypeDef) -> Reply:
        """Move a label from one version to another, or take it away."""
        source, target = request.get("RemoveFromVersionId"), request.get("MoveToVersionId")
        label = request["VersionStage"]

        async def body(tx: Tx) -> Secret:
            secret = await find_live(tx, call.scope, request["SecretId"])
            moved = move(await rows.versions(tx, secret.id), label, source, target)
            if any(len(version.stages) > MAX_LABELS for version in moved):
                raise InvalidParameterError(f"A version has {MAX_LABELS} staging labels at most.")
            now = self.clock.millis()
            await rows.put_versions(tx, secret.id, moved)
            await rows.drop_versions(tx, secret.id, outdated(moved, now))
            await rows.update(tx, replace(secret, changed=now))
            return secret

        return head(await self.kit.storage.transact(body))


def _select(versions: Sequence[Version], version_id: str | None, stage: str | None) -> Version:
    """The version that a request names, if it has a value."""
    if version_id is None:
        label = stage or CURRENT
        for version in versions:
            if label in version.stages and version.sealed is not None:
                return version
        raise SecretNotFoundError(f"staging label: {label}")
    found = next((version for version in versions if version.id == version_id), None)
    if found is None or found.sealed is None:
        raise SecretNotFoundError(f"VersionId: {version_id}")
    if stage is not None and stage not in found.stages:
        raise InvalidRequestError("You provided a VersionStage that is not associated to the provided VersionId.")
    return found


def _row(secret: Secret, version: Version) -> Mapping[str, Any]:
    return {
        "VersionId": version.id,
        "VersionStages": list(version.stages) or None,
        "LastAccessedDate": None if version.accessed is None else version.accessed / 1000,
        "CreatedDate": version.created / 1000,
        "KmsKeyIds": [secret.kms_key or "DefaultEncryptionKey"],
    }


def _after(versions: list[Version], request: Mapping[str, Any]) -> list[Version]:
    token = request.get("NextToken")
    if not token:
        return versions
    try:
        created, version_id = decode_token(token, tuple[int, str])
    except InvalidTokenError:
        raise InvalidNextTokenError from None
    return [each for each in versions if (each.created, each.id) < (created, version_id)]

"""Secrets: making, describing, listing, changing, deleting and restoring them; tags; random passwords."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.services.secretsmanager import storage as rows
from fogbank.services.secretsmanager._api.frame import SecretsFrame, find, find_live, head, lacking, listed
from fogbank.services.secretsmanager._passwords import random_password
from fogbank.services.secretsmanager._route import TOPIC
from fogbank.services.secretsmanager.errors import (
    InvalidParameterError,
    InvalidRequestError,
    SecretExistsError,
    SecretNotFoundError,
)
from fogbank.services.secretsmanager.model import (
    CURRENT,
    DAY,
    SUFFIX,
    Rotation,
    Secret,
    SecretKey,
    Value,
    Version,
    check_key,
    check_name,
    check_tags,
    locate,
    outdated,
    place,
    tags_of,
    value_of,
)
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

_LETTERS = string.ascii_letters + string.digits
_DEFAULT_WINDOW = 30
_WINDOWS = range(7, 31)
_PAGE = 100


class SecretOperations(SecretsFrame):
    """What owners of secrets call."""

    async def create_secret(self, call: Call, request: t.CreateSecretRequestTypeDef) -> Reply:
        """Make a secret, with its first version if it has a value. Repeated, it finds what it made."""
        lacking(request, "CreateSecret", "AddReplicaRegions", "Type", "CrossAccountPrimaryARN")
        key = SecretKey(call.scope.account, call.scope.region, check_name(request["Name"]))
        value, token = value_of(request), self.token(request)
        now, number = self.clock.millis(), self.kit.ids.number
        suffix = "".join(_LETTERS[number(len(_LETTERS))] for _ in range(SUFFIX))
        made = Secret(
            id=0,
            key=key,
            arn=call.scope.arn("secretsmanager", f"secret:{key.name}-{suffix}"),
            description=request.get("Description") or None,
            kms_key=check_key(request.get("KmsKeyId")),
            tags=check_tags(tags_of(request.get("Tags") or (), reserved=_may_reserve(call))),
            policy=None,
            created=now,
            changed=now,
            accessed=None,
            deleted=None,
            purged=None,
            rotation=Rotation(),
        )
        version = Version(token, (CURRENT,), self.seal(value, made.arn, token), bool(value and value.binary), now)

        async def body(tx: Tx) -> Secret:
            present = await rows.find(tx, key)
            if present is not None:
                return await self._repeated(tx, present, token, value)
            secret_id = await rows.insert(tx, made)
            if value is not None:
                await rows.put_versions(tx, secret_id, [version])
            return made

        found = await self.kit.storage.transact(body)
        return {**head(found), "VersionId": token if value is not None else None}

    async def _repeated(self, tx: Tx, present: Secret, token: str, value: Value | None) -> Secret:
        """The secret that an earlier, equal request made; else the name is taken."""
        if present.deleted is not None:
            raise InvalidRequestError(
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            )
        for version in await rows.versions(tx, present.id):
            if version.id == token and self.unseal(present, version) == value:
                return present
        raise SecretExistsError(f"The operation failed because the secret {present.name} already exists.")

    async def update_secret(self, call: Call, request: t.UpdateSecretRequestTypeDef) -> Reply:
        """Change a secret's description, key and value."""
        lacking(request, "UpdateSecret", "Type")
        value, token = value_of(request), self.token(request)
        kms_key, now = check_key(request.get("KmsKeyId")), self.clock.millis()

        async def body(tx: Tx) -> Secret:
            secret = await find_live(tx, call.scope, request["SecretId"])
            changed = replace(
                secret,
                description=request["Description"] or None if "Description" in request else secret.description,
                kms_key=kms_key if "KmsKeyId" in request else secret.kms_key,
                changed=now,
            )
            if value is not None:
                await self.add_version(tx, secret, token, value, (CURRENT,))
            await rows.update(tx, changed)
            return changed

        secret = await self.kit.storage.transact(body)
        return {**head(secret), "VersionId": token if value is not None else None}

    async def add_version(self, tx: Tx, secret: Secret, token: str, value: Value, labels: tuple[str, ...]) -> Version:
        """Add a version with labels; refuses an id that is taken. A version without a value gets it."""
        now = self.clock.millis()
        versions = await rows.versions(tx, secret.id)
        present = next((each for each in versions if each.id == token), None)
        if present is not None and present.sealed is not None:
            raise SecretExistsError(
                f"You can't use ClientRequestToken {token} because that value is already in use for a version of "
                f"secret {secret.arn}."
            )
        stages = present.stages if present is not None else ()
        version = Version(token, stages, self.seal(value, secret.arn, token), value.binary, now)
        placed = place(versions, version, labels)
        await rows.put_versions(tx, secret.id, placed)
        await rows.drop_versions(tx, secret.id, outdated(placed, now))
        return placed[-1]

    async def describe_secret(self, call: Call, request: t.DescribeSecretRequestTypeDef) -> Reply:
        """All of a secret but its value."""

        async def body(tx: Tx) -> Reply:
            secret = await find(tx, call.scope, request["SecretId"])
            return _shown(secret, await rows.versions(tx, secret.id), "VersionIdsToStages")

        return await self.kit.storage.read(body)

    async def list_secrets(self, call: Call, request: t.ListSecretsRequestTypeDef) -> Reply:
        """Secrets by filters, in the order that is asked for."""

        async def body(tx: Tx) -> Reply:
            page, token = await listed(
                tx,
                call,
                request,
                request.get("MaxResults", _PAGE),
                deleted=request.get("IncludePlannedDeletion", False),
            )
            shown = [_shown(each, await rows.versions(tx, each.id), "SecretVersionsToStages") for each in page]
            return {"SecretList": shown, "NextToken": token}

        return await self.kit.storage.read(body)

    async def delete_secret(self, call: Call, request: t.DeleteSecretRequestTypeDef) -> Reply:
        """Mark a secret for deletion, or delete it at once."""
        forced, window = request.get("ForceDeleteWithoutRecovery", False), request.get("RecoveryWindowInDays")
        if forced and window is not None:
            raise InvalidParameterError(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
            )
        if window is not None and window not in _WINDOWS:
            raise InvalidParameterError("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
        now = self.clock.millis()

        async def force(tx: Tx) -> Reply:
            try:
                secret = await find(tx, call.scope, request["SecretId"])
            except SecretNotFoundError:
                key, arn = locate(request["SecretId"], call.scope)
                arn = arn or call.scope.arn("secretsmanager", f"secret:{key.name}")
                return {"ARN": arn, "Name": key.name, "DeletionDate": now / 1000}
            await rows.delete(tx, secret)
            return {**head(secret), "DeletionDate": now / 1000}

        async def mark(tx: Tx) -> Reply:
            secret = await find_live(tx, call.scope, request["SecretId"])
            purged = now + (window or _DEFAULT_WINDOW) * DAY
            await rows.update(
                tx, replace(secret, deleted=now, purged=purged, rotation=replace(secret.rotation, due=None))
            )
            tx.wake(TOPIC)
            return {**head(secret), "DeletionDate": purged / 1000}

        return await self.kit.storage.transact(force if forced else mark)

    async def restore_secret(self, call: Call, request: t.RestoreSecretRequestTypeDef) -> Reply:
        """Take back a deletion."""

        async def body(tx: Tx) -> Secret:
            secret = await find(tx, call.scope, request["SecretId"])
            await rows.update(tx, replace(secret, deleted=None, purged=None))
            return secret

        return head(await self.kit.storage.transact(body))

    async def tag_resource(self, call: Call, request: t.TagResourceRequestTypeDef) -> Reply:
        """Add tags to a secret; a key that it has gets the new value."""
        tags = tags_of(request["Tags"], reserved=_may_reserve(call))
        await self._change_tags(call, request, lambda present: check_tags({**present, **tags}))
        return {}

    async def untag_resource(self, call: Call, request: t.UntagResourceRequestTypeDef) -> Reply:
        """Take tags from a secret."""
        keys = set(request["TagKeys"])
        await self._change_tags(
            call, request, lambda present: {key: value for key, value in present.items() if key not in keys}
        )
        return {}

    async def _change_tags(
        self, call: Call, request: Mapping[str, Any], change: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> None:
        async def body(tx: Tx) -> None:
            secret = await find_live(tx, call.scope, request["SecretId"])
            await rows.update(tx, replace(secret, tags=change(secret.tags), changed=self.clock.millis()))

        await self.kit.storage.transact(body)

    async def get_random_password(
        self,
        call: Call,  # noqa: ARG002 - it is about nothing
        request: t.GetRandomPasswordRequestTypeDef,
    ) -> Reply:
        """A password that is stored nowhere."""
        return {"RandomPassword": random_password(request, self.kit.ids.number)}


def _may_reserve(call: Call) -> bool:
    """CloudFormation sets tags of its own on the secrets that it makes."""
    return call.principal.service == "cloudformation.amazonaws.com"


def _shown(secret: Secret, versions: list[Version], stages: str) -> Reply:
    rotation = secret.rotation
    configured = bool(rotation.function)
    return {
        **head(secret),
        "Description": secret.description,
        "KmsKeyId": secret.kms_key,
        "RotationEnabled": rotation.enabled if configured else None,
        "RotationLambdaARN": rotation.function or None,
        "RotationRules": dict(rotation.rules) or None,
        "LastRotatedDate": _seconds(rotation.rotated),
        "LastChangedDate": secret.changed / 1000,
        "LastAccessedDate": _seconds(secret.accessed),
        "DeletedDate": _seconds(secret.deleted),
        "NextRotationDate": _seconds(rotation.due),
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()] or None,
        stages: {version.id: list(version.stages) for version in versions if version.stages} or None,
        "CreatedDate": secret.created / 1000,
    }


def _seconds(moment: int | None) -> float | None:
    return None if moment is None else moment / 1000

"""RotateSecret and CancelRotateSecret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.call import Call, Principal, Reply
from fogbank.core.errors import ApiError
from fogbank.services.secretsmanager import storage as rows
from fogbank.services.secretsmanager._api.frame import SecretsFrame, find_live, head, lacking
from fogbank.services.secretsmanager._route import SERVICE, TOPIC, rotation
from fogbank.services.secretsmanager._rules import check_rules, next_rotation
from fogbank.services.secretsmanager.errors import InvalidParameterError, InvalidRequestError
from fogbank.services.secretsmanager.model import PENDING, Rotation, Secret, Version
from fogbank.services.secretsmanager.worker import waiting, without_pending
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t


class RotationOperations(SecretsFrame):
    """What begins rotations and ends them."""

    async def rotate_secret(self, call: Call, request: t.RotateSecretRequestTypeDef) -> Reply:
        """Set how a secret is rotated, and begin: its function's four steps follow by the outbox."""
        lacking(request, "RotateSecret", "ExternalSecretRotationMetadata", "ExternalSecretRotationRoleArn")
        rules = request.get("RotationRules")
        check_rules(rules or {})
        given = request.get("RotationLambdaARN")
        if given:
            await self._check_function(call, given)
        token, now = self.token(request), self.clock.millis()
        immediately = request.get("RotateImmediately", True)

        async def body(tx: Tx) -> tuple[Secret, str | None]:
            secret = await find_live(tx, call.scope, request["SecretId"])
            versions = await rows.versions(tx, secret.id)
            before = next((each for each in versions if each.id == token), None)
            if before is not None and PENDING in before.stages:
                return secret, token  # a repetition
            if waiting(versions) is not None:
                raise InvalidRequestError("A previous rotation isn't complete. That rotation will be reattempted.")
            changed = replace(secret, rotation=_rotation(secret, given, rules, now))
            await rows.update(tx, changed)
            tx.wake(TOPIC)
            if immediately:
                version = Version(token, (PENDING,), None, binary=False, created=now)
                await rows.put_versions(tx, secret.id, (*without_pending(versions), version))
            message = rotation(changed, token, call.trace, trial=not immediately)
            await self.kit.delivery.enqueue(tx, message)
            return secret, token if immediately else None

        secret, version = await self.kit.storage.transact(body)
        return {**head(secret), "VersionId": version}

    async def _check_function(self, call: Call, function: str) -> None:
        try:
            arn = Arn.parse(function)
        except MalformedArnError:
            raise InvalidParameterError("RotationLambdaARN is not a valid ARN.") from None
        if arn.service != "lambda":
            raise InvalidParameterError("RotationLambdaARN is not the ARN of a Lambda function.")
        request = {"FunctionName": function}
        try:
            await self.kit.cloud.call(
                arn.scope, "lambda", "GetFunctionConfiguration", request,
                trace=call.trace, principal=Principal(service=SERVICE),
            )  # fmt: skip
        except ApiError as error:
            raise InvalidRequestError(
                f"Secrets Manager cannot invoke the specified Lambda function: {error.message}"
            ) from None

    async def cancel_rotate_secret(self, call: Call, request: t.CancelRotateSecretRequestTypeDef) -> Reply:
        """Turn rotation off; one that is under way does not go on after its present attempt."""

        async def body(tx: Tx) -> tuple[Secret, Version | None]:
            secret = await find_live(tx, call.scope, request["SecretId"])
            if not secret.rotation.function:
                raise InvalidRequestError("No Lambda rotation function ARN is associated with this secret.")
            await rows.update(tx, replace(secret, rotation=replace(secret.rotation, enabled=False, due=None)))
            return secret, waiting(await rows.versions(tx, secret.id))

        secret, version = await self.kit.storage.transact(body)
        return {**head(secret), "VersionId": version.id if version is not None else None}


def _rotation(secret: Secret, function: str | None, rules: Mapping[str, Any] | None, now: int) -> Rotation:
    """How a secret is rotated from now on."""
    chosen = function or secret.rotation.function
    if not chosen:
        raise InvalidRequestError("No Lambda rotation function ARN is associated with this secret.")
    kept = dict(rules) if rules else dict(secret.rotation.rules)
    return replace(secret.rotation, enabled=True, function=chosen, rules=kept, due=next_rotation(kept, now, now))

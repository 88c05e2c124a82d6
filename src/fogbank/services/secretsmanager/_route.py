"""Rotates a secret: the four steps of its function, in order, again from the first when one fails.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.arn import Arn
from fogbank.core.call import Principal
from fogbank.core.trace import Trace
from fogbank.delivery import Attempt, Failure, Message, PermanentError, RetryPolicy, Route
from fogbank.delivery.message import RetryLaterError
from fogbank.services.secretsmanager import storage as rows
from fogbank.services.secretsmanager._rules import next_rotation
from fogbank.services.secretsmanager.model import CURRENT, PENDING, Secret, SecretKey
from fogbank.storage import Tx

if TYPE_CHECKING:
    from fogbank.services.kit import Kit

ROUTE = "secretsmanager.rotation"
SERVICE = "secretsmanager.amazonaws.com"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
TRIAL = ("testSecret",)
_POLICY = RetryPolicy(max_retries=4, max_age=86_400.0, delays=(60.0, 300.0, 900.0, 1800.0))


def rotation(secret: Secret, version: str, trace: Trace, *, trial: bool = False) -> Message:
    """What rotates a secret to a version; a `trial` only tests that the function works."""
    return Message(
        target=secret.rotation.function,
        payload=msgspec.json.encode({"name": secret.name, "arn": secret.arn, "version": version}),
        scope=secret.key.scope,
        trace=trace,
        route=ROUTE,
        source=SERVICE,
        parameters={"trial": trial},
        policy=_POLICY,
    )


class RotationRoute(Route):
    """Calls rotation functions."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def attempt(self, attempt: Attempt) -> Any:
        """All steps; whether the secret was rotated (not if that was cancelled, or only tried)."""
        trial = attempt.message.parameters["trial"]
        if not trial and not await self._is_wanted(attempt):
            return False
        await self._perform(attempt, TRIAL if trial else STEPS)
        if trial:
            return False
        if CURRENT not in await self._stages(attempt):
            raise PermanentError("RotationFailed", "the function ended without moving AWSCURRENT to the new version")
        return True

    async def _perform(self, attempt: Attempt, steps: Sequence[str]) -> None:
        about = msgspec.json.decode(attempt.message.payload)
        arn = Arn.parse(attempt.message.target)
        for step in steps:
            event = {"Step": step, "SecretId": about["arn"], "ClientRequestToken": about["version"]}
            reply = await self._kit.cloud.call(
                arn.scope,
                "lambda",
                "Invoke",
                {"FunctionName": str(arn), "Payload": msgspec.json.encode(event)},
                trace=attempt.trace,
                principal=Principal(service=SERVICE),
            )
            if reply.get("FunctionError"):
                raise RetryLaterError("FunctionError", f"{step} failed in {arn}")

    async def _stages(self, attempt: Attempt) -> Sequence[str]:
        """The labels of the version that is rotated to; none if it, or its secret, is gone."""
        about = msgspec.json.decode(attempt.message.payload)

        async def body(tx: Tx) -> Sequence[str]:
            secret = await _secret(tx, attempt)
            if secret is None or secret.deleted is not None or secret.arn != about["arn"]:
                return ()
            versions = await rows.versions(tx, secret.id)
            return next((each.stages for each in versions if each.id == about["version"]), ())

        return await self._kit.storage.read(body)

    async def _is_wanted(self, attempt: Attempt) -> bool:
        """Whether the version still waits: it may have been finished by an attempt before a crash, or given up."""
        secret = await self._kit.storage.read(lambda tx: _secret(tx, attempt))
        return secret is not None and secret.rotation.enabled and PENDING in await self._stages(attempt)

    async def succeeded(self, tx: Tx, attempt: Attempt, result: Any) -> None:
        """Note when the secret was rotated, and when it is to be again."""
        secret = await _secret(tx, attempt) if result else None
        if secret is None:
            return
        now = self._kit.clock.millis()
        due = next_rotation(secret.rotation.rules, now, now) if secret.rotation.enabled else None
        await rows.update(tx, replace(secret, rotation=replace(secret.rotation, rotated=now, due=due)))
        tx.wake(TOPIC)

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """The version keeps AWSPENDING, as on AWS: the schedule tries it again."""


TOPIC = "secretsmanager.due"


async def _secret(tx: Tx, attempt: Attempt) -> Secret | None:
    scope = attempt.message.scope
    name = msgspec.json.decode(attempt.message.payload)["name"]
    return await rows.find(tx, SecretKey(scope.account, scope.region, name))

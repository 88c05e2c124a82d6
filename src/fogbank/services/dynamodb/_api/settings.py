"""Settings beside the table itself: time to live, tags, resource policies, continuous backups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb import worker
from fogbank.services.dynamodb._api.parts import Parts
from fogbank.services.dynamodb._rows.catalog import check_length, table_of_arn
from fogbank.services.dynamodb._rows.expiry import TOPIC
from fogbank.services.dynamodb._tables import creation
from fogbank.services.dynamodb.errors import PolicyNotFoundError, ResourceNotFoundError, TableNotFoundError
from fogbank.services.dynamodb.model import Definition, Table
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        DeleteResourcePolicyInputTypeDef,
        DescribeContinuousBackupsInputTypeDef,
        DescribeTimeToLiveInputTypeDef,
        GetResourcePolicyInputTypeDef,
        ListTagsOfResourceInputTypeDef,
        PutResourcePolicyInputTypeDef,
        TagResourceInputTypeDef,
        UntagResourceInputTypeDef,
        UpdateContinuousBackupsInputTypeDef,
        UpdateTimeToLiveInputTypeDef,
    )

Changed = Callable[[Tx, Table], Awaitable[Definition]]

DEFAULT_RECOVERY_DAYS = 35


class SettingOperations(Parts):
    """Operations on what a table has beside its items."""

    async def update_time_to_live(self, call: Call, request: UpdateTimeToLiveInputTypeDef) -> Reply:
        """Begin or cease to remove items by an attribute that says when they expire (seconds since the epoch)."""
        given = request["TimeToLiveSpecification"]
        attribute, enabled = given["AttributeName"], given["Enabled"]
        now = self.kit.clock.time()
        check_length(request["TableName"])

        async def body(tx: Tx, table: Table) -> None:
            current = table.definition.ttl_attribute
            if enabled and current == attribute:
                raise ValidationError("TimeToLive is already enabled")
            if enabled and current is not None:
                raise ValidationError(
                    f"TimeToLive is active on a different AttributeName: current AttributeName is {current}"
                )
            if not enabled and current is None:
                raise ValidationError("TimeToLive is already disabled")
            if not enabled and current != attribute:
                raise ValidationError(
                    f"TimeToLive is active on a different AttributeName: current AttributeName is {current}"
                )
            definition = replace(table.definition, ttl_attribute=attribute if enabled else None, ttl_changed=now)
            await self.tables.update(tx, table, definition)
            await self.upkeep.add_chore(tx, worker.NOTE_EXPIRY, table.id)
            tx.wake(TOPIC)

        await self.changes_table(call.scope, request["TableName"], body)
        return {"TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute}}

    async def describe_time_to_live(self, call: Call, request: DescribeTimeToLiveInputTypeDef) -> Reply:
        """Whether items expire, and by which attribute."""
        check_length(request["TableName"])

        async def body(tx: Tx) -> Reply:
            table = await self.catalog.find(tx, call.scope, request["TableName"], named=True)
            attribute = table.definition.ttl_attribute
            if attribute is None:
                return {"TimeToLiveStatus": "DISABLED"}
            return {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}

        return {"TimeToLiveDescription": await self.kit.storage.read(body)}

    # -- tags ---------------------------------------------------------------------------------------------

    async def tag_resource(self, call: Call, request: TagResourceInputTypeDef) -> Reply:
        """Add tags to a table, or change their values."""
        if not request["Tags"]:
            raise ValidationError("Atleast one Tag needs to be provided as Input.")
        given = creation.tags(request["Tags"])

        async def body(_tx: Tx, table: Table) -> Definition:
            found = {**table.definition.tags, **given}
            creation.check_tags(found)
            return replace(table.definition, tags=found)

        await self._change_by_arn(call, request["ResourceArn"], body)
        return {}

    async def untag_resource(self, call: Call, request: UntagResourceInputTypeDef) -> Reply:
        """Remove tags from a table."""
        gone = set(request["TagKeys"])
        if not gone:
            raise ValidationError("Atleast one Tag Key needs to be provided as Input.")

        async def body(_tx: Tx, table: Table) -> Definition:
            left = {key: value for key, value in table.definition.tags.items() if key not in gone}
            return replace(table.definition, tags=left)

        await self._change_by_arn(call, request["ResourceArn"], body)
        return {}

    async def list_tags_of_resource(self, call: Call, request: ListTagsOfResourceInputTypeDef) -> Reply:
        """A table's tags; all of them fit on one page."""

        async def body(tx: Tx) -> Mapping[str, str]:
            table = await table_of_arn(self.catalog, tx, call.scope, request["ResourceArn"])
            return table.definition.tags

        found = await self.kit.storage.read(body)
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.items()]}

    async def _change_by_arn(self, call: Call, resource: str, changed: Changed) -> Definition:
        table = await self.kit.storage.read(lambda tx: table_of_arn(self.catalog, tx, call.scope, resource))

        async def body(tx: Tx, current: Table) -> Definition:
            definition = await changed(tx, current)
            await self.tables.update(tx, current, definition)
            return definition

        return await self.changes_table(table.scope, table.name, body)

    # -- resource policies --------------------------------------------------------------------------------

    async def put_resource_policy(self, call: Call, request: PutResourcePolicyInputTypeDef) -> Reply:
        """Keep a table's resource-based policy. It is stored and answered, not enforced."""
        policy = creation.checked_policy(request["Policy"])
        revision = str(self.kit.clock.millis())

        async def body(_tx: Tx, table: Table) -> Definition:
            _check_revision(table.definition, request.get("ExpectedRevisionId"), creates=True)
            return replace(table.definition, policy=policy, policy_revision=revision)

        definition = await self._change_by_arn(call, request["ResourceArn"], body)
        return {"RevisionId": definition.policy_revision}

    async def get_resource_policy(self, call: Call, request: GetResourcePolicyInputTypeDef) -> Reply:
        """A table's resource-based policy."""

        async def body(tx: Tx) -> Definition:
            table = await table_of_arn(self.catalog, tx, call.scope, request["ResourceArn"])
            return table.definition

        definition = await self.kit.storage.read(body)
        if definition.policy is None:
            raise PolicyNotFoundError(
                f"Resource-based policy not found for the provided ResourceArn: {request['ResourceArn']}"
            )
        return {"Policy": definition.policy, "RevisionId": definition.policy_revision}

    async def delete_resource_policy(self, call: Call, request: DeleteResourcePolicyInputTypeDef) -> Reply:
        """Remove a table's resource-based policy; nothing happens if there is none."""
        revision = ""

        async def body(_tx: Tx, table: Table) -> Definition:
            nonlocal revision
            _check_revision(table.definition, request.get("ExpectedRevisionId"), creates=False)
            revision = table.definition.policy_revision
            return replace(table.definition, policy=None, policy_revision="")

        await self._change_by_arn(call, request["ResourceArn"], body)
        return {"RevisionId": revision or None}

    # -- continuous backups -------------------------------------------------------------------------------

    async def describe_continuous_backups(self, call: Call, request: DescribeContinuousBackupsInputTypeDef) -> Reply:
        """Whether point-in-time recovery is on. Only the present moment can be restored (`backups.py`)."""

        async def body(tx: Tx) -> Reply:
            return self._backups(await self._table_with_backups(tx, call, request["TableName"]))

        return {"ContinuousBackupsDescription": await self.kit.storage.read(body)}

    async def update_continuous_backups(self, call: Call, request: UpdateContinuousBackupsInputTypeDef) -> Reply:
        """Turn point-in-time recovery on or off, as far as the setting goes."""
        given = request["PointInTimeRecoverySpecification"]
        enabled, days = given["PointInTimeRecoveryEnabled"], given.get("RecoveryPeriodInDays")
        if not enabled and days is not None:
            raise ValidationError("RecoveryPeriodInDays can be specified only when PITR is enabled")
        now = self.kit.clock.time()

        async def body(tx: Tx, table: Table) -> Reply:
            old = table.definition
            was = old.recovery_days
            new = replace(
                old,
                recovery_days=(days or was or DEFAULT_RECOVERY_DAYS) if enabled else None,
                recovery_since=old.recovery_since if was is not None else now,
            )
            return self._backups(await self.tables.update(tx, table, new))

        try:
            described = await self.changes_table(call.scope, request["TableName"], body)
        except ResourceNotFoundError:
            raise TableNotFoundError(f"Table not found: {request['TableName']}") from None
        return {"ContinuousBackupsDescription": described}

    async def _table_with_backups(self, tx: Tx, call: Call, name: str) -> Table:
        try:
            return await self.catalog.find(tx, call.scope, name)
        except ResourceNotFoundError:
            raise TableNotFoundError(f"Table not found: {name}") from None

    def _backups(self, table: Table) -> dict[str, Any]:
        definition = table.definition
        if definition.recovery_days is None:
            return {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
            }
        now = self.kit.clock.time()
        earliest = max(definition.recovery_since, now - definition.recovery_days * 86_400)
        return {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": definition.recovery_days,
                "EarliestRestorableDateTime": earliest,
                "LatestRestorableDateTime": now,
            },
        }


def _check_revision(definition: Definition, expected: str | None, *, creates: bool) -> None:
    """A policy is changed only from the revision that the caller knows, if it says which."""
    if expected is None:
        return
    if creates and expected == "NO_POLICY" and definition.policy is None:
        return
    if expected != definition.policy_revision or definition.policy is None:
        raise PolicyNotFoundError(f"Resource-based policy not found due to revision id mismatch: expected {expected}")

"""Backups on demand, and restoring tables from them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.call import Call, Reply
from fogbank.core.errors import NotImplementedByFogbank, ValidationError
from fogbank.core.scope import Scope
from fogbank.services.dynamodb import worker
from fogbank.services.dynamodb._api.parts import Parts
from fogbank.services.dynamodb._backups.description import description, details, summary
from fogbank.services.dynamodb._backups.restoring import restored
from fogbank.services.dynamodb._backups.storage import Backup
from fogbank.services.dynamodb._rows.catalog import resolve
from fogbank.services.dynamodb._rows.expiry import TOPIC
from fogbank.services.dynamodb._tables.description import describe
from fogbank.services.dynamodb.errors import (
    BackupNotFoundError,
    PointInTimeRecoveryUnavailableError,
    ResourceNotFoundError,
    TableAlreadyExistsError,
    TableNotFoundError,
)
from fogbank.services.dynamodb.model import Definition, Table
from fogbank.storage import Tx
from fogbank.telemetry.usage import Use

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        CreateBackupInputTypeDef,
        DeleteBackupInputTypeDef,
        DescribeBackupInputTypeDef,
        ListBackupsInputTypeDef,
        RestoreTableFromBackupInputTypeDef,
        RestoreTableToPointInTimeInputTypeDef,
    )

_PAGE = 100


class BackupOperations(Parts):
    """Operations on backups. Making one and restoring from one copies the items in one statement."""

    async def create_backup(self, call: Call, request: CreateBackupInputTypeDef) -> Reply:
        """Keep a table as it is now."""
        now = self.kit.clock.time()
        label = f"{int(now * 1000):014d}-{self.kit.ids.hex(8)}"

        async def body(tx: Tx) -> Backup:
            table = await self._source(tx, call.scope, request["TableName"])
            counted = await self.tables.statistics(tx, table)
            arn = f"{table.arn}/backup/{label}"
            return await self.backups.add(tx, table, arn, request["BackupName"], now, counted)

        return {"BackupDetails": details(await self.kit.storage.transact(body), "CREATING")}

    async def _source(self, tx: Tx, scope: Scope, name: str) -> Table:
        try:
            return await self.catalog.find(tx, scope, name)
        except ResourceNotFoundError:
            raise TableNotFoundError(f"Table not found: {name}") from None

    async def describe_backup(self, call: Call, request: DescribeBackupInputTypeDef) -> Reply:
        """A backup, and the table as it was."""
        backup = await self.kit.storage.read(lambda tx: self._backup(tx, call.scope, request["BackupArn"]))
        return {"BackupDescription": description(backup, call.scope)}

    async def _backup(self, tx: Tx, scope: Scope, arn: str) -> Backup:
        try:
            owner = Arn.parse(arn)
        except MalformedArnError:
            raise ValidationError(f"The specified BackupArn is not valid: {arn}") from None
        found = await self.backups.find(tx, arn)
        if found is None or (owner.account, owner.region) != (scope.account, scope.region):
            raise BackupNotFoundError(f"Backup not found: {arn}")
        return found

    async def delete_backup(self, call: Call, request: DeleteBackupInputTypeDef) -> Reply:
        """Forget a backup."""

        async def body(tx: Tx) -> Backup:
            backup = await self._backup(tx, call.scope, request["BackupArn"])
            await self.backups.delete(tx, backup)
            await self.upkeep.add_chore(tx, worker.PURGE_TABLE, backup.source)
            tx.wake(TOPIC)
            return backup

        backup = await self.kit.storage.transact(body)
        return {"BackupDescription": description(backup, call.scope, "DELETED")}

    async def list_backups(self, call: Call, request: ListBackupsInputTypeDef) -> Reply:
        """Backups in the order of their making, of one table or of all, a page at a time."""
        limit = request.get("Limit", _PAGE)
        if request.get("BackupType", "ALL") not in ("ALL", "USER"):
            return {"BackupSummaries": []}
        name = None if "TableName" not in request else resolve(call.scope, request["TableName"])[1]
        low = float(request.get("TimeRangeLowerBound", -math.inf))  # type: ignore[arg-type]
        high = float(request.get("TimeRangeUpperBound", math.inf))  # type: ignore[arg-type]

        async def body(tx: Tx) -> list[Backup]:
            after = (-math.inf, 0)
            if "ExclusiveStartBackupArn" in request:
                start = await self._backup(tx, call.scope, request["ExclusiveStartBackupArn"])
                after = (start.created, start.id)
            found: list[Backup] = []
            while len(found) <= limit:
                page = await self.backups.listed(tx, call.scope, after, low, high, _PAGE)
                found += [one for one in page if name is None or one.definition.name == name]
                if len(page) < _PAGE:
                    break
                after = (page[-1].created, page[-1].id)
            return found

        found = await self.kit.storage.read(body)
        reply: Reply = {"BackupSummaries": [summary(one, call.scope) for one in found[:limit]]}
        if len(found) > limit:
            reply["LastEvaluatedBackupArn"] = found[limit - 1].arn
        return reply

    # -- restoring ----------------------------------------------------------------------------------------

    async def restore_table_from_backup(self, call: Call, request: RestoreTableFromBackupInputTypeDef) -> Reply:
        """Make a table of a backup."""
        now = self.kit.clock.time()

        async def body(tx: Tx) -> Table:
            backup = await self._backup(tx, call.scope, request["BackupArn"])
            self._bill_restored(call, request["TargetTableName"], backup.size)
            source = backup.definition
            wanted = restored(source, request, "RestoreTableFromBackup", call.scope, now, self.kit.ids)
            origin: dict[str, str | float] = {
                "SourceBackupArn": backup.arn,
                "SourceTableArn": call.scope.arn("dynamodb", f"table/{source.name}"),
                "RestoreDateTime": now,
            }
            return await self._restore(tx, call.scope, wanted, backup.source, origin)

        return await self._restored(call.scope, request["TargetTableName"], body)

    async def restore_table_to_point_in_time(self, call: Call, request: RestoreTableToPointInTimeInputTypeDef) -> Reply:
        """Make a table of another as it is now. Earlier moments are not kept, and are refused by name."""
        reference = request.get("SourceTableArn") or request.get("SourceTableName")
        if reference is None:
            raise ValidationError("One of SourceTableArn and SourceTableName must be specified")
        if "RestoreDateTime" in request:
            raise NotImplementedByFogbank(
                "Fogbank does not implement RestoreDateTime of dynamodb.RestoreTableToPointInTime yet"
            )
        if not request.get("UseLatestRestorableTime"):
            raise ValidationError("Either RestoreDateTime or UseLatestRestorableTime must be specified")
        now = self.kit.clock.time()

        async def body(tx: Tx) -> Table:
            source = await self._source(tx, call.scope, reference)
            if source.definition.recovery_days is None:
                raise PointInTimeRecoveryUnavailableError(
                    f"Point in time recovery is not enabled for table '{source.name}'"
                )
            self._bill_restored(call, request["TargetTableName"], (await self.tables.statistics(tx, source))[1])
            wanted = restored(source.definition, request, "RestoreTableToPointInTime", call.scope, now, self.kit.ids)
            origin: dict[str, str | float] = {"SourceTableArn": source.arn, "RestoreDateTime": now}
            return await self._restore(tx, call.scope, wanted, source.id, origin)

        return await self._restored(call.scope, request["TargetTableName"], body)

    def _bill_restored(self, call: Call, name: str, size: int) -> None:
        self.kit.usage.add(call.scope, call.trace.root, (Use("dynamodb.restored-gb", name, size / 1024**3),))

    async def _restore(
        self, tx: Tx, scope: Scope, wanted: Definition, items: int, origin: dict[str, str | float]
    ) -> Table:
        if await self.tables.find(tx, scope, wanted.name) is not None:
            raise TableAlreadyExistsError(f"Table already exists: {wanted.name}")
        table = await self.tables.insert(tx, scope, replace(wanted, restored=origin))
        await self.backups.copy(tx, items, table.id)
        if table.definition.restoring:
            await self.upkeep.add_chore(tx, worker.RESTORE, table.id)
            tx.wake(TOPIC)
        return table

    async def _restored(self, scope: Scope, name: str, body: Callable[[Tx], Awaitable[Table]]) -> Reply:
        with self.catalog.changing(scope, name):
            table = await self.kit.storage.transact(body)
        described = describe(table, {}, "CREATING")
        described["RestoreSummary"]["RestoreInProgress"] = True
        return {"TableDescription": described}

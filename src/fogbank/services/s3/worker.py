"""What S3 does on its own: it removes what a crash left, and what lifecycle rules say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from fogbank.core.call import Call, Principal
from fogbank.core.trace import Trace
from fogbank.services.kit import Kit
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._lifecycle import DAY, SETTING, Fate, Rule, Verdict, rules_of, verdicts
from fogbank.services.s3._listing import Start
from fogbank.services.s3._notifications import PRINCIPAL, Notifier
from fogbank.services.s3._pieces import Pieces, unlink
from fogbank.services.s3._writing import Writer
from fogbank.services.s3.model import Bucket
from fogbank.storage import Storage, Tx

TOPIC = "s3.lifecycle"
_BATCH = 200
_KEYS = 100
"""Keys of which all versions are looked at in one transaction."""

Abort = Callable[[Tx, str], Awaitable[None]]


class Sweeper:
    """Looks once, after the start, through the files that earlier runs left, and removes those without a row."""

    def __init__(self, storage: Storage, pieces: Pieces) -> None:
        self._storage = storage
        self._pieces = pieces

    async def run(self) -> None:
        """Sweep. Files of this run are left alone: they may be written before their row is."""
        listed = await asyncio.to_thread(self._pieces.listed)
        fresh, self._pieces.fresh = self._pieces.fresh or set(), None
        old = [path for path in listed if path.name not in fresh]
        for at in range(0, len(old), _BATCH):
            orphans = await self._orphans(old[at : at + _BATCH])
            await asyncio.to_thread(unlink, orphans)

    async def _orphans(self, files: Sequence[Path]) -> list[Path]:
        async def body(tx: Tx) -> list[Path]:
            return [path for path in files if not await rows.has_piece(tx, path.name)]

        return await self._storage.read(body)


class Lifecycle:
    """Acts on lifecycle rules once a day, at midnight UTC, and after a start on what it missed."""

    def __init__(self, kit: Kit, writer: Writer, notifier: Notifier, abort: Abort) -> None:
        self._kit = kit
        self._writer = writer
        self._notifier = notifier
        self._abort = abort
        self._day: int | None = None

    async def act(self) -> float | None:
        """Do what is due; the next midnight, if any bucket has rules."""
        now = int(self._kit.clock.time())
        buckets = await self._kit.storage.read(rows.buckets_with_lifecycle)
        if self._day != now // DAY:
            for bucket in buckets:
                await self._tidy(bucket, now)
            self._day = now // DAY
        return (now // DAY + 1) * DAY if buckets else None

    async def _tidy(self, bucket: Bucket, now: int) -> None:
        """Look at every version and every upload of a bucket."""
        after: str | None = ""
        while after is not None:
            after = await self._kit.storage.transact(partial(self._versions, bucket=bucket, after=after, now=now))
        place: Start | None = Start("", inclusive=True)
        while place is not None:
            place = await self._kit.storage.transact(partial(self._uploads, bucket=bucket, start=place, now=now))

    async def _rules(self, tx: Tx, bucket: Bucket) -> list[Rule]:
        configuration = await rows.setting(tx, bucket.id, SETTING)
        return rules_of(configuration) if configuration else []

    async def _versions(self, tx: Tx, bucket: Bucket, after: str, now: int) -> str | None:
        """Act on the versions of some keys behind one; the last of them, if there may be more."""
        rules = await self._rules(tx, bucket)
        keys = await rows.keys(tx, bucket.id, after, _KEYS) if rules else []
        for key in keys:
            for verdict in list(verdicts(rules, await rows.versions_of(tx, bucket.id, key), now)):
                await self._carry_out(tx, bucket, verdict)
        return keys[-1] if len(keys) == _KEYS else None

    async def _carry_out(self, tx: Tx, bucket: Bucket, verdict: Verdict) -> None:
        call = self._call(bucket)
        version = verdict.version
        if verdict.fate is Fate.EXPIRE:
            await self._writer.delete(tx, call, bucket, version.key, version)
        elif verdict.fate is Fate.REMOVE:
            await self._writer.delete_version(tx, call, bucket, version.key, version.version)
        else:
            moved = replace(version, attributes=replace(version.attributes, storage_class=verdict.storage_class))
            await rows.set_details(tx, moved)
            if bucket.notifies:
                await self._notifier.tell(tx, call, bucket, moved, "LifecycleTransition")

    async def _uploads(self, tx: Tx, bucket: Bucket, start: Start, now: int) -> Start | None:
        """Act on some uploads; where the next begin, if there may be more."""
        rules = await self._rules(tx, bucket)
        found = await rows.list_uploads(tx, bucket.id, start, _BATCH) if rules else []
        for upload in found:
            if any(rule.aborts(upload, now) for rule in rules):
                await self._abort(tx, upload.id)
        return Start(found[-1].key, inclusive=False, entry=found[-1].id) if len(found) == _BATCH else None

    def _call(self, bucket: Bucket) -> Call:
        """S3 itself does it."""
        kit = self._kit
        trace = Trace.begin(kit.clock, kit.ids)
        return Call(bucket.scope, "s3", "DeleteObject", kit.ids.uuid(), trace, Principal(service=PRINCIPAL))

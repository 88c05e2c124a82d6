"""Takes the snapshot of each version that is published with SnapStart: beside the answer, and again after a restart."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.lifecycle import Actor
from fogbank.runtime import InitFailedError, RuntimeUnavailableError, StartError
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._names import FunctionRef, version_number
from fogbank.services.lambda_._warm import storage as warm_rows
from fogbank.services.lambda_.errors import FunctionNotFoundError
from fogbank.services.lambda_.model import SNAPSHOT, VersionState
from fogbank.storage import Tx

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.services.lambda_._targets import Targets

_log = logging.getLogger("fogbank.lambda")
_AT_ONCE = 2
"""Snapshots that are taken side by side."""
_AGAIN = 1.0
"""Seconds until one is tried again that failed by a fault of ours."""


class SnapshotTaker(Actor):
    """Takes snapshots and says in the version's state how that went."""

    def __init__(self, kit: Kit, targets: Targets) -> None:
        super().__init__()
        self._kit = kit
        self._targets = targets
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def on_start(self) -> None:
        """Go on where the last server was stopped. Snapshots of other versions are taken when they are needed."""
        for ref in await self._kit.storage.read(warm_rows.pending_versions):
            self.take(ref)

    def take(self, ref: FunctionRef) -> None:
        """Take the snapshot of a version that is Pending."""
        if self.running:
            self.spawn(self._take(ref), name=f"snapshot-{ref.name}")

    async def _take(self, ref: FunctionRef) -> None:
        async with self._places:
            while True:
                try:
                    state = await self._try(ref)
                except FunctionNotFoundError:
                    return  # it was deleted
                except StartError as error:
                    _log.warning("the snapshot of %s cannot be taken: %s; trying again", ref.qualified_arn, error)
                    await self._kit.clock.sleep(_AGAIN)
                    continue
                break
            await self._kit.storage.transact(lambda tx: self._say(tx, ref, state))

    async def _try(self, ref: FunctionRef) -> VersionState:
        resolution = await self._targets.find(ref)
        try:
            await self._kit.runtime.snapshot(resolution.pick(0.0).version)
        except InitFailedError:
            return VersionState.FAILED
        except RuntimeUnavailableError as error:
            _log.warning("the snapshot of %s cannot be taken: %s", ref.qualified_arn, error)
            return VersionState.FAILED
        return VersionState.ACTIVE

    async def _say(self, tx: Tx, ref: FunctionRef, state: VersionState) -> None:
        version = await rows.find_version(tx, ref, version_number(ref.qualifier or ""))
        if version is None:
            return
        config = {**version.config, SNAPSHOT: {"State": state.value}}
        await rows.put_version(tx, replace(version, config=config))
        self._targets.changed(tx, ref)

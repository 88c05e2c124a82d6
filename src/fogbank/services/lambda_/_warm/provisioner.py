"""Has the environments of provisioned concurrency started, and divides them when aliases move."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fogbank.core.lifecycle import Actor
from fogbank.core.scope import Scope
from fogbank.runtime import FunctionVersion, Provision
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._names import FunctionRef, is_version
from fogbank.services.lambda_._warm import storage as warm_rows
from fogbank.services.lambda_._warm.model import Requested, shares, together
from fogbank.services.lambda_.errors import FunctionNotFoundError
from fogbank.services.lambda_.model import Alias
from fogbank.storage import Tx

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.services.lambda_._concurrency import Concurrency
    from fogbank.services.lambda_._targets import Targets

Place = tuple[Scope, str]


class Provisioner(Actor):
    """Keeps what the runtime has ready equal to what is configured."""

    def __init__(self, kit: Kit, targets: Targets, concurrency: Concurrency) -> None:
        super().__init__()
        self._kit = kit
        self._targets = targets
        self._concurrency = concurrency
        self._given: dict[Place, dict[str, FunctionVersion]] = {}
        """What the runtime was told, by function and version."""
        self._changing: dict[Place, asyncio.Lock] = {}

    async def on_start(self) -> None:
        """Start again what was there before the restart."""
        for ref in await self._kit.storage.read(warm_rows.provisioned_functions):
            self._apply_soon(ref)

    def changed(self, tx: Tx, ref: FunctionRef) -> None:
        """Say in a transaction that it changes a configuration, or where an alias leads."""
        tx.after_commit(lambda: self._apply_soon(ref.unqualified))

    def _apply_soon(self, ref: FunctionRef) -> None:
        if self.running:
            self.spawn(self._apply(ref), name=f"provision-{ref.name}")

    async def _apply(self, ref: FunctionRef) -> None:
        place = (ref.scope, ref.name)
        async with self._changing.setdefault(place, asyncio.Lock()):
            requested, aliases = await self._kit.storage.read(lambda tx: _configured(tx, ref))
            wanted: dict[str, int] = {}
            for one in requested.values():
                for version, count in shares(aliases.get(one.qualifier), one.qualifier, one.count).items():
                    wanted[version] = wanted.get(version, 0) + count
            self._concurrency.load(*place).provisioned = sum(wanted.values())
            given = self._given.setdefault(place, {})
            for version in [version for version in given if version not in wanted]:
                self._kit.runtime.provision(given.pop(version), 0)
            for version, count in wanted.items():
                try:
                    resolution = await self._targets.find(FunctionRef(ref.scope, ref.name, version))
                except FunctionNotFoundError:
                    continue  # it is being deleted
                given[version] = resolution.pick(0.0).version
                self._kit.runtime.provision(given[version], count)
            if not given:
                self._given.pop(place, None)
                self._changing.pop(place, None)

    def state(self, ref: FunctionRef, requested: Requested, alias: Alias | None) -> Provision:
        """How far a configuration has come."""
        given = self._given.get((ref.scope, ref.name), {})
        versions = [given[name] for name in shares(alias, requested.qualifier, requested.count) if name in given]
        return together([self._kit.runtime.provision_state(version.key) for version in versions])

    def forget(self) -> None:
        """Forget everything: the environments have been ended."""
        self._given.clear()
        self._changing.clear()


async def _configured(tx: Tx, ref: FunctionRef) -> tuple[Mapping[str, Requested], dict[str, Alias]]:
    requested = await warm_rows.provisioned(tx, ref)
    aliases = {}
    for qualifier in requested:
        if not is_version(qualifier):
            alias = await rows.find_alias(tx, ref, qualifier)
            if alias is not None:
                aliases[qualifier] = alias
    return requested, aliases

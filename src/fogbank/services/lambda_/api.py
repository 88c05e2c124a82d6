"""The Lambda service: its operations (`_api/`), put together, and its life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fogbank.core.credentials import Credentials
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.aliases import Aliases
from fogbank.services.lambda_._api.base import CODE_PATH
from fogbank.services.lambda_._api.layers import Layers
from fogbank.services.lambda_._api.managing import Managing
from fogbank.services.lambda_._api.mappings import Mappings
from fogbank.services.lambda_._api.permissions import Permissions
from fogbank.services.lambda_._api.provisioned import Provisioning
from fogbank.services.lambda_._api.signing import Signing
from fogbank.services.lambda_._api.trials import Trials
from fogbank.services.lambda_._api.urls import Urls
from fogbank.services.lambda_._api.visits import Visits
from fogbank.services.lambda_._chaos import Mode, Plan
from fogbank.services.lambda_._sessions import Sessions
from fogbank.services.lambda_.worker import Pollers
from fogbank.storage import BlobNotFoundError

if TYPE_CHECKING:
    from fogbank.services.kit import Kit


class Lambda(Layers, Aliases, Permissions, Mappings, Urls, Visits, Trials, Provisioning, Managing, Signing):
    """Functions, their versions and aliases, invocation, layers, policies and event source mappings."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._pollers = Pollers(kit, self._runner)
        self._sessions = Sessions(kit.clock, kit.ids, kit.cloud)
        kit.runtime.sink = self._logs
        kit.runtime.credentials = self._sessions.issue

    def disturb(self, account: str, mode: str, functions: Sequence[str] | None = None) -> None:
        """Disturb how events come to an account's functions, or to some of them; `ValueError` for an unknown mode."""
        only = None if functions is None else frozenset(functions)
        self._runner.chaos.plans[account] = Plan(Mode(mode), only)

    async def disturbance(self, account: str, *, release: bool = False) -> dict[str, Any]:
        """What came of it so far; with `release` what is held comes first."""
        if release:
            await self._runner.chaos.release(account)
        return self._runner.chaos.report(account)

    async def find_credentials(self, access_key: str) -> Credentials | None:
        """The keys of a running function (see `CredentialSource`)."""
        return self._sessions.find(access_key)

    async def download(self, path: str) -> bytes | None:
        """A package that GetFunction or GetLayerVersion points to: its address holds its digest (see `Downloads`)."""
        digest = path.removeprefix(CODE_PATH)
        if digest == path:
            return None
        try:
            return await self.kit.blobs.get(digest)
        except BlobNotFoundError:
            return None

    async def on_start(self) -> None:
        """Begin to write logs and to poll; have the prepared parents of existing functions ready."""
        self._code.prepare()
        await self._logs.start()
        await self._pollers.start()
        await self._code.sweep(await self.kit.storage.read(rows.digests))
        for mapping in await self.kit.storage.read(rows.all_mappings):
            self._pollers.apply(mapping)
        for runtime in await self.kit.storage.read(rows.runtimes):
            self._prepare(runtime)
        await self._snapshots.start()
        await self._provisioner.start()

    async def on_stop(self) -> None:
        """Finish the batches under way and the environments' last events, then write what they said."""
        await self._pollers.stop()
        await self._snapshots.stop()
        await self._provisioner.stop()
        await self.kit.runtime.finish()
        await self._logs.stop()

    async def before_reset(self) -> None:
        """Stop everything that runs, and what it would still say."""
        self._async.abandon()
        await self._pollers.clear()
        await self.kit.runtime.reset()
        await self._logs.abandon()

    async def on_reset(self) -> None:
        """Forget everything: the tables are empty."""
        self._targets.forget_all()
        self._provisioner.forget()
        self._concurrency.forget()
        self._sessions.forget()

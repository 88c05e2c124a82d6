"""X-Ray: the service, with the daemon's port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fogbank.core.scope import Scope
from fogbank.services.xray._api.traces import TraceOperations
from fogbank.services.xray.worker import Daemon

if TYPE_CHECKING:
    from fogbank.services.kit import Kit


class XRay(TraceOperations):
    """AWS X-Ray."""

    name = "xray"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.daemon = Daemon("127.0.0.1", kit.config.xray_port, self._datagrams)
        kit.runtime.take_segment = self.daemon.received

    async def on_start(self) -> None:
        await self.daemon.start()
        self.kit.runtime.xray_address = self.daemon.address

    async def on_stop(self) -> None:
        await self.daemon.stop()

    async def _datagrams(self, documents: Sequence[str]) -> list[dict[str, Any]]:
        """A datagram does not say whose it is: it belongs to the account of keys that name none."""
        return await self.take(Scope(self.kit.config.account, self.kit.config.region), documents)

    async def on_reset(self) -> None:
        self._statistics.clear()

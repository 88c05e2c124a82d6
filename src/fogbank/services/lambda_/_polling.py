"""What the pollers of all sources share: a supervisor that goes on after whatever went wrong."""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import TYPE_CHECKING

from fogbank.core.arn import Arn
from fogbank.core.errors import ApiError
from fogbank.core.lifecycle import Actor
from fogbank.services.lambda_._recording import Recorder

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.services.lambda_._running import Runner
    from fogbank.services.lambda_.storage import SourceMapping

_log = logging.getLogger("fogbank.lambda.pollers")
_FIRST_BACKOFF = 1.0
_LONGEST_BACKOFF = 30.0


class SourcePoller(Actor):
    """Polls one mapping's source."""

    def __init__(self, kit: Kit, runner: Runner, mapping: SourceMapping) -> None:
        super().__init__()
        self.mapping = mapping
        self._kit = kit
        self._runner = runner
        self._source = Arn.parse(mapping.source)
        self._backoff = _FIRST_BACKOFF
        self._recorder = Recorder(kit, mapping, self._source)

    @abstractmethod
    async def _poll(self) -> None:
        """Poll until something goes wrong or the poller is stopped; call `_went_well` whenever something did."""

    @abstractmethod
    def abandon(self) -> None:
        """Have the next `stop` wait for nothing: everything was reset."""

    def _went_well(self) -> None:
        self._backoff = _FIRST_BACKOFF

    async def _run(self) -> None:
        while self.running:
            try:
                await self._poll()
            except ApiError as error:
                _log.warning("cannot poll %s: %s; trying again in %d s", self._source, error, self._backoff)
            except Exception:  # noqa: BLE001 - the poller's supervisor: a mapping that says it is enabled polls
                _log.exception("polling %s failed; trying again in %d s", self._source, self._backoff)
            await self._kit.clock.sleep(self._backoff)
            self._backoff = min(self._backoff * 2, _LONGEST_BACKOFF)

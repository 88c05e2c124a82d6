"""The service: its operations are in `_api/`, by what they are about."""

from __future__ import annotations

from fogbank.services.logs._api.absent import AbsentOperations
from fogbank.services.logs._api.definitions import DefinitionOperations
from fogbank.services.logs._api.events import EventOperations
from fogbank.services.logs._api.filters import FilterOperations
from fogbank.services.logs._api.groups import GroupOperations
from fogbank.services.logs._api.policies import PolicyOperations
from fogbank.services.logs._api.streams import StreamOperations
from fogbank.services.logs._api.tail import TailOperations
from fogbank.services.logs.worker import Sweeper


class Logs(
    GroupOperations,
    StreamOperations,
    EventOperations,
    FilterOperations,
    PolicyOperations,
    TailOperations,
    DefinitionOperations,
    AbsentOperations,
):
    """CloudWatch Logs."""

    async def on_start(self) -> None:
        """Begin to delete what has expired."""
        self.spawn(Sweeper(self.kit).run(), name="logs-sweeper")

"""Step Functions: the operations, and what runs beside them."""

from __future__ import annotations

from fogbank.services.states._api.executions import ExecutionOperations
from fogbank.services.states._api.machines import MachineOperations
from fogbank.services.states._api.map_runs import MapRunOperations
from fogbank.services.states._api.tasks import TaskOperations
from fogbank.services.states._api.testing import TrialOperations
from fogbank.services.states._api.versions import VersionOperations


class States(
    MachineOperations, VersionOperations, ExecutionOperations, MapRunOperations, TaskOperations, TrialOperations
):
    """AWS Step Functions."""

    async def on_start(self) -> None:
        await self._runner.start()

    async def on_stop(self) -> None:
        await self._runner.stop()

    async def before_reset(self) -> None:
        self._runner.forget()

    async def on_reset(self) -> None:
        self._resolver.reset()

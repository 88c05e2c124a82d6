"""What a service is made of: the kit that it is handed, and the class that it extends."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from fogbank.core.call import Call, Cloud, Reply, Request
from fogbank.core.clock import Clock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError, ValidationError
from fogbank.core.ids import Ids
from fogbank.core.lifecycle import Actor
from fogbank.core.models import OperationModel
from fogbank.core.validation import Problem, describe
from fogbank.delivery import Delivery
from fogbank.storage import Blobs, Migrations, Storage
from fogbank.telemetry import NO_TELEMETRY, Telemetry
from fogbank.telemetry.metrics import Metrics
from fogbank.telemetry.usage import NO_USAGE, Usage

if TYPE_CHECKING:
    from fogbank.runtime import Runtime

Handler = Callable[[Call, Request], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Kit:
    """What every service is handed: the parts of the process that it may use."""

    config: Config
    clock: Clock
    ids: Ids
    storage: Storage
    blobs: Blobs
    delivery: Delivery
    runtime: Runtime
    cloud: Cloud
    metrics: Metrics
    telemetry: Telemetry = NO_TELEMETRY
    usage: Usage = NO_USAGE


class Service(Actor):
    """One AWS service. An operation `SendMessage` is a method `send_message(self, call, request)`.

    The request has been checked against the service model. The reply is a dict in the model's shape, or `None`
    for an operation without output members. `on_start` begins what the service does on its own.
    """

    name: ClassVar[str]
    """botocore's name of the service: `sqs`, `lambda`, `stepfunctions`."""
    is_global: ClassVar[bool] = False
    """Whether its resources belong to an account in no region (IAM): its calls are scoped to `us-east-1`."""

    def __init__(self, kit: Kit) -> None:
        super().__init__()
        self.kit = kit

    def handler(self, operation: OperationModel) -> Handler | None:
        """What answers an operation: the method of its name, if there is one."""
        method: Handler | None = getattr(self, operation.method_name, None)
        return method

    @classmethod
    def migrations(cls) -> Migrations:
        """The migrations beside the class's own file."""
        return Migrations.load(cls.name, Path(inspect.getfile(cls)).parent / "migrations")

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError | None:  # noqa: ARG002
        """The error for a request that breaks the model's constraints, in this service's wording.

        `None` lets the request pass, for where a model is narrower than the service.
        """
        return ValidationError(describe(problems))

    async def before_reset(self) -> None:
        """End what runs and could still write: every table is about to be emptied."""

    def on_drain(self) -> None:
        """The server is about to stop: let calls go that only wait for something to happen."""

    async def on_reset(self) -> None:
        """Forget what is cached: every table was emptied."""

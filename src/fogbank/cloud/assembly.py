"""The assembly of one process, and the door between its services."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fogbank.cloud.recording import Recorder
from fogbank.cloud.registry import SERVICES
from fogbank.core.call import ANONYMOUS, Call, Principal, Reply, Request
from fogbank.core.clock import Clock
from fogbank.core.config import Config
from fogbank.core.credentials import Credentials, CredentialSource
from fogbank.core.downloads import Downloads, Uploads
from fogbank.core.errors import ApiError, InternalFailureError, NotImplementedByFogbank, OverloadedError
from fogbank.core.http import HttpResponse
from fogbank.core.ids import Ids
from fogbank.core.lifecycle import Actor
from fogbank.core.models import OperationModel, UnknownOperationNameError, UnknownServiceError, service_model
from fogbank.core.scope import DEFAULT_REGION, Scope
from fogbank.core.sites import Sites, Visit
from fogbank.core.trace import Trace
from fogbank.core.validation import check
from fogbank.delivery import Delivery
from fogbank.delivery.targets import TargetRoute
from fogbank.insight.meter import Rule, rule_of
from fogbank.insight.spans import SpanMeter
from fogbank.runtime import Runtime
from fogbank.services.kit import Handler, Kit, Service
from fogbank.storage import Blobs, Migrations, SqliteStorage, Storage
from fogbank.storage.engine import StorageBusyError
from fogbank.telemetry import Telemetry
from fogbank.telemetry.graph import Graph
from fogbank.telemetry.metrics import Metrics
from fogbank.telemetry.otlp import Exporter
from fogbank.telemetry.usage import Usage

_log = logging.getLogger("fogbank.cloud")
_UNBILLED = frozenset({("logs.amazonaws.com", "cloudwatch"), ("s3.amazonaws.com", "s3")})
"""(caller, service) of calls that AWS does not bill: metrics out of logs cost what metrics cost, but no request; S3
itself looks up a bucket's CORS rules."""
_KEEP_LINEAGE = frozenset({"lambda", "s3", "sns", "sqs"})
"""Services whose messages keep the lineage that Lambda finds loops by; through any other, AWS finds none."""


@dataclass(frozen=True, slots=True)
class _Door:
    """What `call` needs to know of an operation."""

    service: Service
    operation: OperationModel
    handler: Handler
    rule: Rule | None
    """What meters it, if AWS bills it by the request."""


class LocalCloud(Actor):
    """A whole cloud in one process: implements `fogbank.core.call.Cloud`.

    Starting it opens the storage, applies migrations and starts delivery, the runtime and every service; stopping it
    does the same in reverse, finishing what was accepted.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        ids: Ids,
        storage: Storage,
        *,
        services: Mapping[str, type[Service]] = SERVICES,
    ) -> None:
        super().__init__()
        self.config = config
        self.clock = clock
        self.ids = ids
        self.storage = storage
        self.telemetry = Telemetry(config, clock)
        self._recorder = Recorder(self.telemetry, clock)
        self.usage = Usage(self.telemetry, clock)
        self.telemetry.observe(SpanMeter(self.usage), counts=True)
        self.exporter = _exporter(config, clock)
        if self.exporter is not None:
            self.telemetry.observe(self.exporter.take)
        self.graph = Graph(self.telemetry, clock, ids.hex(8))
        self.delivery = Delivery(storage, clock, ids, self.telemetry)
        self.runtime = Runtime(config, clock, ids, self.telemetry)
        self.metrics = Metrics(clock)
        blobs = Blobs(config.data / "blobs")
        kit = Kit(
            config, clock, ids, storage, blobs, self.delivery, self.runtime, self,
            self.metrics, self.telemetry, self.usage,
        )  # fmt: skip
        self.services = {name: kind(kit) for name, kind in services.items()}
        self.delivery.route("target", TargetRoute(self, self.delivery, clock))
        self._sources = [service for service in self.services.values() if isinstance(service, CredentialSource)]
        self._doors: dict[tuple[str, str], _Door] = {}
        """Those that were used: to make them all would take a tenth of a second before the server is ready."""

    @classmethod
    def on_disk(cls, config: Config, clock: Clock, ids: Ids) -> LocalCloud:
        """The cloud of a laptop: all of its state under `config.data`."""
        return cls(config, clock, ids, SqliteStorage(config.data, clock))

    async def on_start(self) -> None:
        packages = [Migrations.load("storage", Path(__file__).parent.parent / "storage" / "migrations")]
        packages.append(Delivery.migrations())
        packages += [type(service).migrations() for service in self.services.values()]
        await self.storage.migrate(packages)
        await self.telemetry.start()
        if self.exporter is not None:
            await self.exporter.start()
        await self.runtime.start()
        for service in self.services.values():
            await service.start()
        await self.delivery.start()

    async def on_stop(self) -> None:
        await self.delivery.stop()
        for service in reversed(self.services.values()):
            await service.stop()
        await self.runtime.stop()
        await self.telemetry.stop()
        if self.exporter is not None:
            await self.exporter.stop()
        await self.storage.close()

    def drain(self) -> None:
        """Have calls that only wait (long polls) end: the server is about to stop and finishes what it accepted."""
        for service in self.services.values():
            service.on_drain()

    async def reset(self) -> None:
        """Empty every table and forget everything that was cached or running; as after a first start."""
        for service in self.services.values():
            await service.before_reset()
        await self.storage.reset()
        self.delivery.forget()
        await self.telemetry.reset()
        self.metrics.reset()
        for service in self.services.values():
            await service.on_reset()

    async def call(
        self,
        scope: Scope,
        service: str,
        operation: str,
        request: Request,
        *,
        trace: Trace | None = None,
        principal: Principal = ANONYMOUS,
        request_id: str | None = None,
    ) -> Reply:
        """Make an API call; see `fogbank.core.call.Cloud`."""
        door = self._doors.get((service, operation)) or self._open(service, operation)
        if door is None:
            raise self._missing(service, operation)
        if trace is not None and trace.lineage and service not in _KEEP_LINEAGE:
            trace = trace._replace(lineage="")
        if door.service.is_global and scope.region != DEFAULT_REGION:
            scope = Scope(scope.account, DEFAULT_REGION)
        if not self.telemetry.on:
            call = Call(
                scope,
                service,
                operation,
                request_id or self.ids.uuid(),
                trace or Trace.begin(self.clock, self.ids),
                principal,
            )
            return await self._answer(door, call, request)
        begin = self.clock.time()
        parent = "" if trace is None else trace.parent
        inner = trace or Trace.begin(self.clock, self.ids)
        wanted = self.telemetry.wants(inner.root)
        if wanted and trace is not None:
            inner = trace.child(self.ids)
        call = Call(scope, service, operation, request_id or self.ids.uuid(), inner, principal)
        try:
            reply = await self._answer(door, call, request)
        except ApiError as error:
            if inner is trace:  # it was not to be recorded, and what it caused went on with its parent
                call = call._replace(trace=trace.child(self.ids))
            self._recorder.failed(door.operation, call, request, error, parent, begin)
            raise
        if wanted:
            self._recorder.done(door.operation, call, request, parent, begin)
        elif trace is None:
            self.usage.unfollowed += 1
        rule = door.rule
        if rule is not None and not (principal.service and (principal.service, service) in _UNBILLED):
            try:
                self.usage.add(scope, inner.root if wanted else "", rule(request, reply))
            except (LookupError, TypeError, ValueError, AttributeError):
                # It was answered: what its rule does not understand is no reason to fail it.
                _log.exception("%s.%s is not metered (request %s)", service, operation, call.request_id)
        return reply

    async def _answer(self, door: _Door, call: Call, request: Request) -> Reply:
        """Check a request and have its service answer it."""
        problems = check(door.operation, request)
        refusal = door.service.refuse(door.operation, problems) if problems else None
        if refusal is not None:
            raise refusal
        try:
            return await door.handler(call, request) or {}
        except ApiError:
            raise
        except StorageBusyError as error:
            raise OverloadedError(str(error)) from error
        except Exception as error:
            _log.exception("%s.%s failed (request %s)", call.service, call.operation, call.request_id)
            raise InternalFailureError(
                f"{call.service}.{call.operation} failed in Fogbank ({type(error).__name__}); the server's log has the "
                "details"
            ) from error

    async def find_credentials(self, access_key: str) -> Credentials | None:
        """What is known of an access key: the services that hand out keys are asked in turn."""
        for source in self._sources:
            found = await source.find_credentials(access_key)
            if found is not None:
                return found
        return None

    async def download(self, path: str) -> bytes | None:
        """A file that a service's reply pointed to."""
        for service in self.services.values():
            found = await service.download(path) if isinstance(service, Downloads) else None
            if found is not None:
                return found
        return None

    async def upload(self, path: str, data: bytes) -> bool:
        """What was put to a URL that a service gave out."""
        for service in self.services.values():
            if isinstance(service, Uploads) and await service.upload(path, data):
                return True
        return False

    async def visit(self, visit: Visit) -> HttpResponse | None:
        """A request to a host that is a service's own."""
        for service in self.services.values():
            found = await service.visit(visit) if isinstance(service, Sites) else None
            if found is not None:
                return found
        return None

    def implements(self, service: str, operation: str) -> bool:
        """Whether a call would be answered by a service."""
        return (service, operation) in self._doors or self._open(service, operation) is not None

    def _open(self, service: str, operation: str) -> _Door | None:
        """The door of an operation that is called for the first time; `None` if nobody answers it."""
        owner = self.services.get(service)
        if owner is None:
            return None
        try:
            model = service_model(service).operation(operation)
        except UnknownOperationNameError:
            return None
        handler = owner.handler(model)
        if handler is None:
            return None
        door = self._doors[service, operation] = _Door(owner, model, handler, rule_of(service, operation))
        return door

    def _missing(self, service: str, operation: str) -> ApiError:
        """The error for what nobody answers: it names what is missing (no silent success)."""
        try:
            service_model(service)
        except UnknownServiceError:
            return NotImplementedByFogbank(f"Fogbank does not know the service {service!r}")
        if service not in self.services:
            return NotImplementedByFogbank(f"Fogbank does not have the service {service} yet ({operation} was called)")
        return NotImplementedByFogbank(f"Fogbank does not implement {service}.{operation} yet")


def _exporter(config: Config, clock: Clock) -> Exporter | None:
    """What sends spans to a collector, if there is one."""
    if not config.otlp_endpoint:
        return None
    return Exporter(config.otlp_endpoint, config.otlp_header_pairs, clock)

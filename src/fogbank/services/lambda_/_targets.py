"""Which version serves a request: resolved once for each function, version and alias, and remembered.

The cache is kept right thus: who changes a function calls `changed` in its transaction. When that is committed, the
function's entries go, and so does whatever is being read at that moment (its generation is an older one).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fogbank.core.scope import Scope
from fogbank.runtime import FunctionVersion, LogFormat, Logging
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._code import CodeStore
from fogbank.services.lambda_._concurrency import Concurrency, FunctionLoad
from fogbank.services.lambda_._names import LATEST, FunctionRef, is_version, version_number
from fogbank.services.lambda_.errors import FunctionNotFoundError
from fogbank.services.lambda_.model import (
    DEFAULT_EPHEMERAL,
    DEFAULT_MEMORY,
    DEFAULT_TIMEOUT,
    Alias,
    Function,
    Version,
    VersionState,
    logging_config,
)
from fogbank.storage import Storage, Tx

MAX_CACHED = 5_000
"""Functions whose resolutions are remembered."""


@dataclass(frozen=True, slots=True)
class Target:
    """A version that can be run, and what its function says of concurrency."""

    version: FunctionVersion
    executed: str
    arn: str
    """The function's ARN, without qualifier."""
    load: FunctionLoad
    may_recur: bool
    """Whether loops through the function are wanted: its recursion configuration."""
    reserved: int | None
    state: VersionState = VersionState.ACTIVE


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a reference leads to: a target, or an alias that chooses between two."""

    targets: dict[str, Target]
    alias: Alias | None = None

    def pick(self, fraction: float) -> Target:
        """The target for one request."""
        if self.alias is None:
            return next(iter(self.targets.values()))
        return self.targets[self.alias.pick(fraction)]


class Targets:
    """Resolves references to functions."""

    def __init__(self, storage: Storage, code: CodeStore, concurrency: Concurrency) -> None:
        self._storage = storage
        self._concurrency = concurrency
        self._code = code
        self._known: dict[tuple[Scope, str], dict[str | None, Resolution]] = {}
        self._generation = 0

    @property
    def generation(self) -> int:
        """Another number whenever anything about any function has changed: what was read before may be stale."""
        return self._generation

    def cached(self, ref: FunctionRef) -> Resolution | None:
        """The resolution, if it is remembered."""
        known = self._known.get((ref.scope, ref.name))
        return None if known is None else known.get(ref.qualifier)

    async def find(self, ref: FunctionRef) -> Resolution:
        """The resolution of a reference; `FunctionNotFoundError` if it leads nowhere."""
        known = self.cached(ref)
        if known is not None:
            return known
        generation = self._generation
        function, alias, versions = await self._storage.read(lambda tx: _read(tx, ref))
        targets = {version.text: await self._target(function, version) for version in versions}
        resolution = Resolution(targets, alias)
        if generation == self._generation:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            self._known.setdefault((ref.scope, ref.name), {})[ref.qualifier] = resolution
        return resolution

    async def _target(self, function: Function, version: Version) -> Target:
        task = await self._code.unpacked(version.code.digest)
        layers = await self._code.merged(version.config.get("LayerDigests", ()))
        return Target(
            version=runnable(version, task, layers),
            executed=version.text,
            arn=version.ref.arn,
            load=self._concurrency.load(version.ref.scope, version.ref.name),
            may_recur=function.recursion == "Allow",
            reserved=function.reserved,
            state=version.state,
        )

    def changed(self, tx: Tx, ref: FunctionRef) -> None:
        """Say in a transaction that it changes the function, its versions or its aliases."""
        tx.after_commit(lambda: self.forget(ref))

    def forget(self, ref: FunctionRef) -> None:
        """Forget a function."""
        self._generation += 1
        self._known.pop((ref.scope, ref.name), None)

    def forget_all(self) -> None:
        """Forget everything."""
        self._generation += 1
        self._known.clear()


async def _read(tx: Tx, ref: FunctionRef) -> tuple[Function, Alias | None, list[Version]]:
    function = await rows.find_function(tx, ref)
    if function is None:
        raise FunctionNotFoundError(ref.qualified_arn)
    alias = None
    names = [ref.qualifier or LATEST]
    if ref.qualifier is not None and not is_version(ref.qualifier):
        alias = await rows.find_alias(tx, ref, ref.qualifier)
        if alias is None:
            raise FunctionNotFoundError(ref.qualified_arn)
        names = [alias.version, *alias.weights]
    versions = []
    for name in names:
        version = await rows.find_version(tx, ref.unqualified, version_number(name))
        if version is None:
            raise FunctionNotFoundError(ref.qualified_arn)
        versions.append(version)
    return function, alias, versions


def key_of(version: Version) -> str:
    """What tells a version's environments from those of any other, and from its own before a change."""
    return f"{version.qualified_arn}:{version.generation}"


def runnable(version: Version, task: Path, layers: Path | None) -> FunctionVersion:
    """A version as the runtime wants it."""
    config = version.config
    logging = logging_config(version.ref.name, config)
    return FunctionVersion(
        key=key_of(version),
        scope=version.ref.scope,
        name=version.ref.name,
        version=version.text,
        runtime=config["Runtime"],
        handler=config.get("Handler", ""),
        task=task,
        logging=Logging(
            logging["LogGroup"],
            LogFormat(logging["LogFormat"]),
            logging.get("ApplicationLogLevel"),
            logging.get("SystemLogLevel"),
        ),
        role=config["Role"],
        layers=layers,
        memory=config.get("MemorySize", DEFAULT_MEMORY),
        timeout=float(config.get("Timeout", DEFAULT_TIMEOUT)),
        architecture=config.get("Architectures", ["x86_64"])[0],
        ephemeral=config.get("EphemeralStorage", {}).get("Size", DEFAULT_EPHEMERAL),
        environment=config.get("Environment", {}),
        traced=config.get("TracingConfig", {}).get("Mode") == "Active",
        snap_start=version.snap_start,
    )

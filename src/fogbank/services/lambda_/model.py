"""What Lambda keeps: functions, versions, aliases, mappings, layers. Pure values and their rendering.

A function's life, as its clients see it:

    CreateFunction ──▶ Pending ──▶ Active ──UpdateFunction*──▶ Active (LastUpdateStatus InProgress ──▶ Successful)

Fogbank has done all of the work when it answers, so the state that the next Get shows is the one on the right. The
answers of the operations themselves show the one on the left, as AWS's do. A version with SnapStart is Pending until
its snapshot has been taken, or Failed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from fogbank.core.scope import Scope
from fogbank.services.lambda_._names import FunctionRef, version_text

Configuration = Mapping[str, Any]

DEFAULT_TIMEOUT = 3
DEFAULT_MEMORY = 128
DEFAULT_EPHEMERAL = 512
_CREATING = {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
_UPDATING = {
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}


_INIT_FAILED = "An error occurred during function initialization."
_FAILED = {
    "StateReason": _INIT_FAILED,
    "StateReasonCode": "FunctionError",
    "LastUpdateStatus": "Failed",
    "LastUpdateStatusReason": _INIT_FAILED,
    "LastUpdateStatusReasonCode": "FunctionError",
}
SNAPSHOT = "Snapshot"
"""Where a version's configuration keeps how far its snapshot has come, beside what its creator set."""


class VersionState(StrEnum):
    """Whether a version can be invoked."""

    PENDING = "Pending"
    ACTIVE = "Active"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Code:
    """A deployment package: the blob's digest (hexadecimal SHA-256) and its size in bytes."""

    digest: str
    size: int

    @property
    def sha256(self) -> str:
        """CodeSha256: the digest in base64."""
        return base64.b64encode(bytes.fromhex(self.digest)).decode()


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a function; number 0 is $LATEST. `config` holds what its creator set, in the API's shape."""

    ref: FunctionRef
    number: int
    config: Configuration
    code: Code
    revision: str
    modified: int
    """Milliseconds since the epoch."""
    generation: str = ""
    """Changes with code and configuration: environments of one generation are alike."""

    @property
    def text(self) -> str:
        """`$LATEST`, `1`, …"""
        return version_text(self.number)

    @property
    def qualified_arn(self) -> str:
        """The ARN with the version."""
        return f"{self.ref.arn}:{self.text}"

    @property
    def snap_start(self) -> bool:
        """Whether its environments are restored from a snapshot: of published versions, if the function asks for it."""
        return self.number > 0 and snap_start(self.config)

    @property
    def state(self) -> VersionState:
        """Whether it can be invoked."""
        return VersionState(self.config.get(SNAPSHOT, {}).get("State", "Active"))


@dataclass(frozen=True, slots=True)
class Function:
    """What holds for all versions of a function."""

    ref: FunctionRef
    created: int
    last_version: int = 0
    """The highest number given to a version so far: numbers are not used twice."""
    reserved: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    recursion: str = "Terminate"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a version, or for two with weights."""

    ref: FunctionRef
    name: str
    version: str
    description: str
    weights: Mapping[str, float]
    revision: str

    def pick(self, fraction: float) -> str:
        """The version that serves a request; `fraction` in [0, 1) is the dice."""
        for version, weight in self.weights.items():
            if fraction < weight:
                return version
        return self.version

    def render(self) -> dict[str, Any]:
        """AliasConfiguration."""
        shown: dict[str, Any] = {
            "AliasArn": f"{self.ref.arn}:{self.name}",
            "Name": self.name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision,
        }
        if self.weights:
            shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(self.weights)}
        return shown


@dataclass(frozen=True, slots=True)
class Layer:
    """A version of a layer."""

    scope: Scope
    name: str
    number: int
    code: Code
    config: Configuration
    created: int

    @property
    def arn(self) -> str:
        """The layer's ARN, without the version."""
        return self.scope.arn("lambda", f"layer:{self.name}")

    @property
    def version_arn(self) -> str:
        """The ARN with the version."""
        return f"{self.arn}:{self.number}"


def modified_text(millis: int) -> str:
    """`2023-11-14T22:13:20.000+0000`."""
    moment = datetime.fromtimestamp(millis // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}+0000"


def snap_start(config: Configuration) -> bool:
    """Whether a configuration asks for snapshots of published versions."""
    return bool(config.get("SnapStart", {}).get("ApplyOn", "None") != "None")


def published(config: Configuration) -> Configuration:
    """A configuration as that of a new version."""
    return {**config, SNAPSHOT: {"State": VersionState.PENDING.value}} if snap_start(config) else config


def render(version: Version, *, arn: str | None = None) -> dict[str, Any]:
    """FunctionConfiguration of a version as Get shows it. `arn` is the one that was asked for."""
    shown = {
        **_rendered_config(version),
        "FunctionArn": arn or (version.qualified_arn if version.number else version.ref.arn),
        "State": version.state.value,
        "LastUpdateStatus": "Successful",
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime_version_arn(version)},
    }
    if version.state is VersionState.PENDING:
        del shown["LastUpdateStatus"]
        return shown | _CREATING
    return shown | _FAILED if version.state is VersionState.FAILED else shown


def render_pending(version: Version, *, arn: str, revision: str) -> dict[str, Any]:
    """The same as the answer of an operation that makes a version: it is on its way, at a revision of its own."""
    shown = {**render(version, arn=arn), "State": "Pending", **_CREATING, "RevisionId": revision}
    shown.pop("LastUpdateStatus", None)
    return shown


def render_updated(version: Version, *, revision: str) -> dict[str, Any]:
    """The same as the answer of UpdateFunctionCode and UpdateFunctionConfiguration, at a revision on the way."""
    return {**render(version), **_UPDATING, "RevisionId": revision}


def render_listed(version: Version, *, qualified: bool) -> dict[str, Any]:
    """The same in a listing, which leaves the states out."""
    return {
        **_rendered_config(version),
        "FunctionArn": version.qualified_arn if qualified else version.ref.arn,
    }


def _rendered_config(version: Version) -> dict[str, Any]:
    config = version.config
    shown: dict[str, Any] = {
        "FunctionName": version.ref.name,
        "Runtime": config.get("Runtime"),
        "Role": config["Role"],
        "Handler": config.get("Handler"),
        "CodeSize": version.code.size,
        "Description": config.get("Description", ""),
        "Timeout": config.get("Timeout", DEFAULT_TIMEOUT),
        "MemorySize": config.get("MemorySize", DEFAULT_MEMORY),
        "LastModified": modified_text(version.modified),
        "CodeSha256": version.code.sha256,
        "Version": version.text,
        "TracingConfig": {"Mode": config.get("TracingConfig", {}).get("Mode", "PassThrough")},
        "RevisionId": version.revision,
        "PackageType": "Zip",
        "Architectures": config.get("Architectures", ["x86_64"]),
        "EphemeralStorage": {"Size": config.get("EphemeralStorage", {}).get("Size", DEFAULT_EPHEMERAL)},
        "SnapStart": {
            "ApplyOn": config.get("SnapStart", {}).get("ApplyOn", "None"),
            "OptimizationStatus": "On" if version.snap_start else "Off",
        },
        "LoggingConfig": logging_config(version.ref.name, config),
    }
    if "Environment" in config:
        shown["Environment"] = {"Variables": config["Environment"]}
    for name in ("DeadLetterConfig", "KMSKeyArn", "VpcConfig"):
        if name in config:
            shown[name] = config[name]
    if config.get("Layers"):
        shown["Layers"] = [dict(layer) for layer in config["Layers"]]
    return shown


def logging_config(name: str, config: Configuration) -> dict[str, Any]:
    """LoggingConfig with its defaults."""
    given = config.get("LoggingConfig", {})
    shown = {"LogFormat": given.get("LogFormat", "Text")}
    if shown["LogFormat"] == "JSON":
        shown["ApplicationLogLevel"] = given.get("ApplicationLogLevel", "INFO")
        shown["SystemLogLevel"] = given.get("SystemLogLevel", "INFO")
    shown["LogGroup"] = given.get("LogGroup", f"/aws/lambda/{name}")
    return shown


def runtime_version_arn(version: Version) -> str:
    """The ARN of the runtime's version: AWS's digest stands for an image, ours for the runtime's name."""
    scope = version.ref.scope
    digest = base64.b16encode(str(version.config.get("Runtime", "")).encode()).decode().lower()
    return f"arn:{scope.partition}:lambda:{scope.region}::runtime:{digest.ljust(64, '0')[:64]}"

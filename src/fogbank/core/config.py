"""Configuration: one frozen value, built once from flags, environment and defaults, and passed in.

No other module reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from fogbank.core.scope import DEFAULT_ACCOUNT, DEFAULT_REGION

PREFIX = "FOGBANK_"
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_TELEMETRY = ("telemetry_age", "telemetry_size", "telemetry_rate")
LOG_LEVELS = ("debug", "info", "warning", "error")


class ConfigError(ValueError):
    """A setting has a value that it cannot have; the message names the setting."""


class Auth(StrEnum):
    """How requests are authenticated."""

    LOCAL = "local"
    """Any key is accepted; the server refuses to listen on anything but loopback."""
    VERIFY = "verify"
    """Signature, clock skew and key are checked as AWS does."""


class Isolation(StrEnum):
    """What keeps functions apart from the machine, from Fogbank and from each other."""

    AUTO = "auto"
    """The sandbox where the kernel allows it, else processes."""
    PROCESS = "process"
    """Processes of their own with limits, under the server's user: they see the machine's files."""
    SANDBOX = "sandbox"
    """Namespaces of their own besides; the server does not start where the kernel forbids them."""


class Egress(StrEnum):
    """Whom functions in the sandbox can reach."""

    ON = "on"
    """The machine's network."""
    OFF = "off"
    """Fogbank, and nobody else."""


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of a server. Each can be given as a flag of `fogbank start` or as FOGBANK_<NAME>."""

    host: str = "127.0.0.1"
    port: int = 4566
    data: Path = field(default_factory=lambda: Path(".fogbank"))
    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION
    auth: Auth = Auth.LOCAL
    max_body: int = 100 * 1024 * 1024
    """Bytes of a request's body; larger ones are answered 413."""
    max_headers: int = 64 * 1024
    """Bytes of a request's line and headers; larger ones are answered 431."""
    request_timeout: float = 60.0
    """Seconds that a client may take to send a request, and that a kept-alive connection may be idle × 10."""
    max_connections: int = 10_000
    """Open client connections; further ones are closed at once."""
    stop_timeout: float = 20.0
    """Seconds that a graceful stop waits for accepted requests and running handlers."""
    max_environments: int = 1000
    """Execution environments alive at once, over all functions (the account's concurrency limit on AWS)."""
    environment_idle: float = 600.0
    """Seconds after which an idle execution environment is ended."""
    telemetry: bool = True
    """Whether spans are recorded, and what is counted from them."""
    telemetry_age: float = 30.0
    """Days after which what telemetry recorded is forgotten."""
    telemetry_size: int = 512
    """Megabytes that the telemetry database may have; the oldest goes first."""
    telemetry_rate: float = 500.0
    """Spans a second that are written down; of more, whole traces are left out, never those that failed."""
    isolation: Isolation = Isolation.AUTO
    egress: Egress = Egress.ON
    otlp_endpoint: str = ""
    """The URL of an OpenTelemetry collector that every span is sent to; none, if it is empty."""
    otlp_headers: str = ""
    """Headers for it: `name=value,name=value`."""
    xray_port: int = 2000
    """The UDP port of X-Ray's daemon, on loopback; if it is taken, or 0, a free one."""
    log_level: str = "warning"
    """What the server logs on standard error: debug, info, warning or error."""
    fault: str = ""
    """For crash tests: the fault point at which the process ends with SIGKILL, `name` or `name:count`."""

    def __post_init__(self) -> None:
        if len(self.account) != 12 or not self.account.isdigit():
            raise ConfigError(f"account: expected 12 digits, got {self.account!r}")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port: expected 0 to 65535, got {self.port}")
        if self.otlp_endpoint and not self.otlp_endpoint.startswith(("http://", "https://")):
            raise ConfigError(
                f"otlp_endpoint: expected a URL such as http://127.0.0.1:4318, got {self.otlp_endpoint!r}"
            )
        if any(not name or not value for name, value in self.otlp_header_pairs):
            raise ConfigError("otlp_headers: expected name=value,name=value")
        if not 0 <= self.xray_port <= 65535:
            raise ConfigError(f"xray_port: expected 0 to 65535, got {self.xray_port}")
        if self.log_level not in LOG_LEVELS:
            raise ConfigError(f"log_level: expected one of {', '.join(LOG_LEVELS)}, got {self.log_level!r}")
        for name in ("max_body", "max_headers", "request_timeout", "max_connections", "max_environments", *_TELEMETRY):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name}: expected more than 0, got {getattr(self, name)}")
        if self.egress is Egress.OFF and self.isolation is Isolation.PROCESS:
            raise ConfigError("egress: off needs the sandbox; use --isolation sandbox, or --egress on")
        if self.auth is Auth.LOCAL and not is_loopback(self.host):
            raise ConfigError(
                f"host: with --auth local any key is accepted, so only loopback is allowed, got {self.host!r}; "
                "use --host 127.0.0.1, or --auth verify to listen on other addresses"
            )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **flags: Any) -> Config:
        """Defaults, then FOGBANK_* of the environment, then flags that are not `None`."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for setting in fields(cls):
            text = environ.get(PREFIX + setting.name.upper())
            given = flags.get(setting.name)
            if given is not None:
                values[setting.name] = given
            elif text is not None:
                values[setting.name] = _convert(setting.name, str(setting.type), text)
        unknown = set(flags) - {f.name for f in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown settings: {', '.join(sorted(unknown))}")
        return cls(**values)

    def with_port(self, port: int) -> Config:
        """The same with the port that the operating system chose."""
        return replace(self, port=port)

    @property
    def otlp_header_pairs(self) -> list[tuple[str, str]]:
        """`otlp_headers`, taken apart."""
        parts = [part.partition("=") for part in self.otlp_headers.split(",") if part.strip()]
        return [(name.strip(), value.strip()) for name, _, value in parts]

    @property
    def endpoint(self) -> str:
        """The server's own URL, for clients on this machine."""
        return f"http://{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _convert(name: str, kind: str, text: str) -> Any:
    try:
        match kind:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return _BOOLEANS[text.lower()]
            case "Path":
                return Path(text)
            case "Auth":
                return Auth(text)
            case "Isolation":
                return Isolation(text)
            case "Egress":
                return Egress(text)
            case _:
                return text
    except (ValueError, KeyError):
        raise ConfigError(f"{PREFIX}{name.upper()}: expected {kind}, got {text!r}") from None

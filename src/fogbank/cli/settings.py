"""The server's settings as options of a command: one for each field of `Config`, so that none can be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

import click

from fogbank.core.config import LOG_LEVELS, PREFIX, Auth, Config, Egress, Isolation

HELP = {
    "host": "Address to listen on; anything but loopback needs --auth verify.",
    "port": "Port to listen on; 0 lets the system choose a free one.",
    "data": "Folder that holds all state; made if it is not there.",
    "account": "Account of keys that name none: 12 digits.",
    "region": "Region of requests that name none.",
    "auth": "local: any key is accepted, on loopback only; verify: signatures are checked.",
    "max_body": "Bytes of the largest request body; larger ones are answered 413.",
    "max_headers": "Bytes of the largest request head; larger ones are answered 431.",
    "request_timeout": "Seconds that a client may take to send a request.",
    "max_connections": "Open client connections; further ones are closed at once.",
    "stop_timeout": "Seconds that a stop waits for accepted requests and running functions.",
    "max_environments": "Execution environments alive at once, over all functions.",
    "environment_idle": "Seconds after which an idle execution environment is ended.",
    "telemetry": "Record spans, and what is counted from them.",
    "telemetry_age": "Days after which what telemetry recorded is forgotten.",
    "telemetry_size": "Megabytes that the telemetry database may have; the oldest goes first.",
    "telemetry_rate": "Spans a second that are written down; of more, whole traces are left out, never what failed.",
    "isolation": "sandbox: functions see a small root of their own; process: the machine; auto: the best there is.",
    "egress": "Whether functions reach the machine's network; off needs the sandbox, and Fogbank stays in reach.",
    "otlp_endpoint": "URL of an OpenTelemetry collector that every span is sent to.",
    "otlp_headers": "Headers for the collector: NAME=VALUE,NAME=VALUE.",
    "xray_port": "UDP port of X-Ray's daemon, on loopback; a free one if it is taken.",
    "log_level": "What the server logs on standard error.",
    "fault": "For crash tests: kill the process at a named point (NAME or NAME:COUNT).",
}
"""What each setting is for, in a line."""

_TYPES: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "float": float,
    "Path": click.Path(file_okay=False, path_type=Path),
    "Auth": click.Choice(Auth, case_sensitive=False),
    "Isolation": click.Choice(Isolation, case_sensitive=False),
    "Egress": click.Choice(Egress, case_sensitive=False),
    "str": str,
}


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every setting; what is not given stays `None`, for `Config.load`."""
    for setting in reversed(fields(Config)):
        kind = click.Choice(LOG_LEVELS) if setting.name == "log_level" else _TYPES[str(setting.type)]
        shown = default_text(setting.name)
        flag = f"--{setting.name.replace('_', '-')}"
        command = click.option(
            f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
            setting.name,
            type=kind,
            default=None,
            help=HELP[setting.name] + (f" [{PREFIX}{setting.name.upper()}; {shown}]" if shown else ""),
        )(command)
    return command


def default_text(name: str) -> str:
    """A setting's default as people write it."""
    value = getattr(_DEFAULTS, name)
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value.value if isinstance(value, Enum) else value)


_DEFAULTS = Config()

"""Execution environments: real processes, one event at a time each, through the Lambda Runtime API.

| file | idea |
| --- | --- |
| `runtime.py` | `Runtime`: hands events to environments; limits, reaping, the watch over memory |
| `pool.py` | the environments of one function version |
| `environment.py` | one environment, from fork to end |
| `api.py` | the Runtime API over HTTP |
| `exchange.py`, `streaming.py` | what goes over it beside the bodies; a response on its way, piece by piece |
| `company.py`, `extensions.py`, `telemetry.py` | what lives beside the runtime; the Extensions and Telemetry APIs |
| `freezing.py` | idle environments do not run |
| `making.py` | how environments are made |
| `forker.py`, `parent.py`, `guest/` | the prepared parents that fork environments, and what runs inside of them |
| `snapshots.py`, `keys.py` | SnapStart: parents that have run init code, and the keys that they must not hold |
| `interpreters.py` | which interpreter runs what |
| `orders.py`, `variables.py` | what a new environment is to be, and what it finds in its environment |
| `output.py`, `records.py`, `memory.py` | its log, the platform's own lines in it, its memory |
| `model.py` | the values |
"""

from fogbank.runtime.interpreters import Choice, Interpreter, Interpreters
from fogbank.runtime.model import (
    Credentials,
    EnvironmentLimitError,
    Event,
    FunctionVersion,
    Initialization,
    LogFormat,
    Logging,
    LogLine,
    Outcome,
    Provision,
    RestoreError,
    RuntimeUnavailableError,
    StartError,
)
from fogbank.runtime.output import LogSink
from fogbank.runtime.runtime import Runtime
from fogbank.runtime.snapshots import InitFailedError
from fogbank.runtime.streaming import ResponseStream
from fogbank.runtime.variables import RESERVED

__all__ = [
    "RESERVED",
    "Choice",
    "Credentials",
    "EnvironmentLimitError",
    "Event",
    "FunctionVersion",
    "InitFailedError",
    "Initialization",
    "Interpreter",
    "Interpreters",
    "LogFormat",
    "LogLine",
    "LogSink",
    "Logging",
    "Outcome",
    "Provision",
    "ResponseStream",
    "RestoreError",
    "Runtime",
    "RuntimeUnavailableError",
    "StartError",
]

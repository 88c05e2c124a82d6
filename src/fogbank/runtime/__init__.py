"""Execution environments: real processes, one event at a time each, through the Lambda Runtime API.

| file | idea |
| --- | --- |
| `runtime.py` | `Runtime`: hands events to environments; limits, reaping, the watch over memory |
| `pool.py` | the environments of one function version |
| `environment.py` | one environment, from fork to end |
| `api.py` | the Runtime API over HTTP |
| `streaming.py` | a response on its way, piece by piece |
| `parent.py`, `guest/` | the prepared parents that fork environments, and what runs inside of them |
| `interpreters.py` | which interpreter runs what |
| `orders.py`, `variables.py` | what a new environment is to be, and what it finds in its environment |
| `output.py`, `records.py`, `memory.py` | its log, the platform's own lines in it, its memory |
| `model.py` | the values |
"""

from fogbank.runtime.environment import LogSink
from fogbank.runtime.interpreters import Choice, Interpreter, Interpreters
from fogbank.runtime.model import (
    Credentials,
    EnvironmentLimitError,
    Event,
    FunctionVersion,
    LogFormat,
    Logging,
    LogLine,
    Outcome,
    RuntimeUnavailableError,
    StartError,
)
from fogbank.runtime.runtime import Runtime
from fogbank.runtime.streaming import ResponseStream
from fogbank.runtime.variables import RESERVED

__all__ = [
    "RESERVED",
    "Choice",
    "Credentials",
    "EnvironmentLimitError",
    "Event",
    "FunctionVersion",
    "Interpreter",
    "Interpreters",
    "LogFormat",
    "LogLine",
    "LogSink",
    "Logging",
    "Outcome",
    "ResponseStream",
    "Runtime",
    "RuntimeUnavailableError",
    "StartError",
]

"""The environment variables of a function. Pure functions.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from fogbank.runtime.interpreters import Choice
from fogbank.runtime.model import Credentials, FunctionVersion, Initialization, LogFormat

RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)
"""Names that a function's configuration cannot set."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an environment lives, as it sees it: its folders, its log stream, its Runtime API, Fogbank's endpoint."""

    task: str
    runtime: str
    opt: str
    temporary: str
    log_stream: str
    api: str
    endpoint: str
    name: str = ""
    xray: str = "127.0.0.1:2000"


@dataclass(frozen=True, slots=True)
class CredentialsPlace:
    """Where functions with SnapStart fetch their keys, which a snapshot must not hold: see `environment.py`."""

    address: str
    token: str


CREDENTIALS_PATH = "/2021-04-23/credentials"


def variables(
    version: FunctionVersion,
    place: Place,
    choice: Choice,
    credentials: Credentials | CredentialsPlace,
    how: Initialization = Initialization.ON_DEMAND,
) -> dict[str, str]:
    """Everything that the environment's process finds in its environment; nothing of ours gets through."""
    opt = place.opt
    found = {
        "PATH": f"{opt}/bin:{_machine_path(choice)}",
        "LD_LIBRARY_PATH": f"{place.task}:{place.task}/lib:{opt}/lib",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": place.temporary,
        "AWS_ENDPOINT_URL": place.endpoint,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": place.xray,
        "_AWS_XRAY_DAEMON_ADDRESS": place.xray.rpartition(":")[0],
        "_AWS_XRAY_DAEMON_PORT": place.xray.rpartition(":")[2],
        "OTEL_EXPORTER_OTLP_ENDPOINT": place.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    if choice.interpreter is not None and choice.interpreter.language == "python":
        found["PYTHONPATH"] = place.runtime
    if choice.interpreter is not None and choice.interpreter.language == "node":
        found["NODE_PATH"] = f"{opt}/nodejs/node{choice.interpreter.minor}/node_modules:{opt}/nodejs/node_modules"
    found |= version.environment
    found |= {
        "_HANDLER": version.handler,
        "AWS_REGION": version.scope.region,
        "AWS_DEFAULT_REGION": version.scope.region,
        "AWS_LAMBDA_FUNCTION_NAME": version.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": how.value,
        "AWS_LAMBDA_RUNTIME_API": place.api,
        "LAMBDA_TASK_ROOT": place.task,
        "LAMBDA_RUNTIME_DIR": place.runtime,
        "FOGBANK_OPT": opt,
        "TMPDIR": place.temporary,
    }
    found |= _of_the_environment(version, place, credentials)
    if choice.interpreter is not None:  # a runtime that the code brings does not say who it is
        found["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{version.runtime}"
    if version.logging.format is LogFormat.JSON:
        found["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
    if version.logging.application_level:
        found["AWS_LAMBDA_LOG_LEVEL"] = version.logging.application_level
    return found


def _of_the_environment(
    version: FunctionVersion, place: Place, credentials: Credentials | CredentialsPlace
) -> dict[str, str]:
    """What differs between the environments of a version. With SnapStart it may not be in variables, since the init
    code would keep it: keys are fetched, and the log's names are not told.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-credentials
    """
    if isinstance(credentials, CredentialsPlace):
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{credentials.address}{CREDENTIALS_PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": credentials.token,
            "FOGBANK_ENVIRONMENT": place.name,
        }
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_LAMBDA_LOG_GROUP_NAME": version.logging.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": place.log_stream,
    }


def _machine_path(choice: Choice) -> str:
    """Where programs are found: the interpreter's own folder, then the system's."""
    if choice.interpreter is None:
        return os.defpath
    return f"{choice.interpreter.path.parent}:{os.defpath}"

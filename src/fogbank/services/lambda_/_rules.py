"""The rules for a function's settings beyond those of the service model, with AWS's words. Pure functions.

Sources: the API reference of CreateFunction and UpdateFunctionConfiguration, the quotas page, and the pages on
environment variables, runtimes and layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import NotImplementedByFogbank, ValidationError
from fogbank.runtime import RESERVED
from fogbank.services.lambda_._names import MAX_NAME
from fogbank.services.lambda_.errors import InvalidParameterValueError
from fogbank.services.lambda_.model import snap_start

MAX_ENVIRONMENT = 4096
MAX_LAYERS = 5
MAX_TAGS = 50
_ABSENT = (
    "ImageConfig",
    "FileSystemConfigs",
    "TenancyConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "RuntimeConfig",
    "AcceleratorConfig",
    "PublishTo",
)
"""Settings that a function would behave differently by, and that Fogbank lacks."""
_KEPT = ("Role", "Handler", "Runtime", "Description", "Timeout", "MemorySize", "KMSKeyArn", "TracingConfig")
_RETIRED = frozenset(
    {
        "nodejs",
        "nodejs4.3",
        "nodejs6.10",
        "nodejs8.10",
        "nodejs10.x",
        "nodejs12.x",
        "nodejs14.x",
        "nodejs4.3-edge",
        "python2.7",
        "python3.6",
        "python3.7",
        "java8",
        "dotnetcore1.0",
        "dotnetcore2.0",
        "dotnetcore2.1",
        "dotnetcore3.1",
        "go1.x",
        "ruby2.5",
        "ruby2.7",
        "provided",
    }
)
"""Runtimes that AWS takes for no new function. Source: the runtime deprecation table."""
_LEVELS = ("ApplicationLogLevel", "SystemLogLevel")
_SUCCESSORS = (
    ("nodejs12.x", "nodejs18.x"),
    ("nodejs", "nodejs20.x"),
    ("python", "python3.12"),
    ("java", "java21"),
    ("dotnet", "dotnet6"),
    ("ruby", "ruby3.2"),
    ("go", "provided.al2023"),
    ("provided", "provided.al2023"),
)
"""The runtime that AWS recommends in place of a retired one, by how its name begins; as recorded in June 2024."""
_RUNNABLE = re.compile(r"python3\.\d+|nodejs\d+\.x|provided\.al2(023)?")


def check_name(name: str) -> None:
    """A name that stands alone is shorter than the ARN that the model allows."""
    if len(name) > MAX_NAME:
        raise InvalidParameterValueError(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_NAME}"
        )


def settings(request: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
    """The settings of a Create or UpdateConfiguration request, checked, in the shape in which they are kept.

    Layers are checked by whoever knows which there are. A value of `None` removes the setting.
    """
    for name in _ABSENT:
        if request.get(name):
            raise NotImplementedByFogbank(f"Fogbank does not implement the {name} of a function yet")
    if request.get("PackageType") == "Image":
        raise NotImplementedByFogbank("Fogbank does not run container images (PackageType Image) yet; use Zip")
    if creating and not (request.get("Runtime") and request.get("Handler")):
        raise InvalidParameterValueError(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    _check_sizes(request)
    if "Runtime" in request:
        check_runtime(request["Runtime"])
    kept: dict[str, Any] = {name: request[name] for name in _KEPT if name in request}
    if "Environment" in request:
        variables = request["Environment"].get("Variables", {})
        check_variables(variables)
        kept["Environment"] = variables
    if "DeadLetterConfig" in request:
        kept["DeadLetterConfig"] = _dead_letter(request["DeadLetterConfig"])
    if "VpcConfig" in request:
        kept["VpcConfig"] = _network(request["VpcConfig"], creating=creating)
    if "LoggingConfig" in request:
        kept["LoggingConfig"] = merge_logging({}, request["LoggingConfig"]) if creating else request["LoggingConfig"]
    for name in ("Architectures", "EphemeralStorage"):
        if name in request:
            kept[name] = request[name]
    if "SnapStart" in request:
        kept["SnapStart"] = request["SnapStart"] if snap_start(request) else None
    return kept


def _check_sizes(request: Mapping[str, Any]) -> None:
    """The model allows what only managed instances have."""
    limits = (
        ("memorySize", request.get("MemorySize"), 10_240),
        ("timeout", request.get("Timeout"), 900),
        ("ephemeralStorage.size", request.get("EphemeralStorage", {}).get("Size"), 10_240),
    )
    for name, value, most in limits:
        if value is not None and value > most:
            raise ValidationError(
                f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
                f"Member must have value less than or equal to {most}"
            )


def check_runtime(runtime: str) -> None:
    """Retired runtimes are refused as AWS refuses them, those that Fogbank lacks by name."""
    if runtime in _RETIRED:
        successor = next(new for old, new in _SUCCESSORS if runtime.startswith(old))
        raise InvalidParameterValueError(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda "
            f"functions. We recommend you use the new runtime ({successor}) while creating or updating functions."
        )
    if not _RUNNABLE.fullmatch(runtime):
        raise NotImplementedByFogbank(
            f"Fogbank does not run {runtime} functions yet; it runs python3.x, nodejs and provided.al2023"
        )


def check_variables(variables: Mapping[str, str]) -> None:
    """Environment variables: no reserved names, 4 KB in all."""
    reserved = sorted(RESERVED.intersection(variables))
    if reserved:
        raise InvalidParameterValueError(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    text = msgspec.json.encode(dict(variables)).decode()
    if sum(len(name.encode()) + len(value.encode()) for name, value in variables.items()) > MAX_ENVIRONMENT:
        raise InvalidParameterValueError(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. String measured: {text}"
        )


def _dead_letter(config: Mapping[str, Any]) -> dict[str, Any] | None:
    target = config.get("TargetArn")
    if not target:
        return None
    try:
        service = Arn.parse(target).service
    except MalformedArnError:
        service = ""
    if service not in ("sqs", "sns"):
        raise InvalidParameterValueError(
            f"The provided dead letter target arn {target} is not valid: expected an SQS queue or an SNS topic."
        )
    return {"TargetArn": target}


def _network(config: Mapping[str, Any], *, creating: bool) -> dict[str, Any] | None:
    """A function that was in a network and is taken out of it shows that; one that never was shows nothing."""
    subnets, groups = config.get("SubnetIds", []), config.get("SecurityGroupIds", [])
    if not subnets and not groups:
        nowhere = {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": "", "Ipv6AllowedForDualStack": False}
        return None if creating else nowhere
    if not subnets or not groups:
        raise InvalidParameterValueError("SubnetIds and SecurityIds must coexist or be both empty list.")
    return {
        "SubnetIds": subnets,
        "SecurityGroupIds": groups,
        "VpcId": "vpc-local",
        "Ipv6AllowedForDualStack": config.get("Ipv6AllowedForDualStack", False),
    }


def merge_logging(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The logging of a configuration, changed in what is given; levels are of JSON only, and go with it."""
    merged = {**config.get("LoggingConfig", {}), **given}
    if merged.get("LogFormat") == "JSON":
        return merged
    if any(level in given for level in _LEVELS):
        raise InvalidParameterValueError("To configure application or system log levels, set LogFormat to JSON.")
    return {name: value for name, value in merged.items() if name not in _LEVELS}


def merge(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with changes; `None` removes."""
    merged = {**config, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def check_tags(tags: Mapping[str, str], added: Iterable[str] | None = None, *, by_service: bool = False) -> None:
    """Tags: 50 at most; of those `added` (all, if nothing else is said) none of AWS's own, unless AWS adds them."""
    if len(tags) > MAX_TAGS:
        raise InvalidParameterValueError("Number of tags exceeds resource tag limit.")
    for name in () if by_service else tags if added is None else added:
        if name.lower().startswith("aws:"):
            raise InvalidParameterValueError("Tag keys starting with 'aws:' are reserved for system use.")

"""The functions of a template as they can be run on this machine without deploying it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fogbank.cli.applications import translated
from fogbank.cli.deploying import built
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.output import Output
from fogbank.templates.loader import load
from fogbank.templates.macros import SAM
from fogbank.templates.sections import transforms

_VARIABLE = re.compile(r"\$\{([^}!]+)\}")
_INLINE_SUFFIX = {"python": ".py", "nodejs": ".js"}


@dataclass(frozen=True, slots=True)
class LocalFunction:
    """A function: its settings, its unpacked code and layers. `memory` in MB, `timeout` in seconds."""

    name: str
    runtime: str
    handler: str
    task: Path
    layers: tuple[Path, ...] = ()
    memory: int = 128
    timeout: float = 3.0
    ephemeral: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)


def local_functions(
    template: Path, parameters: Mapping[str, str], region: str, folder: Path, output: Output
) -> list[LocalFunction]:
    """Build a template and read its functions; inline code is written below `folder`.

    What only a deployment knows, such as the name of a table in a variable, is the logical id of the resource.
    """
    body = load(built(template, parameters, output).body)
    if SAM in transforms(body):
        body = translated(body, region, template, parameters)
    known = {
        name: str(parameter["Default"])
        for name, parameter in (body.get("Parameters") or {}).items()
        if isinstance(parameter, dict) and "Default" in parameter
    } | {"AWS::Region": region, "AWS::AccountId": "000000000000", "AWS::Partition": "aws", **parameters}
    resources: Mapping[str, Any] = body.get("Resources") or {}
    found = []
    for name, resource in resources.items():
        properties = resource.get("Properties") or {}
        if resource.get("Type") == "AWS::Lambda::Function" and properties.get("PackageType", "Zip") == "Zip":
            found.append(_function(name, properties, resources, known, folder))
    if not found:
        raise Failure(Exit.INVALID, "the template has no functions with code", where=str(template))
    return found


def _function(
    name: str, properties: Mapping[str, Any], resources: Mapping[str, Any], known: Mapping[str, str], folder: Path
) -> LocalFunction:
    runtime = _value(properties.get("Runtime"), known)
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    layers = []
    for layer in properties.get("Layers") or []:
        resource = resources.get(layer["Ref"]) if isinstance(layer, dict) and "Ref" in layer else None
        if resource is not None:
            layers.append(Path(str(resource["Properties"]["Content"]["S3Key"])))
    return LocalFunction(
        name=name,
        runtime=runtime,
        handler=_value(properties.get("Handler"), known),
        task=_task(name, runtime, properties.get("Code") or {}, folder),
        layers=tuple(layers),
        memory=int(_value(properties.get("MemorySize", 128), known)),
        timeout=float(_value(properties.get("Timeout", 3), known)),
        ephemeral=int(_value((properties.get("EphemeralStorage") or {}).get("Size", 512), known)),
        environment={key: _value(value, known) for key, value in variables.items()},
    )


def _task(name: str, runtime: str, code: Mapping[str, Any], folder: Path) -> Path:
    text = code.get("ZipFile")
    if isinstance(text, str):
        task = folder / name
        task.mkdir(parents=True)
        suffix = next((found for kind, found in _INLINE_SUFFIX.items() if runtime.startswith(kind)), ".py")
        (task / f"index{suffix}").write_text(text, encoding="utf-8")
        return task
    path = Path(str(code.get("S3Key", "")))
    if not path.is_dir():
        raise Failure(
            Exit.INVALID, f"the code of {name} is not on this machine", do="give it as a local folder in the template"
        )
    return path


def _value(value: Any, known: Mapping[str, str]) -> str:
    """A property's text, without a deployment: a name stands in for what it will refer to."""
    if isinstance(value, Mapping) and len(value) == 1:
        (intrinsic, argument), *_ = value.items()
        if intrinsic == "Ref":
            return known.get(str(argument), str(argument))
        if intrinsic == "Fn::GetAtt":
            return ".".join(map(str, argument)) if isinstance(argument, list) else str(argument)
        if intrinsic == "Fn::Sub":
            text = argument[0] if isinstance(argument, list) else argument
            return _VARIABLE.sub(lambda found: known.get(found[1], found[1]), str(text))
        return str(intrinsic)
    return str(value).lower() if isinstance(value, bool) else str(value)

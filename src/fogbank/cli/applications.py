"""A template as the audit sees it: SAM translated, local code read, the lines of its resources known."""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fogbank.cli.connection import Connection
from fogbank.cli.failures import Exit, Failure
from fogbank.core.clock import SystemClock
from fogbank.core.scope import Scope
from fogbank.insight.audit.code import Code
from fogbank.templates.errors import TemplateError
from fogbank.templates.functions import Environment, Evaluator
from fogbank.templates.loader import load, locate
from fogbank.templates.macros import SAM
from fogbank.templates.parameters import Value
from fogbank.templates.sections import Parameter, scalar_text, transforms
from fogbank.templates.translator import SamTranslator

MAX_SOURCE = 512 * 1024
"""Bytes of a source file that are read."""
MAX_FILES = 500
_SOURCES = frozenset({".py", ".js", ".mjs", ".cjs", ".ts"})
_SKIPPED = frozenset({"node_modules", ".venv", "__pycache__", ".aws-sam", ".fogbank", ".git", "tests"})
_STAND_IN = {"Bucket": "local", "Key": "code"}
_PLACES = {
    "AWS::Serverless::Function": ("CodeUri", _STAND_IN),
    "AWS::Serverless::LayerVersion": ("ContentUri", _STAND_IN),
    "AWS::Serverless::Api": ("DefinitionUri", _STAND_IN),
    "AWS::Serverless::HttpApi": ("DefinitionUri", _STAND_IN),
    "AWS::Lambda::Function": ("Code", {"S3Bucket": "local", "S3Key": "code"}),
}


@dataclass(frozen=True, slots=True)
class Source:
    """A template, as CloudFormation has it, and what belongs to it."""

    path: str
    template: dict[str, Any]
    code: dict[str, Code]
    lines: dict[str, int]
    origins: dict[str, str] = field(default_factory=dict)
    """Of what SAM made a resource: the logical id in the template as it was written."""


def read_application(path: Path, region: str) -> Source:
    """Read a template file. `Failure` says what is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = copy.deepcopy(load(text))
        named = transforms(raw)
    except (OSError, UnicodeDecodeError, TemplateError) as error:
        raise Failure(Exit.INVALID, f"the template cannot be read: {error}", where=str(path)) from None
    resources = raw.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise Failure(Exit.INVALID, "the template has no Resources", where=str(path))
    code = {}
    for name, resource in resources.items():
        found = _local_code(path.parent, raw, resource) if isinstance(resource, dict) else None
        if found is not None:
            code[name] = found
    expanded = dict(translated(raw, region, path) if SAM in named else raw)
    expanded["Resources"] = _deployed(expanded, region)
    origins = {name: _origin(resources, name) for name in expanded["Resources"]}
    lines = {name: line for name, origin in origins.items() if (line := _line(text, origin)) is not None}
    made = {name: origin for name, origin in origins.items() if origin and origin != name}
    return Source(str(path), expanded, code, lines, made)


def stack_application(connection: Connection, stack: str) -> Source:
    """The template of a deployed stack; its code is not at hand."""
    reply = connection.client("cloudformation").get_template(StackName=stack, TemplateStage="Processed")
    body = reply["TemplateBody"]
    template = dict(body) if isinstance(body, dict) else load(body)
    return Source(f"stack {stack}", template, {}, {})


def translated(
    raw: dict[str, Any], region: str, path: Path, parameters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A template by SAM's own translator, in a process of its own; `parameters` beside their defaults."""
    defaults = {
        name: body["Default"]
        for name, body in (raw.get("Parameters") or {}).items()
        if isinstance(body, dict) and "Default" in body
    } | dict(parameters or {})

    async def translate() -> dict[str, Any]:
        translator = SamTranslator(SystemClock())
        try:
            return await translator.translate(raw, defaults, region)
        finally:
            await translator.close()

    try:
        return asyncio.run(translate())
    except TemplateError as error:
        missing = "pip install" in str(error)
        raise Failure(Exit.MISSING if missing else Exit.INVALID, str(error), where=str(path)) from None


def _deployed(template: Mapping[str, Any], region: str) -> dict[str, Any]:
    """The resources whose conditions hold with the parameters' defaults; what cannot be decided is there."""
    parameters = {
        name: Value(Parameter(name, str(body.get("Type", "String"))), scalar_text(body["Default"]))
        for name, body in (template.get("Parameters") or {}).items()
        if isinstance(body, dict) and isinstance(body.get("Default"), str | int | float)
    }
    conditions = template.get("Conditions") or {}
    mappings = template.get("Mappings") or {}
    environment = Environment(Scope(region=region), "stack", "stack", parameters, mappings, conditions)
    evaluator = Evaluator(environment)

    def holds(resource: Mapping[str, Any]) -> bool:
        try:
            return "Condition" not in resource or evaluator.condition(resource["Condition"])
        except (TemplateError, KeyError, TypeError):
            return True

    return {name: resource for name, resource in template["Resources"].items() if holds(resource)}


def _local_code(folder: Path, raw: Mapping[str, Any], resource: dict[str, Any]) -> Code | None:
    """Read a function's local source, and put a stand-in in its place for the translator."""
    place = _PLACES.get(str(resource.get("Type")))
    properties = resource.setdefault("Properties", {})
    if not isinstance(properties, dict):
        return None
    if resource.get("Type") == "AWS::Serverless::StateMachine":
        _inline_definition(folder, properties)
    if place is None or "InlineCode" in properties:
        inline = properties.get("InlineCode")
        return _code({"index.py": inline}, str(properties.get("Handler"))) if isinstance(inline, str) else None
    name, stand_in = place
    section = (raw.get("Globals") or {}).get("Function") or {} if "Serverless::Function" in resource["Type"] else {}
    value = properties.get(name, section.get(name))
    if isinstance(value, dict) and isinstance(value.get("ZipFile"), str):
        return _code({"index.py": value["ZipFile"]}, str(properties.get("Handler")))
    if not isinstance(value, str) or "://" in value:
        return None
    properties[name] = dict(stand_in)
    source = (folder / value).resolve()
    if "Function" not in resource["Type"] or not source.exists():
        return None
    return _code(_texts(source), str(properties.get("Handler", section.get("Handler"))))


def _inline_definition(folder: Path, properties: dict[str, Any]) -> None:
    value = properties.get("DefinitionUri")
    if isinstance(value, str) and "://" not in value and (folder / value).is_file():
        properties["Definition"] = yaml.safe_load((folder / value).read_text(encoding="utf-8"))
        del properties["DefinitionUri"]


def _texts(source: Path) -> dict[str, str]:
    if source.is_file():
        files = [source] if source.suffix in _SOURCES else []
        root = source.parent
    else:
        root = source
        files = sorted(
            path
            for path in source.rglob("*")
            if path.suffix in _SOURCES and path.is_file() and not _SKIPPED & set(path.relative_to(root).parts)
        )
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8", errors="replace")
        for path in files[:MAX_FILES]
        if path.stat().st_size <= MAX_SOURCE
    }


def _code(texts: Mapping[str, str], handler: str) -> Code:
    digest = hashlib.sha256()
    for path, text in texts.items():
        digest.update(f"{path}\0{text}\0".encode())
    return Code(digest.hexdigest(), dict(texts), handler)


def _origin(written: Mapping[str, Any], name: str) -> str:
    """The resource that is written in the template: of what SAM made, the one whose id its own begins with."""
    return name if name in written else max((one for one in written if name.startswith(one)), key=len, default="")


def _line(text: str, origin: str) -> int | None:
    """Where a resource stands."""
    position = locate(text, ("Resources", origin)) if origin else None
    return None if position is None else position.line

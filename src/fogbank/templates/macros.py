"""Macros: what is expanded before a template is read as CloudFormation.

`AWS::Include` puts another document in its place, `AWS::LanguageExtensions` writes out `Fn::ForEach` (its other
functions are evaluated like any), `AWS::Serverless-2016-10-31` is SAM's own translator (`sam.py`, imported when a
template names it). Sources: the transform reference of the CloudFormation user guide.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fogbank.services.cloudformation.engine import DeploymentError
from fogbank.templates.errors import TemplateError, TransformError, UnsupportedError
from fogbank.templates.functions import Environment, Evaluator
from fogbank.templates.loader import load
from fogbank.templates.sections import scalar_text

SAM = "AWS::Serverless-2016-10-31"
LANGUAGE = "AWS::LanguageExtensions"
INCLUDE = "AWS::Include"
_UNSUPPORTED = frozenset(
    {"AWS::CodeDeployBlueGreen", "AWS::SecretsManager-2020-07-23", "AWS::SecretsManager-2024-09-16",
     "AWS::ServiceCatalog"}
)  # fmt: skip
MAX_LOOP = 10_000
"""Fragments that loops may write out in all."""

Fetch = Callable[[Any], Awaitable[str]]
"""Gives the text of the document that an `AWS::Include` names as its Location."""


def check_names(names: tuple[str, ...]) -> None:
    """Every macro that a template names is one that there is."""
    for name in names:
        if name in _UNSUPPORTED:
            raise UnsupportedError(f"Fogbank does not implement the transform {name}")
        if name not in (SAM, LANGUAGE, INCLUDE):
            raise DeploymentError(f"No transform named {name} found.")


def needs_language_extensions(template: Mapping[str, Any]) -> str | None:
    """The first function in a template that only `AWS::LanguageExtensions` allows."""
    pending: list[Any] = [template]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending.extend(each)
        elif isinstance(each, dict):
            key: str
            for key, child in each.items():
                if key in ("Fn::Length", "Fn::ToJsonString") or key.startswith("Fn::ForEach::"):
                    return key
                if key == "Fn::FindInMap" and isinstance(child, list) and len(child) > 3:
                    return "DefaultValue of Fn::FindInMap"
                pending.append(child)
    return None


def refuse_repository(raw: Mapping[str, Any]) -> None:
    """Refuse applications of the Serverless Application Repository: SAM's translator would ask AWS for them."""
    for name, resource in raw["Resources"].items():
        properties = resource.get("Properties") if isinstance(resource, dict) else None
        if not isinstance(properties, dict) or resource.get("Type") != "AWS::Serverless::Application":
            continue
        if isinstance(properties.get("Location"), dict) and "ApplicationId" in properties["Location"]:
            raise UnsupportedError(
                f"Fogbank does not implement the Serverless Application Repository, which resource {name} names"
            )


async def include(raw: Mapping[str, Any], fetch: Fetch) -> dict[str, Any]:
    """The template with every `AWS::Include`, in the Transform section or in place, replaced by what it names.

    `fetch` gives the document at what a Location is: text, or a function that gives it.
    """
    included: dict[str, Any] = await _included(dict(raw), fetch)
    declared = included.get("Transform")
    for entry in declared if isinstance(declared, list) else [declared]:
        if isinstance(entry, dict) and entry.get("Name") == INCLUDE:
            document = await _document(entry, fetch)
            included = _merged(document, included)
    return included


async def _included(value: Any, fetch: Fetch, depth: int = 0) -> Any:
    if isinstance(value, list):
        return [await _included(item, fetch, depth) for item in value]
    if not isinstance(value, dict):
        return value
    call = value.get("Fn::Transform")
    if isinstance(call, list) and len(call) == 1:
        call = call[0]
    if isinstance(call, dict):
        if call.get("Name") != INCLUDE:
            raise DeploymentError(f"No transform named {call.get('Name')} found.")
        if depth > 3:
            raise TransformError(INCLUDE, "The included documents include each other without end.")
        document = await _included(await _document(call, fetch), fetch, depth + 1)
        rest = {key: child for key, child in value.items() if key != "Fn::Transform"}
        return _merged(document, await _included(rest, fetch, depth)) if rest else document
    return {key: await _included(child, fetch, depth) for key, child in value.items()}


async def _document(call: Mapping[str, Any], fetch: Fetch) -> dict[str, Any]:
    return load(await fetch((call.get("Parameters") or {}).get("Location")))


def location_of(value: Any, environment: Environment) -> str:
    """The text of an included document's location, whose functions know the parameters and mappings."""
    location = Evaluator(environment).evaluate(value)
    if not isinstance(location, str):
        raise TransformError(INCLUDE, "The location parameter is not a string.")
    if not location.startswith("s3://"):
        raise TransformError(INCLUDE, "The location parameter is not a valid S3 uri.")
    return location


def _merged(document: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """An included document under what stands beside it; mappings are merged."""
    result = dict(document)
    for key, value in over.items():
        there = result.get(key)
        result[key] = _merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return result


class Loops:
    """Writes out `Fn::ForEach`. One for each template: it counts what it writes."""

    def __init__(self, environment: Environment) -> None:
        self._evaluator = Evaluator(environment)
        self._written = 0

    def expand(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The template without loops."""
        return {
            key: value if key in ("Metadata", "Transform", "Mappings", "Parameters") else self._value(value, {})
            for key, value in raw.items()
        }

    def _value(self, value: Any, bound: Mapping[str, str]) -> Any:
        if isinstance(value, list):
            return [self._value(item, bound) for item in value]
        if isinstance(value, str):
            return _substituted(value, bound)
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and isinstance(value.get("Ref"), str) and value["Ref"] in bound:
            return bound[value["Ref"]]
        result: dict[str, Any] = {}
        for key, child in value.items():
            if key.startswith("Fn::ForEach::"):
                result.update(self._loop(key, child, bound))
            else:
                result[_substituted(key, bound)] = self._value(child, bound)
        return self._named(result)

    def _named(self, value: dict[str, Any]) -> dict[str, Any]:
        """Functions in the places of names: of what `Ref` and `Fn::GetAtt` refer to, of a resource's policies."""
        if len(value) == 1 and isinstance(value.get("Ref"), dict):
            return {"Ref": self._evaluator.evaluate(value["Ref"])}
        attribute = value.get("Fn::GetAtt")
        if len(value) == 1 and isinstance(attribute, list) and attribute and isinstance(attribute[0], dict):
            return {"Fn::GetAtt": [self._evaluator.evaluate(attribute[0]), *attribute[1:]]}
        if "Type" in value:
            for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
                if isinstance(value.get(policy), dict):
                    value[policy] = self._evaluator.evaluate(value[policy])
        return value

    def _loop(self, key: str, argument: Any, bound: Mapping[str, str]) -> dict[str, Any]:
        if not (
            isinstance(argument, list)
            and len(argument) == 3
            and isinstance(argument[0], str)
            and isinstance(argument[2], dict)
        ):
            raise TransformError(LANGUAGE, f"{key} layout is incorrect")
        identifier, collection, fragment = argument
        values = self._evaluator.evaluate(self._value(collection, bound))
        if not isinstance(values, list) or any(isinstance(value, dict | list) for value in values):
            raise TransformError(LANGUAGE, f"{key}: the collection must be a list of strings")
        written: dict[str, Any] = {}
        for value in values:
            self._written += 1
            if self._written > MAX_LOOP:
                raise TransformError(LANGUAGE, f"expected at most {MAX_LOOP} repetitions of Fn::ForEach")
            made = self._value(fragment, {**bound, identifier: scalar_text(value)})
            repeated = written.keys() & made.keys()
            if repeated:
                raise TransformError(LANGUAGE, f"{key} gives the same key twice: {min(repeated)}")
            written.update(made)
        return written


def _substituted(text: str, bound: Mapping[str, str]) -> str:
    """`${Identifier}` replaced, and `&{Identifier}` by the same without what a logical id cannot have."""
    for name, value in bound.items():
        text = text.replace("${" + name + "}", value)
        text = text.replace("&{" + name + "}", re.sub(r"[^A-Za-z0-9]", "", value))
    return text


def without_transform(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The template as it stands when its macros have run."""
    processed = {key: value for key, value in raw.items() if key not in ("Transform", "Globals")}
    if "Resources" not in processed:
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    return processed

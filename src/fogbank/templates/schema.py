"""Schemas of resource types: what properties a type has, which replace the resource, and whether values fit.

The schemas are AWS's own (`schemas/`, written by `tools/resource_schemas.py`). As CloudFormation does, scalars are
first converted to the type that the schema wants (`"30"` to 30, `true` to `"true"`), then checked.
Source: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fogbank.templates.errors import PropertiesError
from fogbank.templates.sections import scalar_text

_FOLDER = Path(__file__).parent / "schemas"
_POINTER = "/properties/"
_JSON_NAMES = {str: "String", bool: "Boolean", int: "Integer", float: "Double", list: "JSONArray", dict: "JSONObject"}
_WANTED = {
    "string": "String", "boolean": "Boolean", "integer": "Integer", "number": "Number", "array": "JSONArray",
    "object": "JSONObject",
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")


@functools.cache
def type_names() -> frozenset[str]:
    """Every resource type that AWS has in us-east-1, implemented here or not."""
    return frozenset((_FOLDER / "names.txt").read_text(encoding="utf-8").split())


@functools.cache
def _service_schemas(service: str) -> Mapping[str, Any]:
    path = _FOLDER / f"{service}.json"
    schemas: dict[str, Any] = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
    return schemas


@functools.cache
def schema_of(type_name: str) -> ResourceSchema:
    """The schema of a type; `KeyError` if none is shipped."""
    parts = type_name.split("::")
    return ResourceSchema(type_name, _service_schemas(parts[1].lower() if len(parts) > 1 else "")[type_name])


@dataclass(frozen=True, slots=True, eq=False)
class ResourceSchema:
    """The schema of one resource type."""

    type: str
    document: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        """The schemas of the type's properties, read-only ones included."""
        found: Mapping[str, Any] = self.document["properties"]
        return found

    @property
    def create_only(self) -> tuple[tuple[str, ...], ...]:
        """Paths of the properties whose change replaces the resource."""
        return self._paths("createOnlyProperties")

    @property
    def read_only(self) -> tuple[tuple[str, ...], ...]:
        """Paths of the properties that a template cannot set."""
        return self._paths("readOnlyProperties")

    @property
    def tag_property(self) -> str | None:
        """The property that holds the resource's tags, if the type can be tagged."""
        tagging = self.document.get("tagging") or {}
        if not tagging.get("taggable", "Tags" in self.properties):
            return None
        name: str = tagging.get("tagProperty", "/properties/Tags").removeprefix(_POINTER)
        return name if name in self.properties else None

    @property
    def system_tags(self) -> bool:
        """Whether CloudFormation adds its `aws:cloudformation:…` tags to resources of this type."""
        return bool((self.document.get("tagging") or {}).get("cloudFormationSystemTags", False))

    def _paths(self, key: str) -> tuple[tuple[str, ...], ...]:
        pointers: list[str] = self.document.get(key) or []
        return tuple(tuple(pointer.removeprefix(_POINTER).split("/")) for pointer in pointers)

    def coerce(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Properties with scalars in the types that the schema wants, where they can be converted."""
        coerced: dict[str, Any] = self._coerce(dict(properties), self.document)
        return coerced

    def check(self, logical_id: str, properties: Mapping[str, Any]) -> None:
        """Raise `PropertiesError` that names every property that does not fit."""
        problems = list(self._problems("#", properties, self.document))
        set_anyway = [path[0] for path in self.read_only if len(path) == 1 and path[0] in properties]
        problems += [f"#: read only key [{name}] is not permitted" for name in set_anyway]
        if problems:
            raise PropertiesError(
                f"Properties validation failed for resource {logical_id} with message:\n" + "\n".join(problems)
            )

    def resolve(self, schema: Any) -> Mapping[str, Any]:
        """A schema with its `$ref` followed."""
        for _ in range(10):
            if not isinstance(schema, dict):
                return {}
            if "$ref" not in schema:
                return schema
            pointer: str = schema["$ref"]
            kind, _, name = pointer.removeprefix("#/").partition("/")
            schema = self.document.get(kind, {}).get(name, {})
        return {}

    def _child(self, schema: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
        """The schema of a member; `None` if it is not permitted."""
        if key in schema.get("properties", {}):
            return self.resolve(schema["properties"][key])
        for pattern, child in schema.get("patternProperties", {}).items():
            compiled = _compiled(pattern)
            if compiled is None or compiled.search(key):
                return self.resolve(child)
        extra = schema.get("additionalProperties", True)
        if extra is False:
            return None
        return self.resolve(extra) if isinstance(extra, dict) else {}

    def _coerce(self, value: Any, schema: Mapping[str, Any]) -> Any:
        wanted = schema.get("type")
        if isinstance(value, dict):
            if "properties" not in schema and "patternProperties" not in schema:
                return value
            return {key: self._coerce(child, self._child(schema, key) or {}) for key, child in value.items()}
        if isinstance(value, list):
            items = self.resolve(schema.get("items", {}))
            return [self._coerce(child, items) for child in value]
        return _converted(value, wanted) if isinstance(wanted, str) else value

    def _problems(self, path: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
        wanted = schema.get("type")
        if wanted is not None and not _is_of(value, wanted):
            names = [wanted] if isinstance(wanted, str) else wanted
            expected = " or ".join(_WANTED.get(name, name) for name in names)
            yield f"{path}: expected type: {expected}, found: {_JSON_NAMES.get(type(value), type(value).__name__)}"
            return
        yield from (f"{path}: failed validation constraint for keyword [{word}]" for word in _broken(value, schema))
        if isinstance(value, dict):
            yield from self._member_problems(path, value, schema)
        elif isinstance(value, list):
            items = self.resolve(schema.get("items", {}))
            for index, child in enumerate(value):
                yield from self._problems(f"{path}/{index}", child, items)

    def _member_problems(self, path: str, value: dict[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
        for key in schema.get("required") or ():
            if key not in value:
                yield f"{path}: required key [{key}] not found"
        for key, child in value.items():
            below = self._child(schema, key)
            if below is None:
                yield f"{path}: extraneous key [{key}] is not permitted"
            elif below:
                yield from self._problems(f"{path}/{key}", child, below)

    def canonical(self, properties: Mapping[str, Any]) -> Any:
        """Properties in a form in which equal means the same: lists whose order says nothing are sorted."""
        return self._canonical(dict(properties), self.document)

    def _canonical(self, value: Any, schema: Mapping[str, Any]) -> Any:
        if isinstance(value, dict):
            return {key: self._canonical(child, self._child(schema, key) or {}) for key, child in value.items()}
        if isinstance(value, list):
            items = self.resolve(schema.get("items", {}))
            canonical = [self._canonical(child, items) for child in value]
            if schema.get("insertionOrder", True) is False:
                canonical.sort(key=lambda child: json.dumps(child, sort_keys=True))
            return canonical
        return value

    def replaces(self, changed: frozenset[tuple[str, ...]]) -> bool:
        """Whether a change of these paths needs a new resource."""
        return any(path[: len(only)] == only[: len(path)] for path in changed for only in self.create_only)


def changed_paths(before: Any, after: Any, path: tuple[str, ...] = (), depth: int = 3) -> frozenset[tuple[str, ...]]:
    """Where two canonical values differ: paths of names, no deeper than `depth`."""
    if before == after:
        return frozenset()
    if depth == 0 or not (isinstance(before, dict) and isinstance(after, dict)):
        return frozenset((path,))
    found: set[tuple[str, ...]] = set()
    for key in {**before, **after}:
        if key not in before or key not in after:
            found.add((*path, key))
        else:
            found |= changed_paths(before[key], after[key], (*path, key), depth - 1)
    return frozenset(found)


def _converted(value: Any, wanted: str) -> Any:
    """A scalar in the wanted type, or as it is if it cannot be."""
    if wanted == "string" and isinstance(value, bool | int | float):
        return scalar_text(value)
    if not isinstance(value, str):
        if wanted == "integer" and isinstance(value, float) and value.is_integer():
            return int(value)
        return value
    text = value.strip()
    if wanted == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if wanted in ("integer", "number") and _INTEGER.fullmatch(text):
        return int(text)
    if wanted == "number":
        try:
            return float(text)
        except ValueError:
            return value
    return value


def _is_of(value: Any, wanted: str | list[str]) -> bool:
    names = (wanted,) if isinstance(wanted, str) else wanted
    for name in names:
        match name:
            case "string":
                fits = isinstance(value, str)
            case "boolean":
                fits = isinstance(value, bool)
            case "integer":
                fits = isinstance(value, int) and not isinstance(value, bool)
            case "number":
                fits = isinstance(value, int | float) and not isinstance(value, bool)
            case "array":
                fits = isinstance(value, list)
            case "object":
                fits = isinstance(value, dict)
            case _:
                fits = True
        if fits:
            return True
    return False


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """A schema's pattern; `None` if it is written in what Python's expressions do not have (Unicode classes)."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _broken(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """The keywords of a schema that a value breaks."""
    if "enum" in schema and value not in schema["enum"]:
        yield "enum"
    if "const" in schema and value != schema["const"]:
        yield "const"
    if isinstance(value, str):
        yield from _out_of(len(value), schema, "minLength", "maxLength")
        pattern = _compiled(schema["pattern"]) if "pattern" in schema else None
        if pattern is not None and len(value) <= 4096 and not pattern.search(value):
            yield "pattern"
    elif isinstance(value, list):
        yield from _out_of(len(value), schema, "minItems", "maxItems")
        if schema.get("uniqueItems") and len({json.dumps(v, sort_keys=True) for v in value}) < len(value):
            yield "uniqueItems"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _out_of(value, schema, "minimum", "maximum")


def _out_of(number: float, schema: Mapping[str, Any], low: str, high: str) -> Iterator[str]:
    if number < schema.get(low, number):
        yield low
    if number > schema.get(high, number):
        yield high

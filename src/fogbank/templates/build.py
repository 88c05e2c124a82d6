"""Building: local code made ready, and the template pointed at it. What `fogbank deploy` and `fogbank up` do first.

    template.yaml ──load──► every local CodeUri, ContentUri, Location … ──► a folder or file under the build folder
                                                                       ──► `fogbank-local` locations in the template

Python requirements are installed as `sam build` does, once for each content of `requirements.txt`; a redeploy after a
change of source only copies the source and links the rest. A code folder is named by its content, so a change of code
is a change of the template, which is how CloudFormation sees it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fogbank.templates import loader
from fogbank.templates._build import esbuild
from fogbank.templates._build.code import CodeBuilder
from fogbank.templates._build.errors import BuildError
from fogbank.templates._build.handlers import check_handler
from fogbank.templates.errors import TemplateError
from fogbank.templates.objects import LOCAL_BUCKET
from fogbank.templates.schema import schema_of, type_names
from fogbank.templates.sections import declared_parameters, scalar_text

MAX_INLINE = 51_200
KEPT = 10
"""Code folders of earlier builds that are kept."""

__all__ = ["Build", "BuildError", "BuiltCode", "build"]


@dataclass(frozen=True, slots=True)
class BuiltCode:
    """Code of one resource: where its source is, and the folder that is deployed."""

    logical_id: str
    source: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Build:
    """A built template. `watched` are the files and folders whose change calls for another build."""

    template: Path
    body: str
    body_path: Path
    code: tuple[BuiltCode, ...]
    watched: tuple[Path, ...]

    @property
    def arguments(self) -> dict[str, str]:
        """The template as CreateStack, UpdateStack and CreateChangeSet take it: in the request, or by its place."""
        if len(self.body.encode()) <= MAX_INLINE:
            return {"TemplateBody": self.body}
        return {"TemplateURL": f"https://{LOCAL_BUCKET}.s3.amazonaws.com{self.body_path}"}


@dataclass(frozen=True, slots=True)
class _Place:
    """A property that may name something local: where it is and what is made of it."""

    property: str
    kind: str
    bucket: str = "Bucket"
    key: str = "Key"


_PLACES: dict[str, tuple[_Place, ...]] = {
    "AWS::Serverless::Function": (_Place("CodeUri", "code"),),
    "AWS::Serverless::LayerVersion": (_Place("ContentUri", "code"),),
    "AWS::Lambda::Function": (_Place("Code", "code", "S3Bucket", "S3Key"),),
    "AWS::Lambda::LayerVersion": (_Place("Content", "code", "S3Bucket", "S3Key"),),
    "AWS::Serverless::Api": (_Place("DefinitionUri", "file"),),
    "AWS::Serverless::HttpApi": (_Place("DefinitionUri", "file"),),
    "AWS::Serverless::StateMachine": (_Place("DefinitionUri", "definition"),),
    "AWS::StepFunctions::StateMachine": (_Place("DefinitionS3Location", "definition"),),
    "AWS::ApiGateway::RestApi": (_Place("BodyS3Location", "file"),),
    "AWS::Serverless::Application": (_Place("Location", "template"),),
    "AWS::CloudFormation::Stack": (_Place("TemplateURL", "template"),),
}
"""The properties that `aws cloudformation package` uploads, as far as they belong to serverless templates."""


def build(
    template: Path,
    *,
    output: Path | None = None,
    parameters: Mapping[str, str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Build:
    """Build a template's local code into `output` (by default `.fogbank/build` beside the template).

    `parameters` are the values that will be deployed with; `progress` is told what takes time. Raises `BuildError`,
    which says what is wrong, where, and what to do.
    """
    path = template.absolute()
    folder = (output or path.parent / ".fogbank" / "build").absolute()
    return _Builder(path, folder, dict(parameters or {}), progress or _quiet).run()


def _quiet(message: str) -> None:
    del message


class _Builder:
    """One build."""

    def __init__(self, path: Path, output: Path, parameters: dict[str, str], progress: Callable[[str], None]) -> None:
        self._path = path
        self._output = output
        self._progress = progress
        self._code = CodeBuilder(output, progress)
        self._built: list[BuiltCode] = []
        self._watched: dict[Path, None] = {path: None}
        self._text = self._read(path)
        try:
            self._raw = copy.deepcopy(loader.load(self._text))
            declared = declared_parameters(self._raw)
        except TemplateError as error:
            raise BuildError(error.message, where=str(path), do="mend the template") from None
        defaults = {name: each.default for name, each in declared.items() if each.default is not None}
        self._parameters = {**defaults, **parameters}

    @staticmethod
    def _read(path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BuildError(f"the template cannot be read: {error}", where=str(path)) from None

    def run(self) -> Build:
        """Build everything."""
        resources = self._raw.get("Resources")
        if not isinstance(resources, dict):
            raise BuildError("the template has no Resources", where=str(self._path))
        for logical_id, resource in resources.items():
            if isinstance(resource, dict) and isinstance(resource.get("Type"), str):
                self._check(logical_id, resource)
                self._resource(logical_id, resource)
        self._includes(self._raw, ())
        body = json.dumps(self._raw, ensure_ascii=False, separators=(",", ":"))
        self._output.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(body.encode()).hexdigest()[:16]  # a nested stack is changed by a change of its URL
        body_path = self._output / f"{self._path.stem}-{digest}.json"
        body_path.write_text(body, encoding="utf-8")
        for old in _newest_first(self._output.glob(f"{self._path.stem}-*.json"))[KEPT:]:
            old.unlink(missing_ok=True)
        self._prune()
        return Build(self._path, body, body_path, tuple(self._built), tuple(self._watched))

    def _where(self, *parts: str | int) -> str:
        position = loader.locate(self._text, parts)
        return str(self._path) if position is None else f"{self._path}:{position.line}"

    def _check(self, logical_id: str, resource: Mapping[str, Any]) -> None:
        """What can be said of a resource before anything is deployed: its type, and its properties' names."""
        type_name = resource["Type"]
        where = self._where("Resources", logical_id, "Type")
        if type_name.startswith(("Custom::", "AWS::Serverless::")):
            return
        if type_name not in type_names():
            raise BuildError(
                f"{logical_id}: there is no resource type {type_name}", where=where, do="check its spelling"
            )
        try:
            schema = schema_of(type_name)
        except KeyError:
            return
        properties = resource.get("Properties") or {}
        if not isinstance(properties, dict):
            return
        unknown = [key for key in properties if key not in schema.properties and not key.startswith("Fn::")]
        if unknown:
            raise BuildError(
                f"{logical_id}: {type_name} has no property {unknown[0]}",
                where=self._where("Resources", logical_id, "Properties", unknown[0]),
                do=f"it has: {', '.join(sorted(schema.properties))}",
            )

    def _resource(self, logical_id: str, resource: dict[str, Any]) -> None:
        properties = (
            resource.setdefault("Properties", {}) if resource["Type"] in _PLACES else resource.get("Properties")
        )
        if not isinstance(properties, dict):
            return
        for place in _PLACES.get(resource["Type"], ()):
            if place.kind == "code":
                self._code_of(logical_id, resource, properties, place)
            else:
                self._file_of(logical_id, properties, place)

    def _globals(self, type_name: str) -> Mapping[str, Any]:
        """What the Globals section says of a type."""
        section = self._raw.get("Globals") or {}
        found = section.get(type_name.removeprefix("AWS::Serverless::")) if isinstance(section, dict) else None
        return found if isinstance(found, dict) else {}

    def _code_of(self, logical_id: str, resource: Mapping[str, Any], properties: dict[str, Any], place: _Place) -> None:
        type_name = resource["Type"]
        merged = {**self._globals(type_name), **properties} if "Serverless" in type_name else properties
        where = self._where("Resources", logical_id, "Properties", place.property)
        if merged.get("PackageType") == "Image" or (
            isinstance(merged.get("Code"), dict) and "ImageUri" in merged["Code"]
        ):
            raise BuildError(
                f"{logical_id} is a container image, which Fogbank does not run yet",
                where=where,
                do="package it as a zip file: Runtime, Handler and CodeUri in place of ImageUri",
            )
        if "InlineCode" in merged:
            return
        value = merged.get(place.property, "." if type_name == "AWS::Serverless::Function" else None)
        local = self._local(value)
        if local is None:
            return
        metadata = resource.get("Metadata") or {}
        method = metadata.get("BuildMethod")
        runtime = self._text_of(merged.get("Runtime"))
        source = self._existing(logical_id, place.property, local, where)
        if method == esbuild.METHOD and "Function" in type_name:
            folder = self._bundle(logical_id, source, merged, metadata, properties, where)
            self._built.append(BuiltCode(logical_id, source, folder))
            properties[place.property] = {place.bucket: LOCAL_BUCKET, place.key: str(folder)}
            return
        folder = self._code.build(logical_id, source, runtime, method, where, layer="Layer" in type_name)
        if "Function" in type_name:
            check_handler(logical_id, folder, source, runtime, self._text_of(merged.get("Handler")), where)
        self._built.append(BuiltCode(logical_id, source, folder))
        properties[place.property] = {place.bucket: LOCAL_BUCKET, place.key: str(folder)}

    def _bundle(
        self,
        logical_id: str,
        source: Path,
        merged: Mapping[str, Any],
        metadata: Mapping[str, Any],
        properties: dict[str, Any],
        where: str,
    ) -> Path:
        """The folder that esbuild makes; source maps go together with the variable that has Node.js read them."""
        wanted = dict(metadata.get("BuildProperties") or {})
        variables = (merged.get("Environment") or {}).get("Variables") or {}
        options = str(variables.get("NODE_OPTIONS", ""))
        if esbuild.MAP_OPTION in options:
            wanted.setdefault("Sourcemap", True)
        elif wanted.get("Sourcemap"):
            options = f"{options} {esbuild.MAP_OPTION}".strip()
            properties["Environment"] = {"Variables": {**variables, "NODE_OPTIONS": options}}
        handler = self._text_of(merged.get("Handler"))
        bundle = esbuild.Bundle(logical_id, source, handler, wanted, where)
        return esbuild.bundle(self._output, bundle, self._progress)

    def _local(self, value: Any) -> str | None:
        """A local path that a property names; `None` if it names something else."""
        text = self._text_of(value)
        if text is None or "://" in text or text.startswith(("arn:", "{{resolve:")):
            return None
        return text

    def _text_of(self, value: Any) -> str | None:
        """A string, or the value of the parameter that `Ref` names."""
        if isinstance(value, dict) and set(value) == {"Ref"}:
            value = self._parameters.get(value["Ref"])
        return scalar_text(value) if isinstance(value, str | int | float) else None

    def _existing(self, logical_id: str, name: str, local: str, where: str) -> Path:
        path = (self._path.parent / local).resolve()
        if not path.exists():
            raise BuildError(
                f"{logical_id}: its {name} {local} does not exist",
                where=where,
                do=f"it is looked for at {path}",
            )
        self._watched[path] = None
        return path

    def _file_of(self, logical_id: str, properties: dict[str, Any], place: _Place) -> None:
        local = self._local(properties.get(place.property))
        if local is None:
            return
        where = self._where("Resources", logical_id, "Properties", place.property)
        path = self._existing(logical_id, place.property, local, where)
        if place.kind == "template":
            nested = build(path, output=self._output / "nested" / logical_id, progress=self._progress)
            for watched in nested.watched:
                self._watched[watched] = None
            self._built += nested.code
            properties[place.property] = f"https://{LOCAL_BUCKET}.s3.amazonaws.com{nested.body_path}"
        elif place.kind == "definition":
            copied = self._definition(logical_id, path, where)
            properties[place.property] = {place.bucket: LOCAL_BUCKET, place.key: str(copied)}
        else:
            properties[place.property] = {place.bucket: LOCAL_BUCKET, place.key: str(path)}

    def _definition(self, logical_id: str, path: Path, where: str) -> Path:
        """A copy of a state machine's definition, in JSON or YAML, that is named by its content."""
        text = self._read(path)
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise BuildError(
                f"{logical_id}: {path.name} is neither JSON nor YAML: {error}", where=where, do="mend the definition"
            ) from None
        if not isinstance(document, dict):
            raise BuildError(f"{logical_id}: {path.name} is no definition", where=where, do="begin it with an object")
        folder = self._output / "definitions"
        folder.mkdir(parents=True, exist_ok=True)
        copied = folder / f"{logical_id}-{hashlib.sha256(text.encode()).hexdigest()[:16]}{path.suffix}"
        copied.write_text(text, encoding="utf-8")
        for old in _newest_first(folder.glob(f"{logical_id}-*{path.suffix}"))[KEPT:]:
            old.unlink(missing_ok=True)
        return copied

    def _includes(self, value: Any, parts: tuple[str | int, ...]) -> None:
        """Local documents of `AWS::Include`, wherever they are included."""
        if isinstance(value, list):
            for index, item in enumerate(value):
                self._includes(item, (*parts, index))
            return
        if not isinstance(value, dict):
            return
        call = value.get("Fn::Transform", value if value.get("Name") == "AWS::Include" else None)
        if isinstance(call, dict) and call.get("Name") == "AWS::Include":
            given = call.get("Parameters")
            local = self._local(given.get("Location")) if isinstance(given, dict) else None
            if local is not None and isinstance(given, dict):
                path = self._existing("AWS::Include", "Location", local, self._where(*parts))
                given["Location"] = f"s3://{LOCAL_BUCKET}{path}"
        for key, child in value.items():
            self._includes(child, (*parts, key))

    def _prune(self) -> None:
        """Remove code folders of earlier builds, the latest apart."""
        used = {each.folder for each in self._built}
        folder = self._output / "code"
        if not folder.is_dir():
            return
        for path in _newest_first(path for path in folder.iterdir() if path not in used)[KEPT:]:
            shutil.rmtree(path, ignore_errors=True)


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)

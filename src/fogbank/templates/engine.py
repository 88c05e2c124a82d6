"""The template engine: what CloudFormation asks of templates and resource types, put together.

    body ──load──► raw ──check──► macros ──► parse ──► check names, types ──► Prepared (stored)
                                                                  │
                                            Deployment ◄──open────┘   (`deployment.py`)

It works only through `cloud.call`. The assembly makes one and sets it on the CloudFormation service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fogbank.core.call import Cloud
from fogbank.core.clock import Clock
from fogbank.core.scope import Scope
from fogbank.services.cloudformation.engine import (
    Comparison,
    ParameterInput,
    ParameterSummary,
    ParameterValue,
    Prepared,
    PropertyChange,
    Replacement,
    StackIdentity,
    Standing,
    Step,
    Summary,
)
from fogbank.templates import macros
from fogbank.templates.answers import Answers
from fogbank.templates.capabilities import needed_capabilities
from fogbank.templates.deployment import OpenDeployment, environment_of, value_of
from fogbank.templates.errors import TemplateError, UnsupportedError
from fogbank.templates.loader import load
from fogbank.templates.objects import PRINCIPAL, Objects
from fogbank.templates.parameters import Value, check, choose
from fogbank.templates.references import check_names
from fogbank.templates.resources import RESOURCE_TYPES
from fogbank.templates.resources.resource_type import ResourceType, Work
from fogbank.templates.rules import check_rules
from fogbank.templates.schema import changed_paths
from fogbank.templates.sections import Parameter, Template, check_frame, declared_parameters, parse, transforms
from fogbank.templates.translator import SamTranslator
from fogbank.templates.types import check_attributes, check_types, is_custom

_SSM_BATCH = 10


class Engine:
    """Implements `fogbank.services.cloudformation.TemplateEngine`."""

    def __init__(
        self,
        cloud: Cloud,
        clock: Clock,
        *,
        endpoint: str = "http://127.0.0.1:4566",
        local_files: bool = True,
        implements: Callable[[str, str], bool] = lambda service, operation: True,  # noqa: ARG005 - all there is
    ) -> None:
        """`endpoint` is the server's own URL, where custom resources answer; `local_files` says whether templates may
        be read from this machine's files (only with `--auth local`); `implements` whether a service has an operation.
        """
        self._cloud = cloud
        self._clock = clock
        self._objects = Objects(cloud, local_files=local_files)
        self._implements = implements
        self._sam = SamTranslator(clock)
        self._answers = Answers(endpoint)

    async def close(self) -> None:
        """End what runs beside the server."""
        await self._sam.close()

    def answered(self, token: str, body: str) -> None:
        """A custom resource has answered, or a wait condition was signalled."""
        self._answers.arrive(token, body)

    def awaits(self, step: Step) -> str:
        """The token under which a step is answered."""
        return _type(step.type).awaits(step)

    # -- templates

    async def summarize(self, scope: Scope, body: str) -> Summary:
        """Read a template and say what it declares."""
        del scope
        raw = load(body)
        names = transforms(raw)
        check_frame(raw, sam=macros.SAM in names)
        if not names:
            template = parse(raw)
            check_names(template)
            check_types(template.resources, None, self._implements)
        capabilities, reason = needed_capabilities(raw, names)
        metadata = raw.get("Metadata")
        resources = [
            (name, resource["Type"])
            for name, resource in raw["Resources"].items()
            if isinstance(resource, dict) and isinstance(resource.get("Type"), str)
        ]
        return Summary(
            description=raw.get("Description"),
            parameters=tuple(_summary(parameter) for parameter in declared_parameters(raw).values()),
            capabilities=capabilities,
            capabilities_reason=reason,
            resources=tuple(resources),
            transforms=names,
            metadata=None if metadata is None else json.dumps(metadata),
            version=raw.get("AWSTemplateFormatVersion"),
        )

    async def prepare(
        self,
        stack: StackIdentity,
        body: str,
        parameters: Sequence[ParameterInput],
        previous: Mapping[str, str] | None,
        *,
        expand: bool = True,
    ) -> Prepared:
        """Check a template and its parameters, expand its macros; see `TemplateEngine.prepare`."""
        raw = load(body)
        names = transforms(raw)
        check_frame(raw, sam=macros.SAM in names)
        declared = declared_parameters(raw)
        chosen = choose(declared, parameters, previous)
        for name, text in chosen.items():
            check(declared[name], text)
        if not expand:
            values = {name: Value(declared[name], text) for name, text in chosen.items()}
            return self._bare(raw, names, values)
        macros.check_names(names)
        values = await self._resolved(stack.scope, declared, chosen)
        processed = await self._expanded(stack, raw, names, values)
        template = parse(processed)
        return await self._prepared(stack, template, processed, names, values)

    @staticmethod
    def _bare(raw: Mapping[str, Any], names: tuple[str, ...], values: Mapping[str, Value]) -> Prepared:
        """What can be checked before the macros run."""
        if not names:
            check_names(parse(raw))
            extension = macros.needs_language_extensions(raw)
            if extension is not None:
                raise TemplateError(
                    f"Template format error: {extension} is not supported without the AWS::LanguageExtensions transform"
                )
        capabilities, _ = needed_capabilities(raw, names)
        return Prepared(
            processed="",
            parameters=tuple(_stored(value) for value in values.values()),
            description=raw.get("Description"),
            capabilities=capabilities,
            imports=(),
            transforms=names,
            types=(),
        )

    async def _expanded(
        self, stack: StackIdentity, raw: Mapping[str, Any], names: tuple[str, ...], values: Mapping[str, Value]
    ) -> dict[str, Any]:
        environment = environment_of(stack, values, raw.get("Mappings") or {}, {}, {})

        async def fetch(location: Any) -> str:
            return await self.fetch(stack.scope, macros.location_of(location, environment))

        expanded = await macros.include(raw, fetch)
        if macros.LANGUAGE in names:
            environment = environment_of(stack, values, expanded.get("Mappings") or {}, {}, {})
            expanded = macros.Loops(environment).expand(expanded)
        if macros.SAM in names:
            macros.refuse_repository(expanded)
            given = {
                name: ",".join(value.referenced) if isinstance(value.referenced, list) else value.referenced
                for name, value in values.items()
            }
            expanded = await self._sam.translate(expanded, given, stack.scope.region)
        return macros.without_transform(expanded)

    async def _prepared(
        self,
        stack: StackIdentity,
        template: Template,
        processed: dict[str, Any],
        names: tuple[str, ...],
        values: Mapping[str, Value],
    ) -> Prepared:
        check_names(template)
        stored = tuple(_stored(value) for value in values.values())
        # A macro may add parameters of its own (SAM does not); they must have values as well.
        missing = [name for name in template.parameters if name not in values]
        if missing:
            raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
        deployment = await OpenDeployment.open(self._cloud, stack, template, values)
        check_types(template.resources, deployment.resources.keys(), self._implements)
        check_attributes(template, deployment.resources.keys())
        await self._refuse_lacking(template, deployment)
        check_rules(template, deployment.evaluator)
        capabilities, _ = needed_capabilities(processed, names)
        return Prepared(
            processed=json.dumps(processed, separators=(",", ":"), ensure_ascii=False),
            parameters=stored,
            description=template.description,
            capabilities=capabilities,
            imports=deployment.imports(),
            transforms=names,
            types=tuple(resource.type for resource in deployment.resources.values()),
        )

    async def _refuse_lacking(self, template: Template, deployment: OpenDeployment) -> None:
        """Refuse, before anything is created, what resource types say that they lack."""
        for name, declared in deployment.resources.items():
            kind = _type(declared.type)
            missing = {each for each, call in kind.needed_by.items() if not self._implements(kind.service, call)}
            refused = (kind.lacking | missing) & template.resources[name].properties.keys()
            if not refused and type(kind).lacks is ResourceType.lacks:
                continue
            properties = await deployment.preview(name, {})
            asked = [each for each in sorted(refused) if properties.get(each) not in (None, kind.defaults.get(each))]
            lacked = ", ".join(asked) or kind.lacks(properties)
            if lacked:
                raise UnsupportedError(f"Fogbank does not implement {lacked} ({declared.type}, resource {name})")

    async def _resolved(
        self, scope: Scope, declared: Mapping[str, Parameter], chosen: Mapping[str, str]
    ) -> dict[str, Value]:
        """The parameters with what Systems Manager has for those that name one of its."""
        named = {
            chosen[name]
            for name, each in declared.items()
            if each.is_ssm_value or each.type == "AWS::SSM::Parameter::Name"
        }
        found: dict[str, str] = {}
        ordered = sorted(named)
        for at in range(0, len(ordered), _SSM_BATCH):
            request = {"Names": ordered[at : at + _SSM_BATCH]}
            reply = await self._cloud.call(scope, "ssm", "GetParameters", request, principal=PRINCIPAL)
            found.update({each["Name"]: each["Value"] for each in reply.get("Parameters", ())})
        missing = [name for name in ordered if name not in found]
        if missing:
            raise TemplateError(
                f"Unable to fetch parameters [{','.join(missing)}] from parameter store for this account."
            )
        return {
            name: Value(each, chosen[name], found[chosen[name]] if each.is_ssm_value else None)
            for name, each in declared.items()
        }

    async def open(self, stack: StackIdentity, processed: str, parameters: Sequence[ParameterValue]) -> OpenDeployment:
        """Open what was prepared."""
        template = parse(json.loads(processed))
        values = {each.name: value_of(template, each) for each in parameters if each.name in template.parameters}
        return await OpenDeployment.open(self._cloud, stack, template, values)

    async def fetch(self, scope: Scope, url: str) -> str:
        """The text at an S3 location: `s3://bucket/key`, or an https URL in one of S3's forms."""
        return await self._objects.at(scope, url)

    # -- resource types

    def name(
        self, stack: StackIdentity, logical_id: str, type_name: str, properties: Mapping[str, Any], code: str
    ) -> tuple[str | None, bool]:
        """The physical name of a new resource, and whether the template chose it."""
        naming = _type(type_name).name
        if naming is None:
            return None, False
        chosen = properties.get(naming.property)
        if isinstance(chosen, str):
            return chosen, True
        return naming.make(stack.name, logical_id, code, properties), False

    def with_name(self, type_name: str, properties: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        """Properties with the physical name filled in."""
        naming = _type(type_name).name
        return dict(properties) if naming is None or name is None else {**properties, naming.property: name}

    def compare(self, type_name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
        """How two sets of properties differ, and whether that replaces the resource."""
        kind = _type(type_name)
        schema = kind.schema
        if schema is None:
            paths = changed_paths(before, after)
        else:
            paths = changed_paths(schema.canonical(before), schema.canonical(after))
        changes = []
        for path in sorted(paths):
            recreates = path[0] in kind.replaced_by or (schema is not None and schema.replaces(frozenset((path,))))
            changes.append(
                PropertyChange(path[0], "/Properties/" + "/".join(path), _at(before, path), _at(after, path), recreates)
            )
        if not changes:
            return Comparison(Replacement.NONE)
        if any(change.recreates for change in changes):
            return Comparison(Replacement.REPLACE, tuple(changes))
        return Comparison(Replacement.IN_PLACE, tuple(changes))

    async def exists(self, step: Step) -> bool:
        """Whether there is something of the step's name already."""
        return await _type(step.type).exists(self._work(step))

    async def create(self, step: Step) -> Standing:
        """Create, or take over what an earlier attempt left."""
        return await _type(step.type).create(self._work(step))

    async def update(self, step: Step) -> Standing:
        """Bring a resource from `previous` to `properties`."""
        return await _type(step.type).update(self._work(step))

    async def delete(self, step: Step) -> None:
        """Delete; what is not there is deleted."""
        await _type(step.type).delete(self._work(step))

    def _work(self, step: Step) -> Work:
        kind = _type(step.type)
        return Work(self._cloud, self._clock, step, kind, self._answers, self._objects)


def _type(name: str) -> ResourceType:
    if is_custom(name):
        name = "AWS::CloudFormation::CustomResource"
    return RESOURCE_TYPES[name]


def _at(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _stored(value: Value) -> ParameterValue:
    return ParameterValue(value.parameter.name, value.text, value.resolved, value.parameter.no_echo)


def _summary(parameter: Parameter) -> ParameterSummary:
    def bound(number: float | None) -> str | None:
        return None if number is None else f"{number:g}"

    return ParameterSummary(
        name=parameter.name,
        type=parameter.type,
        default=parameter.default,
        no_echo=parameter.no_echo,
        description=parameter.description,
        allowed=parameter.allowed,
        allowed_pattern=parameter.pattern,
        constraint=parameter.constraint,
        min_length=parameter.min_length,
        max_length=parameter.max_length,
        min_value=bound(parameter.min_value),
        max_value=bound(parameter.max_value),
    )

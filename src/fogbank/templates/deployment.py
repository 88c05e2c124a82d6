"""An opened template: its resources with their order, their properties, its outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fogbank.core.call import Cloud
from fogbank.services.cloudformation.engine import (
    KNOWN_AFTER_APPLY,
    Declared,
    OutputValue,
    ParameterValue,
    StackIdentity,
    Standing,
)
from fogbank.templates import graph
from fogbank.templates.dynamic import with_dynamic_references
from fogbank.templates.errors import MissingExportError, PropertiesError, TemplateError, UnsupportedError
from fogbank.templates.functions import NO_VALUE, Environment, Evaluator
from fogbank.templates.objects import PRINCIPAL
from fogbank.templates.parameters import Value
from fogbank.templates.references import dependencies, raise_unresolved, references
from fogbank.templates.resources import RESOURCE_TYPES
from fogbank.templates.resources.resource_type import tag_list, tag_map
from fogbank.templates.sections import (
    DeletionPolicy,
    Parameter,
    ResourceDeclaration,
    Template,
    scalar_text,
)


def environment_of(
    stack: StackIdentity,
    values: Mapping[str, Value],
    mappings: Mapping[str, Any],
    conditions: Mapping[str, Any],
    exports: Mapping[str, str],
) -> Environment:
    """What functions are evaluated in, for a stack."""
    return Environment(
        stack.scope, stack.name, stack.stack_id, values, mappings, conditions, exports, stack.notification_arns
    )


def value_of(template: Template, stored: ParameterValue) -> Value:
    """A stored parameter with its declaration."""
    declaration: Parameter = template.parameters[stored.name]
    return Value(declaration, stored.value, stored.resolved)


class _Standing:
    """Looks resources up in what stands."""

    def __init__(self, standing: Mapping[str, Standing]) -> None:
        self._standing = standing

    def ref(self, logical_id: str) -> Any:
        return self._of(logical_id).physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        attributes = self._of(logical_id).attributes
        if name in attributes:
            return attributes[name]
        raise TemplateError(f"Attribute '{name}' of resource {logical_id} does not exist")

    def _of(self, logical_id: str) -> Standing:
        found = self._standing.get(logical_id)
        if found is None:
            raise TemplateError(
                f"Unresolved resource dependencies [{logical_id}] in the Resources block of the template"
            )
        return found


class _Preview(_Standing):
    """The same before anything is done: what does not stand is known later."""

    def ref(self, logical_id: str) -> Any:
        found = self._standing.get(logical_id)
        return KNOWN_AFTER_APPLY if found is None else found.physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        found = self._standing.get(logical_id)
        return KNOWN_AFTER_APPLY if found is None else found.attributes.get(name, KNOWN_AFTER_APPLY)


class OpenDeployment:
    """Implements `fogbank.services.cloudformation.engine.Deployment`."""

    def __init__(
        self,
        cloud: Cloud,
        stack: StackIdentity,
        template: Template,
        evaluator: Evaluator,
        resources: Mapping[str, Declared],
    ) -> None:
        self._cloud = cloud
        self._stack = stack
        self._template = template
        self.evaluator = evaluator
        self._resources = resources

    @classmethod
    async def open(
        cls, cloud: Cloud, stack: StackIdentity, template: Template, values: Mapping[str, Value]
    ) -> OpenDeployment:
        """Decide the conditions, find the dependencies and refuse cycles."""
        exports: dict[str, str] = {}
        if "Fn::ImportValue" in json.dumps(
            [r.properties for r in template.resources.values()]
        ) or "Fn::ImportValue" in (json.dumps([o.value for o in template.outputs.values()])):
            exports = await _exports(cloud, stack)
        environment = environment_of(stack, values, template.mappings, template.conditions, exports)
        evaluator = Evaluator(environment)
        for name in template.conditions:
            evaluator.condition(name)
        present = {
            name: resource
            for name, resource in template.resources.items()
            if resource.condition is None or evaluator.condition(resource.condition)
        }
        needs = dependencies(present, template, evaluator.condition)
        graph.order(needs)
        declared = {name: _declared(resource, needs[name]) for name, resource in present.items()}
        deployment = cls(cloud, stack, template, evaluator, declared)
        deployment._check_outputs()
        return deployment

    def _check_outputs(self) -> None:
        """Outputs that are given refer to resources that there are."""
        unresolved = {
            reference.name
            for output in self._template.outputs.values()
            if output.condition is None or self.evaluator.condition(output.condition)
            for reference in references([output.value, output.export], self.evaluator.condition)
            if reference.name in self._template.resources and reference.name not in self._resources
        }
        raise_unresolved("Outputs", unresolved)

    @property
    def resources(self) -> Mapping[str, Declared]:
        """The resources whose conditions hold."""
        return self._resources

    def imports(self) -> tuple[str, ...]:
        """The names that the template imports; `MissingExportError` if one is not exported."""
        found: dict[str, None] = {}
        values: list[Any] = [self._template.resources[name].properties for name in self._resources]
        values += [output.value for output in self._template.outputs.values()]
        while values:
            value = values.pop()
            if isinstance(value, list):
                values.extend(value)
            elif isinstance(value, dict):
                if len(value) == 1 and "Fn::ImportValue" in value:
                    found[scalar_text(self.evaluator.evaluate(value["Fn::ImportValue"]))] = None
                elif len(value) == 1 and isinstance(value.get("Fn::If"), list) and len(value["Fn::If"]) == 3:
                    name, yes, no = value["Fn::If"]
                    values.append(yes if self.evaluator.condition(name) else no)
                else:
                    values.extend(value.values())
        for name in found:
            if name not in self.evaluator.environment.exports:
                raise MissingExportError(name)
        return tuple(found)

    async def properties(self, logical_id: str, standing: Mapping[str, Standing]) -> dict[str, Any]:
        """A resource's properties, evaluated and checked against its type."""
        resource = self._template.resources[logical_id]
        evaluated = self.evaluator.with_lookup(_Standing(standing)).evaluate(dict(resource.properties))
        resolved = await self._with_dynamic_references(evaluated)
        return self._finished(resource, resolved, checked=True)

    async def preview(self, logical_id: str, standing: Mapping[str, Standing]) -> dict[str, Any]:
        """The properties as far as they can be known."""
        resource = self._template.resources[logical_id]
        evaluator = self.evaluator.with_lookup(_Preview(standing))
        properties: dict[str, Any] = {}
        for name, value in resource.properties.items():
            try:
                evaluated = evaluator.evaluate(value)
                if evaluated is not NO_VALUE:
                    properties[name] = await self._with_dynamic_references(evaluated)
            except TemplateError:
                properties[name] = KNOWN_AFTER_APPLY  # a list that is not there yet was taken apart
        return self._finished(resource, properties, checked=False)

    def _finished(self, resource: ResourceDeclaration, properties: Any, *, checked: bool) -> dict[str, Any]:
        kind = RESOURCE_TYPES.get(resource.type)
        if not isinstance(properties, dict):
            raise PropertiesError(
                f"Properties validation failed for resource {resource.logical_id} with message:\n"
                "#: expected type: JSONObject"
            )
        if kind is None or kind.schema is None:
            return properties
        coerced = kind.schema.coerce(properties)
        if checked:
            refused = sorted(kind.lacking & coerced.keys())
            if refused:
                raise UnsupportedError(f"Fogbank does not implement {', '.join(refused)} of {resource.type}")
            kind.schema.check(resource.logical_id, coerced)
        return self._with_stack_tags(kind.schema.tag_property, kind.schema.properties, coerced)

    def _with_stack_tags(
        self, tag_property: str | None, known: Mapping[str, Any], properties: dict[str, Any]
    ) -> dict[str, Any]:
        """The stack's tags under the resource's own."""
        if tag_property is None or not self._stack.tags:
            return properties
        own = properties.get(tag_property)
        if own is not None and not isinstance(own, dict | list):
            return properties
        if isinstance(own, list) and not all(isinstance(tag, dict) and "Key" in tag for tag in own):
            return properties  # a preview of what will be refused
        merged = {**self._stack.tags, **tag_map(own)}
        shape: Any = merged if known[tag_property].get("type") == "object" else tag_list(merged)
        return {**properties, tag_property: shape}

    async def _with_dynamic_references(self, value: Any) -> Any:
        return await with_dynamic_references(self._cloud, self._stack.scope, value)

    async def outputs(self, standing: Mapping[str, Standing]) -> list[OutputValue]:
        """The outputs whose conditions hold, evaluated."""
        values = self._outputs(self.evaluator.with_lookup(_Standing(standing)))
        return [
            OutputValue(each.name, await self._with_dynamic_references(each.value), each.description, each.export)
            for each in values
        ]

    def preview_outputs(self, standing: Mapping[str, Standing]) -> list[OutputValue]:
        """The outputs as far as they can be known."""
        return self._outputs(self.evaluator.with_lookup(_Preview(standing)))

    def _outputs(self, evaluator: Evaluator) -> list[OutputValue]:
        found = []
        for output in self._template.outputs.values():
            if output.condition is not None and not evaluator.condition(output.condition):
                continue
            value = evaluator.evaluate(output.value)
            if isinstance(value, dict | list) or value is NO_VALUE:
                raise TemplateError(
                    f"Template format error: The Value field of every Outputs member must evaluate to a String. "
                    f"({output.name})"
                )
            export = None if output.export is None else evaluator.evaluate(output.export)
            if export is not None and (not isinstance(export, str) or not export):
                raise TemplateError(
                    f"Template format error: Output {output.name} is malformed. The Name field of every "
                    "Export member must evaluate to a non-empty String."
                )
            found.append(OutputValue(output.name, scalar_text(value), output.description, export))
        return found

    def causes(self, logical_id: str, name: str) -> list[tuple[str, str]]:
        """What a property refers to, in the words of a change set."""
        declared = self._template.resources[logical_id].properties.get(name)
        found: dict[tuple[str, str], None] = {}
        for reference in references(declared, self.evaluator.condition):
            if reference.is_attribute:
                found["ResourceAttribute", f"{reference.name}.{reference.attribute}"] = None
            elif reference.name in self._template.parameters:
                found["ParameterReference", reference.name] = None
            elif reference.name in self._template.resources:
                found["ResourceReference", reference.name] = None
        return list(found)


async def _exports(cloud: Cloud, stack: StackIdentity) -> dict[str, str]:
    """Everything that this account exports in this region."""
    exports: dict[str, str] = {}
    token: str | None = None
    while True:
        request = {} if token is None else {"NextToken": token}
        reply = await cloud.call(stack.scope, "cloudformation", "ListExports", request, principal=PRINCIPAL)
        exports.update({each["Name"]: each["Value"] for each in reply.get("Exports", ())})
        token = reply.get("NextToken")
        if token is None:
            return exports


def _declared(resource: ResourceDeclaration, needs: frozenset[str]) -> Declared:
    retained = (DeletionPolicy.RETAIN, DeletionPolicy.RETAIN_EXCEPT_ON_CREATE)
    return Declared(
        logical_id=resource.logical_id,
        type=resource.type,
        needs=needs,
        retain_on_delete=resource.deletion_policy in retained,
        retain_on_create_failure=resource.deletion_policy is DeletionPolicy.RETAIN,
        retain_on_replace=resource.update_replace_policy is DeletionPolicy.RETAIN,
        metadata=None if resource.metadata is None else json.dumps(resource.metadata, separators=(",", ":")),
    )

"""Which resource types a template may have, and what `Fn::GetAtt` may ask of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from fogbank.services.cloudformation.engine import DeploymentError
from fogbank.templates.errors import TemplateError
from fogbank.templates.functions import function_name
from fogbank.templates.references import references
from fogbank.templates.resources import RESOURCE_TYPES
from fogbank.templates.schema import type_names
from fogbank.templates.sections import ResourceDeclaration, Template

_CUSTOM = "AWS::CloudFormation::CustomResource"


def is_custom(type_name: str) -> bool:
    """Whether a type is a custom resource, under whatever name."""
    return type_name.startswith("Custom::")


def is_known(type_name: str) -> bool:
    """Whether Fogbank has the type."""
    return (_CUSTOM if is_custom(type_name) else type_name) in RESOURCE_TYPES


def check_types(
    resources: Mapping[str, ResourceDeclaration],
    present: Collection[str] | None,
    implements: Callable[[str, str], bool],
) -> None:
    """Raise one error that names every type that cannot be created.

    A type that AWS has and Fogbank lacks counts only where its resource is `present` (its condition holds).
    `implements` says whether a service has an operation.
    """
    unknown: set[str] = set()
    lacking: set[str] = set()
    for name, resource in resources.items():
        if is_known(resource.type):
            kind = RESOURCE_TYPES.get(resource.type)
            if kind is None or all(implements(kind.service, operation) for operation in kind.needs):
                continue
        if resource.type in type_names() or is_custom(resource.type):
            if present is None or name in present:
                lacking.add(resource.type)
        else:
            unknown.add(resource.type)
    if not unknown and not lacking:
        return
    message = f"Template format error: Unrecognized resource types: [{', '.join(sorted(unknown | lacking))}]"
    if lacking:
        message += f". Fogbank does not implement {', '.join(sorted(lacking))} yet"
    raise TemplateError(message)


def check_attributes(template: Template, present: Collection[str]) -> None:
    """Every attribute that is asked for by name is one that the type has; else the deployment fails, not the call."""
    blocks = [(f"/Resources/{name}/Properties", template.resources[name].properties) for name in present]
    blocks += [(f"/Outputs/{output.name}/Value", output.value) for output in template.outputs.values()]
    for path, value in blocks:
        for where, logical_id, attribute in _attributes(path, value):
            if logical_id not in template.resources:
                continue
            type_name = template.resources[logical_id].type
            kind = RESOURCE_TYPES.get(_CUSTOM if is_custom(type_name) else type_name)
            if kind is None or kind.attributes is None or attribute in kind.attributes:
                continue
            raise DeploymentError(
                f"[Error] {where}: Resource type {type_name} does not support attribute {{{attribute}}}."
            )


def _attributes(path: str, value: Any) -> Iterator[tuple[str, str, str]]:
    """Each attribute that a value asks for by name: where, of which resource, which."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _attributes(f"{path}/{index}", item)
    if not isinstance(value, dict):
        return
    name = function_name(value)
    if name in ("Fn::GetAtt", "Fn::Sub"):
        for reference in references(value):
            if reference.is_attribute and reference.attribute is not None:
                yield f"{path}/{name}", reference.name, reference.attribute
        return
    for key, item in value.items():
        yield from _attributes(f"{path}/{key}", item)

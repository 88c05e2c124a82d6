"""What a template's values refer to, found without evaluating them: dependencies and names that do not exist.

`references` walks a value and yields each `Ref`, `Fn::GetAtt` and variable of `Fn::Sub`. With conditions decided it
follows only the branches that are taken, as CloudFormation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.templates.errors import TemplateError
from fogbank.templates.functions import (
    PSEUDO_PARAMETERS,
    VARIABLE,
    function_name,
    get_att_parts,
    sub_parts,
    taken_branch,
    variable_name,
)
from fogbank.templates.sections import ResourceDeclaration, Template


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a value refers to; with `attribute` it is an `Fn::GetAtt`, whose name may be a function's result."""

    name: str
    attribute: str | None = None
    is_attribute: bool = False


def references(value: Any, holds: Callable[[str], bool] | None = None) -> Iterator[Reference]:
    """Every reference of `value`; `holds` decides conditions, without it both branches of `Fn::If` count."""
    if isinstance(value, list):
        for item in value:
            yield from references(item, holds)
        return
    if not isinstance(value, dict):
        return
    name = function_name(value)
    if name is None:
        for item in value.values():
            yield from references(item, holds)
        return
    yield from _function_references(name, value[name], holds)


def _function_references(name: str, argument: Any, holds: Callable[[str], bool] | None) -> Iterator[Reference]:
    if name == "Ref":
        if not isinstance(argument, str):
            raise TemplateError("Template error: every Ref object must have a single String value.")
        yield Reference(argument)
    elif name == "Fn::GetAtt":
        logical_id, attribute = get_att_parts(argument)
        yield Reference(logical_id, attribute if isinstance(attribute, str) else None, is_attribute=True)
        yield from references(attribute, holds)
    elif name == "Fn::Sub":
        yield from _sub_references(argument, holds)
    elif name == "Fn::If" and holds is not None:
        yield from references(taken_branch(argument, holds), holds)
    else:
        yield from references(argument, holds)


def _sub_references(argument: Any, holds: Callable[[str], bool] | None) -> Iterator[Reference]:
    text, bound = sub_parts(argument)
    yield from references(list(bound.values()), holds)
    for match in VARIABLE.finditer(text):
        name = variable_name(match)
        if name is None or name in bound:
            continue
        if "." in name:
            logical_id, _, attribute = name.partition(".")
            yield Reference(logical_id, attribute, is_attribute=True)
        else:
            yield Reference(name)


def check_names(template: Template) -> None:
    """Every name that is referred to exists, on any branch; `TemplateError` that names all that do not."""
    _check_block("Resources", [r.properties for r in template.resources.values()], template)
    _check_block("Resources", [], template, [n for r in template.resources.values() for n in r.depends_on])
    _check_block("Outputs", [o.value for o in template.outputs.values()], template)
    _check_block("Outputs", [o.export for o in template.outputs.values()], template)
    for resource in template.resources.values():
        _check_condition(resource.condition, template)
    for output in template.outputs.values():
        _check_condition(output.condition, template)
    for name, argument in _uses_of_if([r.properties for r in template.resources.values()]):
        if name not in template.conditions:
            raise TemplateError(f"Template error: unresolved condition dependency {argument[0]} in Fn::If")
    _check_condition_references(template)


def _check_block(block: str, values: list[Any], template: Template, names: list[str] | None = None) -> None:
    unresolved: set[str] = set()
    for reference in references(values):
        if reference.is_attribute:
            if reference.name not in template.resources:
                raise TemplateError(
                    f"Template error: instance of Fn::GetAtt references undefined resource {reference.name}"
                )
        elif not _exists(reference.name, template):
            unresolved.add(reference.name)
    unresolved.update(name for name in names or () if name not in template.resources)
    raise_unresolved(block, unresolved)


def raise_unresolved(block: str, names: set[str]) -> None:
    """Raise CloudFormation's error for names that a block refers to in vain, if there are any."""
    if names:
        raise TemplateError(
            f"Template format error: Unresolved resource dependencies [{', '.join(sorted(names))}] in the {block} "
            "block of the template"
        )


def _exists(name: str, template: Template) -> bool:
    return name in template.parameters or name in template.resources or name in PSEUDO_PARAMETERS


def _check_condition(name: str | None, template: Template) -> None:
    if name is not None and name not in template.conditions:
        raise TemplateError(
            f"Template format error: Unresolved condition dependency {name} in the Resources block of the template"
        )


def _uses_of_if(value: Any) -> Iterator[tuple[str, list[Any]]]:
    pending: list[Any] = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending.extend(each)
        elif isinstance(each, dict):
            argument = each.get("Fn::If") if len(each) == 1 else None
            if isinstance(argument, list) and len(argument) == 3 and isinstance(argument[0], str):
                yield argument[0], argument
            pending.extend(each.values())


def _check_condition_references(template: Template) -> None:
    unresolved = {
        reference.name
        for expression in template.conditions.values()
        for reference in references(expression)
        if reference.is_attribute or not (reference.name in template.parameters or reference.name in PSEUDO_PARAMETERS)
    }
    if unresolved:
        raise TemplateError(
            f"Template format error: Unresolved dependencies [{', '.join(sorted(unresolved))}]. Cannot reference "
            "resources in the Conditions block of the template"
        )


def dependencies(
    resources: Mapping[str, ResourceDeclaration], template: Template, holds: Callable[[str], bool]
) -> dict[str, frozenset[str]]:
    """For each of the resources that a deployment has, those that must stand before it.

    A `DependsOn` of a resource whose condition is false counts for nothing; a reference to one is an error.
    """
    found: dict[str, frozenset[str]] = {}
    unresolved: set[str] = set()
    for logical_id, resource in resources.items():
        needed = {name for name in resource.depends_on if name in resources}
        for reference in references(resource.properties, holds):
            if reference.name in resources:
                needed.add(reference.name)
            elif reference.is_attribute or reference.name in template.resources:
                unresolved.add(reference.name)
        found[logical_id] = frozenset(needed)
    raise_unresolved("Resources", unresolved)
    return found

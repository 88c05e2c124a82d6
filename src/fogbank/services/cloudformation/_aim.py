"""What a deployment aims at for one resource, and how that differs from what stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fogbank.services.cloudformation.engine import (
    Comparison,
    Declared,
    Replacement,
    StackIdentity,
    TemplateEngine,
)
from fogbank.services.cloudformation.model import Snapshot


def new_target(
    engine: TemplateEngine, stack: StackIdentity, declared: Declared, properties: Mapping[str, Any], code: str
) -> Snapshot:
    """The target of a resource that is to be created; `code` is what is random in a name that is made up."""
    name, chosen = engine.name(stack, declared.logical_id, declared.type, properties, code)
    filled = engine.with_name(declared.type, properties, name)
    return Snapshot(declared.type, name, "", filled, chosen_name=chosen)


def aim(
    engine: TemplateEngine,
    stack: StackIdentity,
    declared: Declared,
    properties: Mapping[str, Any],
    standing: Snapshot,
    code: str,
) -> tuple[Snapshot, Comparison]:
    """The target of a resource that stands, and the difference: a made-up name is kept unless it is replaced."""
    fresh = new_target(engine, stack, declared, properties, code)
    if standing.type != declared.type:
        return fresh, Comparison(Replacement.REPLACE)
    if fresh.chosen_name or standing.chosen_name:
        return fresh, engine.compare(declared.type, standing.properties, fresh.properties)
    kept = engine.with_name(declared.type, properties, standing.name)
    comparison = engine.compare(declared.type, standing.properties, kept)
    if comparison.replacement is Replacement.REPLACE:
        return fresh, comparison
    return replace(fresh, name=standing.name, properties=kept), comparison

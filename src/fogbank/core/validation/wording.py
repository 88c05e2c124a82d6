"""AWS's words for a request that breaks its model.

    1 validation error detected: Value 'a b' at 'tableName' failed to satisfy constraint: Member must satisfy
    regular expression pattern: [a-zA-Z0-9_.-]+

The wording was taken from messages that AWS's services return, as users quote them in public; so was the
order in which they list an enumeration's values (`_reported_order`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fogbank.core.models import (
    BlobShape,
    ListShape,
    MapShape,
    NumberShape,
    Shape,
    StringShape,
    StructureShape,
)
from fogbank.core.validation.problem import Constraint, Problem

MOST_PROBLEMS = 10
"""As many as AWS reports at once."""
_LONGEST_VALUE = 256 * 1024


def describe(problems: Sequence[Problem]) -> str:
    """One message for all problems of a request."""
    shown = problems[:MOST_PROBLEMS]
    plural = "s" if len(shown) > 1 else ""
    return f"{len(shown)} validation error{plural} detected: {'; '.join(map(describe_one, shown))}"


def describe_one(problem: Problem) -> str:
    """One problem: `Value 'x' at 'y' failed to satisfy constraint: Member must …`."""
    constraint = _constraint_text(problem)
    return f"Value{_shown(problem)} at '{problem.where}' failed to satisfy constraint: {constraint}"


def _shown(problem: Problem) -> str:
    if problem.value is None:
        return " null"
    if problem.sensitive:
        return ""
    shape = problem.shape if problem.cause is None else None
    return f" '{java_text(problem.value, shape)[:_LONGEST_VALUE]}'"


def _constraint_text(problem: Problem) -> str:
    shape = problem.shape
    match problem.constraint:
        case Constraint.REQUIRED:
            return "Member must not be null"
        case Constraint.TYPE:
            return f"Member must be of type {shape.type}"
        case Constraint.UNION:
            return "Member must have exactly one of its members set"
        case Constraint.UNKNOWN:
            return "Member must be one that the operation has"
        case Constraint.ELEMENT:
            return f"Member must satisfy constraint: [{_all_constraints(problem)}]"
        case Constraint.MAP_KEY:
            return f"Map keys must satisfy constraint: [{_all_constraints(problem)}]"
        case Constraint.MAP_VALUE:
            return f"Map value must satisfy constraint: [{_all_constraints(problem)}]"
        case _:
            return dict(_constraints_of(shape))[problem.constraint]


def _all_constraints(problem: Problem) -> str:
    """Every constraint of the element's shape, as AWS lists them whichever of them is broken."""
    texts = [text for _, text in _constraints_of(problem.shape)]
    cause = problem.cause
    if cause is not None and cause.constraint in {Constraint.TYPE, Constraint.REQUIRED}:
        texts.append(_constraint_text(cause))
    return ", ".join(texts)


def _constraints_of(shape: Shape) -> Iterable[tuple[Constraint, str]]:
    if isinstance(shape, StringShape | BlobShape | ListShape | MapShape):
        if shape.maximum is not None:
            yield Constraint.MAX_LENGTH, f"Member must have length less than or equal to {shape.maximum}"
        if shape.minimum is not None:
            yield Constraint.MIN_LENGTH, f"Member must have length greater than or equal to {shape.minimum}"
    if isinstance(shape, StringShape):
        if shape.pattern is not None:
            yield Constraint.PATTERN, f"Member must satisfy regular expression pattern: {shape.pattern}"
        if shape.enum:
            values = ", ".join(_reported_order(shape.enum))
            yield Constraint.ENUM, f"Member must satisfy enum value set: [{values}]"
    if isinstance(shape, NumberShape):
        if shape.maximum is not None:
            yield (
                Constraint.MAXIMUM,
                f"Member must have value less than or equal to {_bound(shape, shape.maximum)}",
            )
        if shape.minimum is not None:
            yield (
                Constraint.MINIMUM,
                f"Member must have value greater than or equal to {_bound(shape, shape.minimum)}",
            )


def _bound(shape: NumberShape, value: float) -> str:
    return str(int(value)) if shape.whole else java_text(float(value))


def _reported_order(values: Sequence[str]) -> list[str]:
    """The order in which AWS lists an enumeration.

    Its messages show the order of a hash table of 32 buckets over Java's `String.hashCode`, later values
    first within a bucket: DynamoDB's `[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]`, Kinesis's
    `[AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]` and Lambda's list of
    runtimes all follow it, and none follows the order of its model.
    """
    buckets: list[list[str]] = [[] for _ in range(32)]
    for value in values:
        buckets[java_hash(value) & 31].insert(0, value)
    return [value for bucket in buckets for value in bucket]


def java_hash(text: str) -> int:
    """Java's `String.hashCode`, unsigned: hash tables over it give the order of several of AWS's lists."""
    result = 0
    for character in text:
        result = (31 * result + ord(character)) & 0xFFFFFFFF
    return result


def java_text(value: Any, shape: Shape | None = None) -> str:
    """A value as Java's `toString` writes it, which is how AWS quotes values: `[a, b]`, `{k=v}`, `true`."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, bytes | bytearray):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, Mapping):
        if isinstance(shape, StructureShape):
            return _structure_text(value, shape)
        inner = shape.value.shape if isinstance(shape, MapShape) else None
        return "{" + ", ".join(f"{key}={java_text(item, inner)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        inner = shape.member.shape if isinstance(shape, ListShape) else None
        return "[" + ", ".join(java_text(item, inner) for item in value) + "]"
    return str(value)


def _structure_text(value: Mapping[str, Any], shape: StructureShape) -> str:
    parts = []
    for name, member in shape.members.items():
        item = value.get(name)
        if item is None:
            continue
        inner = member.shape
        text = "***" if inner.sensitive else java_text(item, inner)
        parts.append(f"{name[:1].lower()}{name[1:]}={text}")
    return f"{shape.name}({', '.join(parts)})"

"""IAM's words for a request that breaks its model.

They are not those of other services: values are not repeated, names and paths have texts of their own, and
several problems come in the order of a Java hash table over the members' names. Recorded by the LocalStack
project's validated suite, unless said otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.models import StringShape
from fogbank.core.validation import Constraint, Problem, describe, java_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fogbank.core.models import OperationModel

_PATTERN_TEXTS = {
    r"[\w+=,.@-]+": "The specified value for {} is invalid. "
    "It must contain only alphanumeric characters and/or the following: +=,.@_-",
    r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)": "The specified value for {} is invalid. "
    "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
}
"""What IAM says of names and paths that break these patterns of the model. The former is what users report."""
_TAG_KEY = "tagKeyType"
_TAG_KEY_PATTERN = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"
"""Of lists of tag keys AWS tells one constraint more than of other lists."""


def word(operation: OperationModel, problems: Sequence[Problem]) -> str:
    """One message for all problems of a request; those that have texts of their own come after the rest."""
    worded = [_PATTERN_TEXTS.get(_pattern(problem), "") for problem in problems]
    if all(worded):
        return worded[0].format(problems[0].where)
    rest = [replace(problem, sensitive=True) for problem, own in zip(problems, worded, strict=True) if not own]
    members = len(operation.input.members) if operation.input is not None else 0
    text = describe(sorted(rest, key=lambda problem: _bucket(problem, members)))
    if any(problem.shape.name == _TAG_KEY for problem in rest):
        text = text.replace(_TAG_KEY_PATTERN + "]", _TAG_KEY_PATTERN + ", Member must not be null]")
    return text


def _bucket(problem: Problem, members: int) -> int:
    """Where a `HashMap` of the request's members has the one that is at fault: it has 16 buckets, and twice as
    many whenever three quarters of them would be full.
    """
    buckets = 16
    while members > buckets * 3 // 4:
        buckets *= 2
    number = java_hash(problem.where.split(".")[0])
    return (number ^ number >> 16) & (buckets - 1)


def _pattern(problem: Problem) -> str:
    """The pattern that a value breaks; empty for any other problem."""
    if problem.constraint is not Constraint.PATTERN or not isinstance(problem.shape, StringShape):
        return ""
    return problem.shape.pattern or ""

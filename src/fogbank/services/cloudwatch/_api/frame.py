"""What all operations share: the refusals of what breaks the model, pages, and samples that are still in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from fogbank.core import paging
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.validation import Constraint, Problem, describe
from fogbank.services.cloudwatch import storage
from fogbank.services.cloudwatch.errors import (
    InvalidTokenError,
    InvalidValueError,
    MissingParameterError,
    RuleError,
)
from fogbank.services.cloudwatch.worker import Flusher
from fogbank.services.kit import Kit, Service

if TYPE_CHECKING:
    from fogbank.core.errors import ApiError
    from fogbank.core.models import OperationModel

T = TypeVar("T")

_OLD_WORDS = frozenset({"PutMetricData", "GetMetricStatistics", "ListMetrics"})
"""The first operations of the service, which word what breaks the model in their own way."""


class CloudWatchService(Service):
    """The part of the service that every group of operations builds on."""

    name = "cloudwatch"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._directory = storage.Directory()
        self._flusher = Flusher(kit, self._directory)

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError:
        """CloudWatch calls what breaks its model `ValidationError`, but in its first operations."""
        if operation.name not in _OLD_WORDS:
            return RuleError(describe(problems))
        missing = [problem for problem in problems if problem.constraint is Constraint.REQUIRED]
        if missing:
            return MissingParameterError("\n".join(f"The parameter {_where(each)} is required." for each in missing))
        return InvalidValueError("\n".join(map(_word, problems)))


def _where(problem: Problem) -> str:
    """The path as these operations write it: `MetricData.member.1.Unit`."""
    return ".".join(f"member.{step + 1}" if isinstance(step, int) else step for step in problem.path)


def _word(problem: Problem) -> str:
    where, shape = _where(problem), problem.shape
    if problem.constraint is Constraint.ENUM:
        return f"The parameter {where} must be a value in the set [ {', '.join(getattr(shape, 'enum', ()))} ]."
    if problem.constraint is Constraint.MAX_LENGTH and isinstance(problem.value, str):
        return f"The parameter {where} must be shorter than {getattr(shape, 'maximum', 0) + 1} characters."
    if problem.constraint is Constraint.MAX_LENGTH:
        return f"The collection {where} must not have a size greater than {getattr(shape, 'maximum', 0)}."
    if problem.constraint is Constraint.MIN_LENGTH and not isinstance(problem.value, str):
        return f"The collection {where} must not be empty."
    return f"The value {problem.value} for parameter {where} is invalid."


def position_of(token: str | None, kind: type[T], *, old_words: bool = False) -> T | None:
    """Where a page goes on; `None` without a token. `old_words`: the operation has no error of its own for it."""
    if token is None:
        return None
    try:
        return paging.decode_token(token, kind)
    except paging.InvalidTokenError:
        if old_words:
            raise InvalidValueError("Request parameter NextToken is invalid") from None
        raise InvalidTokenError from None


def refuse_parameters(operation: str, request: Mapping[str, Any], names: Sequence[str]) -> None:
    """Say so where a request uses a parameter that Fogbank does not have yet; `False` and empty ask for nothing."""
    for name in names:
        if request.get(name):
            raise NotImplementedByFogbank(
                f"Fogbank does not implement the parameter {name} of cloudwatch.{operation} yet"
            )


def tags_of(request: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a request."""
    return {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}

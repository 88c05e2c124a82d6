"""What all operations share: finding the group that a request names, page tokens, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.paging import InvalidTokenError, decode_token
from fogbank.core.validation import Constraint, Problem, describe
from fogbank.services.kit import Kit, Service
from fogbank.services.logs import storage
from fogbank.services.logs._patterns import InvalidPattern, Pattern, compile_pattern
from fogbank.services.logs.errors import ExclusiveError, InvalidParameterError, ResourceNotFoundError
from fogbank.telemetry.metrics import Panel, Panels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fogbank.core.models import OperationModel
    from fogbank.core.scope import Scope
    from fogbank.services.logs.model import Group, Stream
    from fogbank.storage import Tx

T = TypeVar("T")

GROUP_PREFIX = "log-group:"
_NAMES = frozenset({"LogGroupName", "LogStreamName"})
EVERY_GROUP = "logs.groups"
"""What is woken when any log group gets events."""


class LogsService(Service):
    """The part of the service that every group of operations builds on."""

    name = "logs"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._panels = Panels(kit.metrics, self._panel)

    def _panel(self, place: tuple[Scope, str]) -> Panel:
        """What is counted of a log group, and of all (CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html)."""
        return self.kit.metrics.panel(place[0], "AWS/Logs", (), (("LogGroupName", place[1]),))

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError:  # noqa: ARG002
        """CloudWatch Logs calls what breaks its model `InvalidParameterException`, and has a text of its own
        for names that are too long.
        """
        if any(each.constraint is Constraint.MAX_LENGTH and each.shape.name in _NAMES for each in problems):
            return InvalidParameterError(
                "Invalid LogGroup or LogStream, both must have length less than or equal to 512."
            )
        return InvalidParameterError(describe(problems))


def topic(group_id: int) -> str:
    """What is woken when a log group gets events."""
    return f"logs.group.{group_id}"


async def group_of(tx: Tx, scope: Scope, name: str) -> Group:
    """The group of a name; `ResourceNotFoundError` if there is none."""
    group = await storage.find_group(tx, scope, name)
    if group is None:
        raise ResourceNotFoundError("log group")
    return group


async def stream_of(tx: Tx, group_id: int, name: str) -> Stream:
    """The stream of a name; `ResourceNotFoundError` if there is none."""
    stream = await storage.find_stream(tx, group_id, name)
    if stream is None:
        raise ResourceNotFoundError("log stream")
    return stream


def group_name(request: Mapping[str, Any], scope: Scope) -> str:
    """The group that a request names by `logGroupName` or, by name or ARN, by `logGroupIdentifier`."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if name is not None and identifier is not None:
        raise ExclusiveError("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
    if name is not None:
        return str(name)
    if identifier is None:
        raise InvalidParameterError("Either logGroupName or logGroupIdentifier must be specified.")
    return name_of_identifier(identifier, scope)


def name_of_identifier(identifier: str, scope: Scope) -> str:
    """The group's name out of a name or an ARN; one of another account or region is not there."""
    if not identifier.startswith("arn:"):
        return identifier
    try:
        arn = Arn.parse(identifier)
    except MalformedArnError:
        raise InvalidParameterError(f"{identifier} is not a valid log group ARN.") from None
    if arn.service != "logs" or not arn.resource.startswith(GROUP_PREFIX):
        raise InvalidParameterError(f"{identifier} is not a valid log group ARN.")
    if arn.scope != scope:
        raise ResourceNotFoundError("log group")
    return arn.resource.removeprefix(GROUP_PREFIX)


def position_of(request: Mapping[str, Any], kind: type[T]) -> T | None:
    """Where the request's `nextToken` goes on; `None` without one."""
    token = request.get("nextToken")
    if token is None:
        return None
    try:
        return decode_token(token, kind)
    except InvalidTokenError:
        raise InvalidParameterError("The specified nextToken is invalid.") from None


def filter_pattern(text: str, what: str = "Invalid filter pattern") -> Pattern:
    """Compile a filter pattern, wording what is wrong with it as the operation does."""
    try:
        return compile_pattern(text)
    except InvalidPattern as error:
        raise InvalidParameterError(error.detail or what) from None


def refuse_parameters(operation: str, request: Mapping[str, Any], names: Sequence[str]) -> None:
    """Say so where a request uses a parameter that Fogbank does not have yet; `False` and empty ask for
    nothing.
    """
    for name in names:
        if request.get(name):
            raise NotImplementedByFogbank(f"Fogbank does not implement the parameter {name} of logs.{operation} yet")

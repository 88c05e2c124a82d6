"""What can go wrong inside a state.

Failure              an error name and a cause, as Retry and Catch see it
├── RuntimeFailure   `States.Runtime`: nothing catches it
└── QueryFailure     `States.QueryEvaluationError`: also recorded as an event of its own
PathError            a path that finds nothing, or a template that cannot be filled: becomes a RuntimeFailure
"""

from __future__ import annotations

RUNTIME = "States.Runtime"
QUERY = "States.QueryEvaluationError"
DATA_LIMIT = "States.DataLimitExceeded"
TIMEOUT = "States.Timeout"
HEARTBEAT = "States.HeartbeatTimeout"
NO_CHOICE = "States.NoChoiceMatched"
INTRINSIC = "States.IntrinsicFailure"
RESULT_PATH = "States.ResultPathMatchFailure"
PARAMETER_PATH = "States.ParameterPathFailure"
BRANCH_FAILED = "States.BranchFailed"
TOLERANCE = "States.ExceedToleratedFailureThreshold"
ITEM_READER = "States.ItemReaderFailed"
RESULT_WRITER = "States.ResultWriterFailed"


class Failure(Exception):  # noqa: N818 - the language's own word
    """A state failed: `error` (a name) and `cause` (a text), each of which may be absent."""

    def __init__(self, error: str | None, cause: str | None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


class RuntimeFailure(Failure):
    """An error of the execution itself; Retry and Catch do not see it."""

    def __init__(self, cause: str) -> None:
        super().__init__(RUNTIME, cause)


class QueryFailure(Failure):
    """A JSONata expression failed, or gave what its field does not take. `location` is the field."""

    def __init__(self, cause: str, location: str | None) -> None:
        super().__init__(QUERY, cause)
        self.location = location


class PathError(Exception):
    """A path or template that cannot be evaluated; `error` is the name that the state then fails with."""

    def __init__(self, message: str, error: str = RUNTIME) -> None:
        super().__init__(message)
        self.message = message
        self.error = error

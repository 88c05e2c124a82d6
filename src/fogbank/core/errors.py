"""Errors that a caller sees.

    ApiError                     an AWS error: code, HTTP status, message, members of its error shape
    ├── ValidationError          a request that the service model or a documented rule refuses
    ├── NotImplementedByFogbank  an operation or parameter that a model names and Fogbank lacks
    ├── UnknownOperationError    a name that no model knows
    ├── InternalFailureError     a fault of ours; the request is safe to repeat
    └── OverloadedError          a bound was passed; slow down and try again

Each service's `errors.py` draws its own below these. Anything else that escapes a handler is a defect: the
gateway answers it as `InternalFailure`, logs it with its traceback, and lives on.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ApiError(Exception):
    """An AWS error. Subclasses set `code` and, where it is not 400, `status`.

    `code` is the error shape's name in the service model where there is one (`QueueDoesNotExist`), else the
    code itself (`ValidationException`): the gateway looks up the code that each protocol sends for it.
    `members` are further members of the error shape (`Item`, `CancellationReasons`).
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400
    query_code: ClassVar[str | None] = None
    """What the query protocol calls it, where a service that has moved to JSON keeps that name for its clients."""
    headers: tuple[tuple[str, str], ...] = ()
    """HTTP headers that go with the answer, for the services whose errors have such (S3)."""
    query_message: ClassVar[str | None] = None
    """What the query protocol says of it, where that service kept its old words there."""

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(message)
        self.message = message
        self.members = members

    @property
    def sender_fault(self) -> bool:
        """Whether the caller, not the server, must change something."""
        return self.status < 500


class ValidationError(ApiError):
    """The request breaks a constraint of the service model or of the service's documentation."""

    code = "ValidationException"


class InvalidParameterError(ApiError):
    """The same, for the services of the query protocol, which call it `ValidationError`."""

    code = "ValidationError"


class NotImplementedByFogbank(ApiError):  # noqa: N818 - reads as what it says
    """The model names it and Fogbank lacks it. Saying so beats a silent success."""

    code = "NotImplemented"
    status = 501


class UnknownOperationError(ApiError):
    """No model knows the operation."""

    code = "UnknownOperationException"


class InternalFailureError(ApiError):
    """A fault of Fogbank's own; nothing was changed, or what was changed is complete."""

    code = "InternalFailure"
    status = 500


class OverloadedError(ApiError):
    """A bound was passed: too many requests wait for the storage, or for a worker."""

    code = "ServiceUnavailable"
    status = 503

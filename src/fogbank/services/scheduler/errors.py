"""Errors of EventBridge Scheduler.

    ApiError
    ├── ValidationError (core)        ValidationException, 400: a documented rule is broken
    ├── ConflictError                 ConflictException, 409: the name is taken, or a token was used for something else
    ├── ResourceNotFoundError         ResourceNotFoundException, 404
    └── QuotaExceededError            ServiceQuotaExceededException, 402

Codes and statuses: the service model.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError, ValidationError


class ConflictError(ApiError):
    """The name is taken, or a client token was used for another request."""

    code = "ConflictException"
    status = 409


class ResourceNotFoundError(ApiError):
    """No such schedule or group."""

    code = "ResourceNotFoundException"
    status = 404


class QuotaExceededError(ApiError):
    """A service quota would be passed."""

    code = "ServiceQuotaExceededException"
    status = 402


def schedule_not_found(name: str) -> ResourceNotFoundError:
    """No such schedule in the group."""
    return ResourceNotFoundError(f"Schedule {name} does not exist.")


def group_not_found(name: str) -> ResourceNotFoundError:
    """No such group."""
    return ResourceNotFoundError(f"Schedule group {name} does not exist.")


__all__ = [
    "ConflictError",
    "QuotaExceededError",
    "ResourceNotFoundError",
    "ValidationError",
    "group_not_found",
    "schedule_not_found",
]

"""Errors of EventBridge.

    ApiError
    ├── ValidationError (core)             ValidationException: a documented rule is broken
    ├── ResourceNotFoundError              a bus, rule, archive or replay that does not exist
    ├── ResourceAlreadyExistsError         a name that is taken
    ├── InvalidEventPatternError           a pattern that is not valid, with its reason
    ├── LimitExceededError                 more than the quota
    ├── ManagedRuleError                   a rule that a service made and keeps
    ├── IllegalStatusError                 a replay that is past being cancelled
    ├── PolicyLengthExceededError          a bus's policy over 10 KB
    └── InvalidTokenError                  a page token that this listing did not hand out

Codes: the service model. Texts: as they are quoted in public issues; where none is known they say what was
expected and what came.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError, ValidationError


class ResourceNotFoundError(ApiError):
    """An entity that was named does not exist."""

    code = "ResourceNotFoundException"


class ResourceAlreadyExistsError(ApiError):
    """The name is taken."""

    code = "ResourceAlreadyExistsException"


class InvalidEventPatternError(ApiError):
    """The pattern is not valid."""

    code = "InvalidEventPatternException"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Event pattern is not valid. Reason: {reason}")


class LimitExceededError(ApiError):
    """A service quota would be passed."""

    code = "LimitExceededException"

    def __init__(self, message: str = "The requested resource exceeds the maximum number allowed.") -> None:
        super().__init__(message)


class ManagedRuleError(ApiError):
    """The rule was made by a service on the account's behalf."""

    code = "ManagedRuleException"

    def __init__(self, rule: str) -> None:
        super().__init__(f"Rule {rule} is managed by an AWS service and can't be modified.")


class IllegalStatusError(ApiError):
    """The replay is not in a state for this."""

    code = "IllegalStatusException"


class PolicyLengthExceededError(ApiError):
    """The bus's policy is too long."""

    code = "PolicyLengthExceededException"


class InvalidTokenError(ApiError):
    """A page token that is not one of this listing's."""

    code = "InvalidToken"


def bus_not_found(name: str) -> ResourceNotFoundError:
    """No such event bus."""
    return ResourceNotFoundError(f"Event bus {name} does not exist.")


def rule_not_found(name: str, bus: str) -> ResourceNotFoundError:
    """No such rule on the bus."""
    return ResourceNotFoundError(f"Rule {name} does not exist on EventBus {bus}.")


__all__ = [
    "IllegalStatusError",
    "InvalidEventPatternError",
    "InvalidTokenError",
    "LimitExceededError",
    "ManagedRuleError",
    "PolicyLengthExceededError",
    "ResourceAlreadyExistsError",
    "ResourceNotFoundError",
    "ValidationError",
    "bus_not_found",
    "rule_not_found",
]

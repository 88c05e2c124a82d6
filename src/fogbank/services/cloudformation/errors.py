"""CloudFormation's errors.

    ApiError
    └── ValidationError                    StackNotFound…, bad states, bad templates: most of what CloudFormation says
    └── AlreadyExistsException             a live stack, or a change set of that name, is there
    └── InsufficientCapabilitiesException  the template does more than the caller acknowledged
    └── ChangeSetNotFoundException         no such change set
    └── InvalidChangeSetStatusException    the change set is not in a state for this
    └── TokenAlreadyExistsException        a client request token was used for another request
    └── LimitExceededException             too many stacks

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html and the operations' pages.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError, InvalidParameterError


class StackValidationError(InvalidParameterError):
    """The catch-all of CloudFormation: the request cannot be carried out as it is."""


class AlreadyExistsError(ApiError):
    """A stack or change set of that name is there already."""

    code = "AlreadyExistsException"


class InsufficientCapabilitiesError(ApiError):
    """The template needs capabilities that the request did not acknowledge."""

    code = "InsufficientCapabilitiesException"


class ChangeSetNotFoundError(ApiError):
    """No change set of that name or ARN."""

    code = "ChangeSetNotFoundException"
    status = 404


class InvalidChangeSetStatusError(ApiError):
    """The change set cannot be executed or deleted in its state."""

    code = "InvalidChangeSetStatusException"


class TokenAlreadyExistsError(ApiError):
    """The client request token belongs to another request."""

    code = "TokenAlreadyExistsException"


class LimitExceededError(ApiError):
    """A quota of the account is reached."""

    code = "LimitExceededException"


def stack_not_found(name: str) -> StackValidationError:
    """The error that clients look for in the text."""
    return StackValidationError(f"Stack with id {name} does not exist")

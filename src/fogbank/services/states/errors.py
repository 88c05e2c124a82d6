"""The errors of Step Functions.

    ApiError
    ├── InvalidArnError, InvalidNameError, InvalidDefinitionError, InvalidInputError
    ├── InvalidOutputError, InvalidTokenError
    ├── MachineExistsError, MachineNotFoundError, MachineTypeError
    ├── ExecutionExistsError, ExecutionNotFoundError, NotRedrivableError
    ├── ActivityNotFoundError, ResourceNotFoundError, ConflictError, MissingParameterError
    ├── InvalidLoggingError, TooManyTagsError
    └── TaskGoneError, TaskTimedOutError

Source: the errors of the service model.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError, ValidationError


class InvalidArnError(ApiError):
    """A text that is not the ARN that is asked for."""

    code = "InvalidArn"


class InvalidNameError(ApiError):
    """A name with characters that names do not have."""

    code = "InvalidName"


class InvalidDefinitionError(ApiError):
    """A definition that is no program."""

    code = "InvalidDefinition"


class InvalidInputError(ApiError):
    """An execution's input that is not JSON."""

    code = "InvalidExecutionInput"


class InvalidOutputError(ApiError):
    """A task's output that is not JSON."""

    code = "InvalidOutput"


class InvalidTokenError(ApiError):
    """A token that was not handed out."""

    code = "InvalidToken"


class MachineExistsError(ApiError):
    """Another state machine has this name."""

    code = "StateMachineAlreadyExists"


class MachineNotFoundError(ApiError):
    """No such state machine."""

    code = "StateMachineDoesNotExist"


class MachineTypeError(ApiError):
    """The operation is not for this type of state machine."""

    code = "StateMachineTypeNotSupported"


class ExecutionExistsError(ApiError):
    """Another execution has this name."""

    code = "ExecutionAlreadyExists"


class ExecutionNotFoundError(ApiError):
    """No such execution."""

    code = "ExecutionDoesNotExist"


class NotRedrivableError(ApiError):
    """The execution is not one that can be redriven."""

    code = "ExecutionNotRedrivable"


class ActivityNotFoundError(ApiError):
    """No such activity."""

    code = "ActivityDoesNotExist"


class ResourceNotFoundError(ApiError):
    """No such resource."""

    code = "ResourceNotFound"


class ConflictError(ApiError):
    """The resource is in use, or exists with other settings."""

    code = "ConflictException"


class MissingParameterError(ApiError):
    """A request that asks for nothing."""

    code = "MissingRequiredParameter"


class InvalidLoggingError(ApiError):
    """A logging configuration that is not complete."""

    code = "InvalidLoggingConfiguration"


class TooManyTagsError(ApiError):
    """More than fifty tags."""

    code = "TooManyTags"


class TaskGoneError(ApiError):
    """The task of a token is not there any more."""

    code = "TaskDoesNotExist"


class TaskTimedOutError(ApiError):
    """The task of a token has ended or timed out."""

    code = "TaskTimedOut"


__all__ = [
    "ActivityNotFoundError",
    "ConflictError",
    "ExecutionExistsError",
    "ExecutionNotFoundError",
    "InvalidArnError",
    "InvalidDefinitionError",
    "InvalidInputError",
    "InvalidLoggingError",
    "InvalidNameError",
    "InvalidOutputError",
    "InvalidTokenError",
    "MachineExistsError",
    "MachineNotFoundError",
    "MachineTypeError",
    "MissingParameterError",
    "NotRedrivableError",
    "ResourceNotFoundError",
    "TaskGoneError",
    "TaskTimedOutError",
    "TooManyTagsError",
    "ValidationError",
]

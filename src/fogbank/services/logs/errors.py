"""The errors of CloudWatch Logs.

    LogsError
    ├── InvalidParameterError     a value breaks the model's constraints or a rule of the documentation
    ├── ExclusiveError            two parameters name one thing
    ├── AccessDeniedError         the destination is another account's
    ├── ResourceNotFoundError     no such log group, stream, filter or policy
    ├── ResourceExistsError       a log group or stream of this name is there
    ├── LimitExceededError        a quota is used up
    ├── TooManyTagsError          more than 50 tags
    ├── InvalidOperationError     the log group's class does not have the feature
    └── ProtectedError            the log group is protected from deletion

All are answered with status 400. Texts are those that AWS sends, as far as they are known from public
reports.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError


class LogsError(ApiError):
    """An error of CloudWatch Logs."""


class InvalidParameterError(LogsError):
    """A value breaks the model's constraints or a rule of the documentation."""

    code = "InvalidParameterException"


class ExclusiveError(LogsError):
    """Two parameters name one thing."""

    code = "ValidationException"


class AccessDeniedError(LogsError):
    """The destination is another account's."""

    code = "AccessDeniedException"


class NoSuchPolicyError(LogsError):
    """No resource policy of this name."""

    code = "ResourceNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"Policy with name [{name}] does not exist.")


class ResourceNotFoundError(LogsError):
    """No such log group, stream, filter or policy."""

    code = "ResourceNotFoundException"

    def __init__(self, what: str) -> None:
        super().__init__(f"The specified {what} does not exist.")


class ResourceExistsError(LogsError):
    """A log group or stream of this name is there."""

    code = "ResourceAlreadyExistsException"

    def __init__(self, what: str) -> None:
        super().__init__(f"The specified {what} already exists")


class LimitExceededError(LogsError):
    """A quota is used up."""

    code = "LimitExceededException"

    def __init__(self) -> None:
        super().__init__("Resource limit exceeded.")


class TooManyTagsError(LogsError):
    """More than 50 tags."""

    code = "TooManyTagsException"

    def __init__(self, arn: str) -> None:
        super().__init__("A resource can have no more than 50 tags.", resourceName=arn)


class InvalidOperationError(LogsError):
    """The log group's class does not have the feature."""

    code = "InvalidOperationException"


class ProtectedError(LogsError):
    """The log group is protected from deletion."""

    code = "ValidationException"

"""The errors of Lambda.

LambdaError                          every one carries `Type`: `User`, or `Service` for our own faults
├── InvalidParameterValueError       a value that the documentation rules out
│   └── UntypedParameterError        … from a part that does not say `Type`
├── InvalidRequestContentError       a payload or client context that is not JSON
├── RequestTooLargeError             a payload past the quota
├── ResourceNotFoundError
│   ├── FunctionNotFoundError
│   ├── CodeSigningConfigNotFoundError
│   └── ProvisionedConcurrencyConfigNotFoundError
├── ResourceConflictError            it exists already, or is in use
├── PreconditionFailedError          the revision is not the latest
├── PolicyLengthExceededError
├── CodeVerificationFailedError      not signed as it must be
├── RecursiveInvocationError         part of a loop
├── SnapStartError                   an after-restore hook failed
├── SnapStartTimeoutError            a restore took too long
├── SnapStartNotReadyError           the snapshot has not been taken yet
└── TooManyRequestsError             throttled, with the reason
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from fogbank.core.errors import ApiError


class LambdaError(ApiError):
    """An error of Lambda."""

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(message, Type="User" if self.status < 500 else "Service", **members)


class InvalidParameterValueError(LambdaError):
    """A value that the documentation rules out."""

    code = "InvalidParameterValueException"


class UntypedParameterError(InvalidParameterValueError):
    """The same from those parts of Lambda that leave `Type` out of their errors."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.members["Type"] = None  # said to be absent: left alone, the gateway fills it in


class InvalidRequestContentError(LambdaError):
    """A payload or client context that is not JSON."""

    code = "InvalidRequestContentException"


class AccessDeniedError(ApiError):
    """It belongs to another account. Lambda says no more than that."""

    code = "AccessDeniedException"
    status = 403

    def __init__(self) -> None:
        super().__init__("")


class RequestEntityTooLargeError(ApiError):
    """A package past the quota."""

    code = "RequestEntityTooLargeException"
    status = 413


class RequestTooLargeError(LambdaError):
    """A payload past the quota."""

    code = "RequestTooLargeException"
    status = 413


class ResourceNotFoundError(LambdaError):
    """There is no such thing."""

    code = "ResourceNotFoundException"
    status = 404


class FunctionNotFoundError(ResourceNotFoundError):
    """There is no such function, version or alias."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Function not found: {arn}")


class ProvisionedConcurrencyConfigNotFoundError(ResourceNotFoundError):
    """No provisioned concurrency is configured."""

    code = "ProvisionedConcurrencyConfigNotFoundException"

    def __init__(self) -> None:
        super().__init__("No Provisioned Concurrency Config found for this function")


class ResourceConflictError(LambdaError):
    """It exists already, or something else keeps it."""

    code = "ResourceConflictException"
    status = 409


class PreconditionFailedError(LambdaError):
    """The revision is not the latest."""

    code = "PreconditionFailedException"
    status = 412

    def __init__(self, call: str = "GetFunction/GetAlias") -> None:
        super().__init__(
            "The Revision Id provided does not match the latest Revision Id. "
            f"Call the {call} API to retrieve the latest Revision Id"
        )


def not_now(state: str) -> ResourceConflictError:
    """The version is in a state that allows nothing of the kind."""
    return ResourceConflictError(
        f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
    )


class PolicyLengthExceededError(LambdaError):
    """A resource policy of more than 20 KB."""

    code = "PolicyLengthExceededException"


class SnapStartError(LambdaError):
    """An environment could not be restored: an after-restore hook failed."""

    code = "SnapStartException"


class SnapStartTimeoutError(LambdaError):
    """A restore took too long."""

    code = "SnapStartTimeoutException"
    status = 408


class SnapStartNotReadyError(LambdaError):
    """The snapshot has not been taken yet."""

    code = "SnapStartNotReadyException"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "Lambda is initializing your function. You can invoke the function when the function state becomes Active."
        )


class CodeSigningConfigNotFoundError(ResourceNotFoundError):
    """There is no such code signing configuration."""

    code = "CodeSigningConfigNotFoundException"

    def __init__(self, arn: str) -> None:
        super().__init__(
            "The code signing configuration cannot be found. Check that the provided configuration is not deleted: "
            f"{arn}."
        )


class CodeVerificationFailedError(LambdaError):
    """The code is not signed as the function's configuration demands; no code is, here."""

    code = "CodeVerificationFailedException"

    def __init__(self) -> None:
        super().__init__(
            "Lambda cannot deploy the function. The function or layer might be signed using a signature that the "
            "client is not configured to accept. Check the provided signature for the function's code."
        )


class RecursiveInvocationError(LambdaError):
    """The event is part of a loop: its function has handled what it came of too often."""

    code = "RecursiveInvocationException"

    def __init__(self) -> None:
        super().__init__(
            "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services "
            "resources and stopped your function's invocation."
        )


class ThrottleReason(StrEnum):
    """Why a request was throttled."""

    FUNCTION = "ReservedFunctionConcurrentInvocationLimitExceeded"
    ACCOUNT = "ConcurrentInvocationLimitExceeded"


class TooManyRequestsError(LambdaError):
    """Throttled."""

    code = "TooManyRequestsException"
    status = 429

    def __init__(self, reason: ThrottleReason) -> None:
        super().__init__("Rate Exceeded.", Reason=reason.value)
        self.reason = reason

"""The errors of X-Ray.

ApiError
├── InvalidRequestError        a request that breaks a rule
├── RuleLimitExceededError     more sampling rules than an account may have
└── ResourceNotFoundError      something named by its ARN that is not there
"""

from __future__ import annotations

from fogbank.core.errors import ApiError


class InvalidRequestError(ApiError):
    """The request is missing required parameters or has invalid parameters."""

    code = "InvalidRequestException"


class RuleLimitExceededError(ApiError):
    """You have reached the maximum number of sampling rules."""

    code = "RuleLimitExceededException"


class ResourceNotFoundError(ApiError):
    """The resource was not found."""

    code = "ResourceNotFoundException"
    status = 404

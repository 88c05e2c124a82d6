"""The errors of STS.

StsError
├── AccessDeniedError            403  the role is not there, or the caller may not do this
├── StsValidationError           400  a value breaks the model or a rule of the documentation
├── MalformedPolicyError         400  a session policy is not JSON
├── InvalidValueError            400  session tags contradict each other
├── PackedPolicyTooLargeError    400  session policies and tags together are too large
└── InvalidAuthorizationMessageError  400  an encoded message that this service did not make
"""

from __future__ import annotations

from fogbank.core.errors import ApiError


class StsError(ApiError):
    """An error of STS."""


class AccessDeniedError(StsError):
    """The role is not there, or the caller may not do this."""

    code = "AccessDenied"
    status = 403


class StsValidationError(StsError):
    """A value breaks the model or a rule of the documentation."""

    code = "ValidationError"


class InvalidValueError(StsError):
    """Session tags contradict each other."""

    code = "InvalidParameterValue"


class MalformedPolicyError(StsError):
    """A session policy is not a policy document."""

    code = "MalformedPolicyDocumentException"


class PackedPolicyTooLargeError(StsError):
    """Session policies and tags together are too large."""

    code = "PackedPolicyTooLargeException"


class InvalidAuthorizationMessageError(StsError):
    """An encoded message that this service did not make."""

    code = "InvalidAuthorizationMessageException"

"""The errors of IAM.

    IamError
    ├── NoSuchEntityError          404  what is named is not there
    ├── EntityAlreadyExistsError   409  the name is taken
    ├── DeleteConflictError        409  something still belongs to what is to be deleted
    ├── LimitExceededError         409  a quota is used up
    ├── MalformedPolicyError       400  a policy document breaks the policy grammar
    ├── AccessDeniedError          403  what is named is not told of, lest one could ask what exists
    ├── PasswordPolicyViolationError  400  a password breaks the account's password policy
    ├── UnmodifiableEntityError    400  a service-linked role is its service's
    ├── InvalidInputError          400  a value breaks a rule of the documentation
    └── IamValidationError         400  a value breaks the service model

`code` is the name of the shape; the query protocol sends the code of the shape's error trait
(`NoSuchEntity`).
"""

from __future__ import annotations

from fogbank.core.errors import ApiError


class IamError(ApiError):
    """An error of IAM."""


class NoSuchEntityError(IamError):
    """What is named is not there."""

    code = "NoSuchEntityException"
    status = 404


class EntityAlreadyExistsError(IamError):
    """The name is taken."""

    code = "EntityAlreadyExistsException"
    status = 409


class DeleteConflictError(IamError):
    """Something still belongs to what is to be deleted."""

    code = "DeleteConflictException"
    status = 409


class LimitExceededError(IamError):
    """A quota is used up."""

    code = "LimitExceededException"
    status = 409


class MalformedPolicyError(IamError):
    """A policy document breaks the policy grammar."""

    code = "MalformedPolicyDocumentException"


class AccessDeniedError(IamError):
    """What is named is not told of."""

    code = "AccessDenied"
    status = 403


class PasswordPolicyViolationError(IamError):
    """A password breaks the account's password policy."""

    code = "PasswordPolicyViolationException"


class UnmodifiableEntityError(IamError):
    """A service-linked role is its service's."""

    code = "UnmodifiableEntityException"


class InvalidInputError(IamError):
    """A value breaks a rule of the documentation."""

    code = "InvalidInputException"


class IamValidationError(IamError):
    """A value breaks the service model, or the caller cannot be told from its credentials."""

    code = "ValidationError"

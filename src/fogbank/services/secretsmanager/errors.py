"""The errors of Secrets Manager.

    SecretsError
    ├── InvalidParameterError         InvalidParameterException: a parameter, or how two of them go together
    ├── InvalidRequestError           InvalidRequestException: not in the state that the secret is in
    │   └── MarkedForDeletionError
    ├── SecretNotFoundError           ResourceNotFoundException
    ├── SecretExistsError             ResourceExistsException
    ├── LimitExceededError            LimitExceededException
    ├── InvalidNextTokenError         InvalidNextTokenException
    ├── MalformedPolicyError          MalformedPolicyDocumentException
    ├── PublicPolicyError             PublicPolicyException
    └── DecryptionFailureError        DecryptionFailure: the data folder's key is not the one that sealed the value

All are answered with status 400. Texts are those that AWS sends, as far as they are known from public reports.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError


class SecretsError(ApiError):
    """An error of Secrets Manager."""


class InvalidParameterError(SecretsError):
    """A parameter is not in order, or does not go with another."""

    code = "InvalidParameterException"


class InvalidRequestError(SecretsError):
    """Not in the state that the secret is in."""

    code = "InvalidRequestException"


class MarkedForDeletionError(InvalidRequestError):
    """The secret waits to be deleted."""

    def __init__(self) -> None:
        super().__init__("You can't perform this operation on the secret because it was marked for deletion.")


class SecretNotFoundError(SecretsError):
    """There is no such secret, or no such version of it."""

    code = "ResourceNotFoundException"

    def __init__(self, what: str = "") -> None:
        super().__init__(f"Secrets Manager can't find the specified secret{f' value for {what}' if what else '.'}")


class SecretExistsError(SecretsError):
    """The name, or the id of a version, is taken."""

    code = "ResourceExistsException"


class LimitExceededError(SecretsError):
    """A quota would be passed."""

    code = "LimitExceededException"


class InvalidNextTokenError(SecretsError):
    """A token that no page of this listing handed out."""

    code = "InvalidNextTokenException"

    def __init__(self) -> None:
        super().__init__("Invalid token")


class MalformedPolicyError(SecretsError):
    """A resource policy that is none."""

    code = "MalformedPolicyDocumentException"

    def __init__(self, reason: str = "This resource policy contains a syntax error.") -> None:
        super().__init__(reason)


class PublicPolicyError(SecretsError):
    """A resource policy that lets everybody in, where that was to be prevented."""

    code = "PublicPolicyException"

    def __init__(self) -> None:
        super().__init__("You can't use a resource policy that grants broad access to the secret.")


class DecryptionFailureError(SecretsError):
    """A stored value cannot be opened."""

    code = "DecryptionFailure"

    def __init__(self) -> None:
        super().__init__(
            "Secrets Manager can't decrypt the protected secret text: secrets.key in the data folder is not the key "
            "that it was encrypted with"
        )

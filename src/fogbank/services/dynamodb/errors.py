"""DynamoDB's errors.

    ApiError
    ├── ValidationError                       a request that breaks a rule (core)
    ├── ResourceNotFoundException             no such table, index or resource
    ├── ResourceInUseException                the table exists, or is being changed
    ├── LimitExceededException                too many changes at once
    ├── ConditionalCheckFailedException       the condition does not hold; carries Item when asked to
    ├── TransactionCanceledException          carries one reason for each action
    ├── IdempotentParameterMismatchException  the token was used with another request
    ├── DuplicateItemException                a PartiQL INSERT met an item with its key
    ├── TableNotFoundException                the same as ResourceNotFound, for backups
    ├── TableAlreadyExistsException           a restore to the name of a table
    ├── BackupNotFoundException               no such backup
    ├── PointInTimeRecoveryUnavailableException  the table does not have it
    ├── PolicyNotFoundException               no resource-based policy, or not that revision of it
    ├── TrimmedDataAccessException            (streams) the records are older than a day
    └── ExpiredIteratorException              (streams) the iterator is older than fifteen minutes

The texts are those that DynamoDB answers in us-east-1: applications and test suites match them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.core.errors import ApiError, ValidationError


class ResourceNotFoundError(ApiError):
    """No such table, index, stream or resource."""

    code = "ResourceNotFoundException"


class ResourceInUseError(ApiError):
    """The table exists already, or a change to it is under way."""

    code = "ResourceInUseException"


class LimitExceededError(ApiError):
    """More changes to tables at once than DynamoDB allows."""

    code = "LimitExceededException"


class ConditionalCheckFailedError(ApiError):
    """The condition does not hold. `Item` is the item as it is, if the request asked for it."""

    code = "ConditionalCheckFailedException"
    units = 1.0
    """Write units that the attempt used: those of the item as it is."""

    def __init__(self, item: Mapping[str, Any] | None = None) -> None:
        if item is None:
            super().__init__("The conditional request failed")
        else:
            super().__init__("The conditional request failed", Item=item)


class TransactionCanceledError(ApiError):
    """The transaction was not done; `CancellationReasons` has one entry for each of its actions, in order."""

    code = "TransactionCanceledException"

    def __init__(self, reasons: Sequence[Mapping[str, Any]]) -> None:
        codes = ", ".join(reason["Code"] for reason in reasons)
        super().__init__(
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
            CancellationReasons=list(reasons),
        )


class IdempotentParameterMismatchError(ApiError):
    """A `ClientRequestToken` came back with another request within ten minutes."""

    code = "IdempotentParameterMismatchException"


class DuplicateItemError(ApiError):
    """A PartiQL INSERT met an item with its key."""

    code = "DuplicateItemException"

    def __init__(self) -> None:
        super().__init__("Duplicate primary key exists in table")


class TableNotFoundError(ApiError):
    """No such table, in the words of the operations on backups."""

    code = "TableNotFoundException"


class TableAlreadyExistsError(ApiError):
    """A table cannot be restored to the name of one that is there."""

    code = "TableAlreadyExistsException"


class BackupNotFoundError(ApiError):
    """No such backup."""

    code = "BackupNotFoundException"


class PointInTimeRecoveryUnavailableError(ApiError):
    """The table does not have point-in-time recovery."""

    code = "PointInTimeRecoveryUnavailableException"


class PolicyNotFoundError(ApiError):
    """A table has no resource-based policy, or another revision of it."""

    code = "PolicyNotFoundException"


class TrimmedDataAccessError(ApiError):
    """The records asked for are past the stream's retention of 24 hours."""

    code = "TrimmedDataAccessException"


class ExpiredIteratorError(ApiError):
    """A shard iterator is valid for fifteen minutes."""

    code = "ExpiredIteratorException"


def table_not_found(name: str | None = None) -> ResourceNotFoundError:
    """The two forms of it: operations on items do not name the table, operations on tables do."""
    if name is None:
        return ResourceNotFoundError("Requested resource not found")
    return ResourceNotFoundError(f"Requested resource not found: Table: {name} not found")


def invalid_parameter(detail: str) -> ValidationError:
    """The commonest opening of a validation error."""
    return ValidationError(f"One or more parameter values were invalid: {detail}")

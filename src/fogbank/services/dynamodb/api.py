"""The service `dynamodb`: each operation is a method of one of the groups below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from fogbank.core.errors import ApiError, ValidationError
from fogbank.core.models import OperationModel
from fogbank.core.validation import Constraint, Problem, describe
from fogbank.services.dynamodb._api.backups import BackupOperations
from fogbank.services.dynamodb._api.batches import BatchOperations
from fogbank.services.dynamodb._api.queries import QueryOperations
from fogbank.services.dynamodb._api.settings import SettingOperations
from fogbank.services.dynamodb._api.statements import StatementOperations
from fogbank.services.dynamodb._api.tables import TableOperations
from fogbank.services.dynamodb._metrics import TIMED
from fogbank.services.dynamodb._rows.catalog import NAME_LENGTH
from fogbank.services.kit import Handler

_EMPTY_BATCH = {
    "BatchGetItem": "1 validation error detected: Value at 'RequestItems' failed to satisfy constraint: "
    "Member must have length greater than or equal to 1",
    "BatchWriteItem": "The requestItems parameter is required for BatchWriteItem",
}

_OF_TABLES = ("Table", "TimeToLive")
_OF_TAGS = ("TagResource", "UntagResource", "ListTagsOfResource")


class DynamoDb(
    TableOperations,
    SettingOperations,
    BackupOperations,
    QueryOperations,
    BatchOperations,
    StatementOperations,
):
    """Amazon DynamoDB."""

    name: ClassVar[str] = "dynamodb"

    def handler(self, operation: OperationModel) -> Handler | None:
        """What answers an operation; those on items are timed."""
        found = super().handler(operation)
        return self.counts.timed(operation.name, found) if found and operation.name in TIMED else found

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError:
        """AWS's general words for a request that breaks the model, but for some that DynamoDB words itself."""
        problem = problems[0]
        of_table = operation.name.endswith(_OF_TABLES)
        if operation.name in _OF_TAGS and any(one.path == ("ResourceArn",) for one in problems):
            return ValidationError("Invalid TableArn")
        match problem.path:
            case ("TableName",) if problem.constraint is Constraint.REQUIRED and of_table:
                return ValidationError("The parameter 'TableName' is required but was not present in the request")
            case ("TableName",) if problem.constraint is Constraint.MIN_LENGTH and of_table:
                return ValidationError(NAME_LENGTH)
            case ("RequestItems",) if problem.value == {}:
                return ValidationError(_EMPTY_BATCH[operation.name])
            case ("RequestItems", table, "Keys") if problem.constraint is Constraint.MAX_LENGTH:
                return ValidationError(
                    f"1 validation error detected: Value at 'RequestItems.{table}.member.Keys' failed to satisfy "
                    "constraint: Member must have length less than or equal to 100"
                )
        return ValidationError(describe(problems))

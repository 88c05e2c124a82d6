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

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError:
        """AWS's general words for a request that breaks the model, but for two that DynamoDB words itself."""
        first = problems[0]
        if (
            first.path == ("TableName",)
            and first.constraint is Constraint.REQUIRED
            and operation.name.endswith("Table")
        ):
            return ValidationError("The parameter 'TableName' is required but was not present in the request")
        if first.path == ("RequestItems",) and first.value == {}:
            return ValidationError(f"The requestItems parameter is required for {operation.name}")
        return ValidationError(describe(problems))

"""The service `dynamodb`: each operation is a method of one of the groups below."""

from __future__ import annotations

from typing import ClassVar

from fogbank.services.dynamodb._api.batches import BatchOperations
from fogbank.services.dynamodb._api.queries import QueryOperations
from fogbank.services.dynamodb._api.settings import SettingOperations
from fogbank.services.dynamodb._api.tables import TableOperations
from fogbank.services.dynamodb._api.transactions import TransactionOperations


class DynamoDb(TableOperations, SettingOperations, QueryOperations, BatchOperations, TransactionOperations):
    """Amazon DynamoDB."""

    name: ClassVar[str] = "dynamodb"

"""AWS Lambda Powertools' idempotency utility, unmodified, over a table here."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyValidationError,
)
from tests.conftest import ServerProcess
from tests.services.dynamodb.shapes import attributes, key_schema, make


@dataclass
class Context:
    """As much of a Lambda context as the utility looks at."""

    remaining: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining


@pytest.fixture
def layer(aws: Callable[..., Any], server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> DynamoDBPersistenceLayer:
    client = aws("dynamodb")
    make(client, "idempotency")
    client.update_time_to_live(
        TableName="idempotency", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expiration"}
    )
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    client = session.client("dynamodb", endpoint_url=server.endpoint)
    return DynamoDBPersistenceLayer(table_name="idempotency", boto3_client=client)


def handler(layer: DynamoDBPersistenceLayer, calls: list[str], **options: Any) -> Callable[..., Any]:
    """An idempotent function that notes each order it places."""
    config = IdempotencyConfig(event_key_jmespath="id", **options)
    config.register_lambda_context(Context())  # type: ignore[arg-type]

    @idempotent_function(data_keyword_argument="order", persistence_store=layer, config=config)
    def place(*, order: dict[str, Any]) -> dict[str, Any]:
        calls.append(order["id"])
        if order.get("fails"):
            raise ValueError("no stock")
        return {"placed": order["id"], "number": len(calls)}

    placing: Callable[..., Any] = place
    return placing


def test_an_order_is_placed_once_and_its_answer_repeated(layer: DynamoDBPersistenceLayer) -> None:
    calls: list[str] = []
    place = handler(layer, calls)
    answers = [place(order={"id": "a"}) for _ in range(3)]
    assert answers == [{"placed": "a", "number": 1}] * 3
    assert place(order={"id": "b"}) == {"placed": "b", "number": 2}
    assert calls == ["a", "b"]


def test_an_order_that_failed_can_be_placed_again(layer: DynamoDBPersistenceLayer) -> None:
    calls: list[str] = []
    place = handler(layer, calls)
    with pytest.raises(ValueError, match="no stock"):
        place(order={"id": "a", "fails": True})
    assert place(order={"id": "a"})["number"] == 2


def test_an_order_in_progress_is_not_placed_beside(layer: DynamoDBPersistenceLayer) -> None:
    calls: list[str] = []
    inner = handler(layer, calls)
    config = IdempotencyConfig(event_key_jmespath="id")
    config.register_lambda_context(Context())  # type: ignore[arg-type]
    seen: list[str] = []

    @idempotent_function(data_keyword_argument="order", persistence_store=layer, config=config)
    def outer(*, order: dict[str, Any]) -> str:
        with pytest.raises(IdempotencyAlreadyInProgressError):
            outer(order=order)
        seen.append(order["id"])
        return "done"

    assert outer(order={"id": "x"}) == "done"
    assert (seen, calls) == (["x"], [])
    assert inner(order={"id": "y"})["placed"] == "y"


def test_a_payload_that_changed_is_told(layer: DynamoDBPersistenceLayer) -> None:
    place = handler(layer, [], payload_validation_jmespath="amount")
    place(order={"id": "a", "amount": 1})
    with pytest.raises(IdempotencyValidationError):
        place(order={"id": "a", "amount": 2})


def test_of_many_at_once_one_places_the_order(layer: DynamoDBPersistenceLayer) -> None:
    calls: list[str] = []
    place = handler(layer, calls)

    def attempt(_: int) -> str:
        try:
            return json.dumps(place(order={"id": "a"}), sort_keys=True)
        except IdempotencyAlreadyInProgressError:
            return "in progress"

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(attempt, range(24)))
    assert calls == ["a"]
    assert answers <= {json.dumps({"placed": "a", "number": 1}, sort_keys=True), "in progress"}


@pytest.mark.slow
def test_a_table_with_a_sort_key_will_do(aws: Callable[..., Any], layer: DynamoDBPersistenceLayer) -> None:
    client = aws("dynamodb")
    client.create_table(
        TableName="sorted", KeySchema=key_schema("pk", "sk"), AttributeDefinitions=attributes(pk="S", sk="S"),
        BillingMode="PAY_PER_REQUEST",
    )  # fmt: skip
    sorted_layer = DynamoDBPersistenceLayer(
        table_name="sorted", key_attr="pk", sort_key_attr="sk", boto3_client=layer.client
    )
    calls: list[str] = []
    place = handler(sorted_layer, calls)
    assert place(order={"id": "a"}) == place(order={"id": "a"})
    assert calls == ["a"]
    item = client.scan(TableName="sorted")["Items"][0]
    assert item["status"] == {"S": "COMPLETED"}

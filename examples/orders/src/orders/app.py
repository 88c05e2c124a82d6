"""Confirms placed orders: once for each idempotency key, however often the event arrives.

EventBridge and Lambda deliver at least once, and a shop's checkout may publish twice. Powertools remembers each
idempotency key with its answer: an event that comes again gets the first answer, and `confirm` does not run.
A crash between two steps of `confirm` makes it run again later, so each of its steps may be repeated safely.
"""

import json
import os
import time
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="orders")
orders = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])
payments = boto3.client("sqs")
PAYMENT_QUEUE_URL = os.environ["PAYMENT_QUEUE_URL"]


def answer_duplicate(answer: dict[str, Any], _: DataRecord) -> dict[str, Any]:
    """An event that was handled before: count it, and give the first answer again."""
    order_id = answer["orderId"]
    logger.info("duplicate answered", order_id=order_id)
    orders.update_item(
        Key={"orderId": order_id},
        UpdateExpression="ADD duplicates :one",
        ExpressionAttributeValues={":one": 1},
    )
    return {**answer, "duplicate": True}


@idempotent(
    persistence_store=DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"]),
    config=IdempotencyConfig(
        event_key_jmespath="detail.idempotencyKey",
        raise_on_no_idempotency_key=True,
        expires_after_seconds=24 * 60 * 60,
        response_hook=answer_duplicate,
    ),
)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Confirm the order of an "Order Placed" event; its confirmation number."""
    order = event["detail"]
    check(order)
    return confirm(order)


def check(order: dict[str, Any]) -> None:
    """Refuse an order that nobody could fulfil."""
    for line in order["lines"]:
        if line["quantity"] < 1:
            raise ValueError(
                f"order {order['orderId']}: expected a quantity of 1 or more of {line['sku']}, got {line['quantity']}"
            )


def confirm(order: dict[str, Any]) -> dict[str, Any]:
    """Record the order, and ask for its payment."""
    order_id = order["orderId"]
    cents = sum(line["quantity"] * line["cents"] for line in order["lines"])
    orders.update_item(
        Key={"orderId": order_id},
        UpdateExpression=(
            "SET #status = if_not_exists(#status, :confirmed), cents = :cents, placedAt = :placed, "
            "confirmedAt = if_not_exists(confirmedAt, :now) ADD confirmations :one"
        ),
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":confirmed": "confirmed",
            ":cents": cents,
            ":placed": order["placedAt"],
            ":now": time.time_ns() // 1_000_000,
            ":one": 1,
        },
    )
    payment = {"orderId": order_id, "cents": cents, "card": order["card"]}
    payments.send_message(QueueUrl=PAYMENT_QUEUE_URL, MessageBody=json.dumps(payment))
    logger.info("order confirmed", order_id=order_id, cents=cents)
    return {"orderId": order_id, "confirmation": f"C-{order_id}", "cents": cents}

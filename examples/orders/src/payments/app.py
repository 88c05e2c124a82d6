"""Takes payments in batches. A payment that fails is reported alone; the others of its batch are done.

A queue delivers at least once, so a charge is made under the condition that there is none yet.
"""

import os
import time
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

logger = Logger(service="payments")
orders = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class CardDeclinedError(Exception):
    """The bank says no."""


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Charge each payment of the batch; the messages that failed, for the queue to deliver again."""
    return process_partial_response(event=event, record_handler=charge, processor=processor, context=context)


def charge(record: SQSRecord) -> None:
    """Charge one order's card, once."""
    payment = record.json_body
    order_id = payment["orderId"]
    if payment["card"] == "declined":
        logger.error("payment failed: the card was declined", order_id=order_id, message_id=record.message_id)
        raise CardDeclinedError(f"order {order_id}: the card was declined")
    try:
        orders.update_item(
            Key={"orderId": order_id},
            UpdateExpression="SET #status = :paid, paidAt = :now ADD charges :one",
            ConditionExpression="attribute_not_exists(charges)",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":paid": "paid", ":now": time.time_ns() // 1_000_000, ":one": 1},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        logger.info("charged before", order_id=order_id)
        return
    logger.info("payment taken", order_id=order_id, cents=payment["cents"])

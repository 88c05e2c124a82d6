"""Confirms orders. Each step is done again whenever the event comes again."""

import json
import os
import time

import boto3

time.sleep(1.1)  # stands for what a heavy import takes

dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")


def handler(event, context):
    order = event["detail"]
    if order["quantity"] < 1:
        raise ValueError(f"order {order['orderId']}: expected a quantity of 1 or more, got {order['quantity']}")
    dynamodb.update_item(
        TableName=os.environ["ORDERS"],
        Key={"orderId": {"S": order["orderId"]}},
        UpdateExpression="ADD cents :cents",
        ExpressionAttributeValues={":cents": {"N": str(order["quantity"] * 450)}},
    )
    sqs.send_message(QueueUrl=os.environ["PAYMENTS"], MessageBody=json.dumps(order))
    sqs.send_message(QueueUrl=os.environ["REPORTS"], MessageBody=json.dumps({**order, "history": "x" * 200_000}))
    return order["orderId"]

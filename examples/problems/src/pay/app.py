"""Takes payments: what it writes is the same however often it is written."""

import json
import os

import boto3

dynamodb = boto3.client("dynamodb")
events = boto3.client("events")


def handler(event, context):
    for record in event["Records"]:
        order = json.loads(record["body"])
        dynamodb.update_item(
            TableName=os.environ["ORDERS"],
            Key={"orderId": {"S": order["orderId"]}},
            UpdateExpression="SET paid = :yes",
            ExpressionAttributeValues={":yes": {"BOOL": True}},
        )
        entry = {"Source": "shop.payments", "DetailType": "Order Paid", "Detail": json.dumps(order)}
        events.put_events(Entries=[{**entry, "EventBusName": os.environ["SHOP"]}])

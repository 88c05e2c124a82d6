"""Runs every minute: counts the orders, and names those that were confirmed and never paid."""

import json
import os
from collections import Counter
from typing import Any

import boto3

orders = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The number of orders in each status, and the unpaid ones' ids."""
    found: list[dict[str, Any]] = []
    pages = orders.meta.client.get_paginator("scan").paginate(
        TableName=orders.name,
        ProjectionExpression="orderId, #status",
        ExpressionAttributeNames={"#status": "status"},
    )
    for page in pages:
        found += page["Items"]
    unpaid = sorted(order["orderId"] for order in found if order["status"] == "confirmed")
    report = {"orders": Counter(order["status"] for order in found), "unpaid": unpaid}
    print(json.dumps({"sweep": report}))
    return report

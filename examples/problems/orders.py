"""Places orders in the shop, one after the other; the last one is for nothing at all.

python examples/problems/orders.py 12
"""

import json
import os
import sys

import boto3


def main() -> None:
    """Publish as many orders as are asked for."""
    endpoint = os.environ.get("FOGBANK_ENDPOINT", "http://127.0.0.1:4566")
    events = boto3.client(
        "events", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    for number in range(1, count + 1):
        order = {"orderId": f"o-{number}", "quantity": 0 if number == count else 1 + number % 3, "vip": number % 5 == 0}
        entry = {"Source": "shop.checkout", "DetailType": "Order Placed", "Detail": json.dumps(order)}
        reply = events.put_events(Entries=[{**entry, "EventBusName": "problems-shop"}])
        assert reply["FailedEntryCount"] == 0, reply
    print(f"{count} orders were placed")


if __name__ == "__main__":
    main()

"""The bookings of one travel service: flight, hotel or car. Which one, its environment says.

Both writes may be repeated, and come in any order: a booking that comes after its cancellation is refused, so a
request that was lost on its way books nothing that nobody will cancel.

`chaos` in a trip makes a service fail, for the demo and the tests:

    {"book-hotel": "sold out"}         a refusal: nothing is booked
    {"book-hotel": "before"}           the service breaks before it has booked …
    {"book-hotel": "after"}            … or after: it is booked, and the caller does not know
    {"cancel-hotel": 2}                the first two cancellations fail
"""

import os
import time
from typing import Any

import boto3
from botocore.exceptions import ClientError

SERVICE = os.environ["SERVICE"]
bookings = boto3.resource("dynamodb").Table(os.environ["BOOKINGS_TABLE"])


class SoldOut(Exception):  # noqa: N818 - its name is the error's name in the state machine
    """A refusal: nothing was booked, and asking again does not help."""


class Unreachable(Exception):  # noqa: N818
    """The service broke, before or after it booked."""


def book(trip: dict[str, Any]) -> dict[str, Any]:
    """Book for a trip, once; the booking."""
    chaos = trip.get("chaos", {}).get(f"book-{SERVICE}")
    if chaos == "sold out":
        raise SoldOut(f"no {SERVICE} is left for {trip['tripId']}")
    if chaos == "before":
        raise Unreachable(f"the {SERVICE} service could not be reached")
    booking = {"tripId": trip["tripId"], "service": SERVICE, "ticket": f"{SERVICE}-{trip['tripId']}"}
    try:
        bookings.update_item(
            Key={"tripId": trip["tripId"]},
            UpdateExpression="SET #status = :booked, ticket = :ticket, traveller = :traveller, "
            "bookedAt = if_not_exists(bookedAt, :now)",
            ConditionExpression="attribute_not_exists(#status) OR #status = :booked",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":booked": "BOOKED",
                ":ticket": booking["ticket"],
                ":traveller": trip["traveller"],
                ":now": time.time_ns(),
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        raise SoldOut(f"{trip['tripId']} was cancelled before") from None
    if chaos == "after":
        raise Unreachable(f"the {SERVICE} service did not answer")
    return booking


def cancel(trip: dict[str, Any]) -> None:
    """Cancel what was booked for a trip. Where nothing was, nothing will be."""
    stubborn = trip.get("chaos", {}).get(f"cancel-{SERVICE}", 0)
    if stubborn and _attempts(trip) <= stubborn:
        raise Unreachable(f"the {SERVICE} service refuses to cancel {SERVICE}-{trip['tripId']}")
    bookings.update_item(
        Key={"tripId": trip["tripId"]},
        UpdateExpression="SET #status = :cancelled, cancelledAt = if_not_exists(cancelledAt, :now)",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":cancelled": "CANCELLED", ":now": time.time_ns()},
    )


def _attempts(trip: dict[str, Any]) -> int:
    reply = bookings.update_item(
        Key={"tripId": trip["tripId"]},
        UpdateExpression="ADD cancelAttempts :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    return int(reply["Attributes"]["cancelAttempts"])

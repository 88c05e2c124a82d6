"""The functions of the choreography: nobody commands, each service reacts to what the others tell.

    Requested ─► flight ─ Booked ─► hotel ─ Booked ─► car ─ Booked ─► the trip is CONFIRMED
                   ▲                  │ ▲               │
                   └ Refused,         ┘ └ Refused,      ┘
                     Cancelled            Cancelled

What a service tells may come twice, and is told again when it is asked again: every reaction may be repeated. A
reaction that failed three times is told by Lambda itself, and the neighbours react to that as well.
"""

import json
import os
from typing import Any

import boto3

events = boto3.client("events")
BUS = os.environ["TRIP_BUS"]
FIRST, LAST = "flight", "car"


def react(event: dict[str, Any], context: Any) -> None:
    """Book after the one before, cancel after the one behind; tell what was done."""
    import bookings  # noqa: PLC0415 - `conclude` has no bookings

    trip = trip_of(event)
    if event["detail-type"] not in {"Requested", "Booked"}:
        bookings.cancel(trip)
        tell(bookings.SERVICE, "Cancelled", trip)
        return
    try:
        bookings.book(trip)
    except bookings.SoldOut as refusal:
        tell(bookings.SERVICE, "Refused", trip, reason=str(refusal))
    else:
        tell(bookings.SERVICE, "Booked", trip)


def conclude(event: dict[str, Any], context: Any) -> None:
    """Write down how a trip ended: the last service has booked, or the first has nothing any more."""
    trips = boto3.resource("dynamodb").Table(os.environ["TRIPS_TABLE"])
    status = "CONFIRMED" if event["detail-type"] == "Booked" else "FAILED"
    trips.put_item(Item={"tripId": trip_of(event)["tripId"], "status": status})


def trip_of(event: dict[str, Any]) -> dict[str, Any]:
    """The trip that an event is about. What Lambda tells of a failed reaction contains the event reacted to."""
    while event["source"] == "lambda":
        event = event["detail"]["requestPayload"]
    return event["detail"]["trip"]


def tell(service: str, what: str, trip: dict[str, Any], **more: str) -> None:
    """Publish what this service did."""
    entry = {
        "EventBusName": BUS,
        "Source": f"travel.{service}",
        "DetailType": what,
        "Detail": json.dumps({"trip": trip, **more}),
    }
    reply = events.put_events(Entries=[entry])
    if reply["FailedEntryCount"]:
        raise RuntimeError(f"the event was not accepted: {reply['Entries'][0]}")

"""The client's side: a travel agency that asks for trips, and looks at what became of them. Plain boto3."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from clients import Client

SERVICES = ("flight", "hotel", "car")
Trip = dict[str, Any]


def trip(trip_id: str, **chaos: Any) -> Trip:
    """A trip. `book_hotel="sold out"` and the like make a service fail; see `src/travel/bookings.py`."""
    return {
        "tripId": trip_id,
        "traveller": "Ann",
        "chaos": {name.replace("_", "-"): value for name, value in chaos.items()},
    }


@dataclass(slots=True)
class Agency(Client):
    """Asks for trips from one of the two stacks."""

    def start(self, wanted: Trip) -> str:
        """Start the state machine; the execution."""
        reply = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["TripSagaArn"], name=wanted["tripId"], input=json.dumps({"trip": wanted})
        )
        return str(reply["executionArn"])

    def request(self, wanted: Trip) -> None:
        """Tell the services that a trip is wanted."""
        entry = {
            "EventBusName": self.outputs["TripBusName"],
            "Source": "travel.trips",
            "DetailType": "Requested",
            "Detail": json.dumps({"trip": wanted}),
        }
        self.client("events").put_events(Entries=[entry])

    def executions(self) -> dict[str, str]:
        """The state of each conducted trip."""
        pages = self.client("stepfunctions").get_paginator("list_executions")
        found = pages.paginate(stateMachineArn=self.outputs["TripSagaArn"])
        return {each["name"]: each["status"] for page in found for each in page["executions"]}

    def way(self, execution: str) -> list[str]:
        """The states that an execution went through."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        entered = (event.get("stateEnteredEventDetails") for page in pages for event in page["events"])
        return [details["name"] for details in entered if details]

    def concluded(self) -> dict[str, str]:
        """How each danced trip ended."""
        return {item["tripId"]["S"]: item["status"]["S"] for item in self._scan("TripsTableName")}

    def bookings(self) -> dict[str, dict[str, str]]:
        """The status of each trip's bookings."""
        found: dict[str, dict[str, str]] = {}
        for service in SERVICES:
            for item in self._scan(f"{service.capitalize()}sTableName"):
                if "status" in item:
                    found.setdefault(item["tripId"]["S"], {})[service] = item["status"]["S"]
        return found

    def undone(self) -> list[dict[str, Any]]:
        """What lies on the person's list; it stays there."""
        reply = self.client("sqs").receive_message(
            QueueUrl=self.outputs["UndoneUrl"], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(message["Body"]) for message in reply.get("Messages", [])]

    def _scan(self, table: str) -> list[dict[str, Any]]:
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs[table])
        return [item for page in pages for item in page["Items"]]

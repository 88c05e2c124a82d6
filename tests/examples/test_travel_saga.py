"""Every way in which a trip can fail: no booking is left that is neither cancelled nor on a person's list."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.examples.stacks import deploy, until

ORDER = ("flight", "hotel", "car")
NEVER = 99
WAVE = 12
"""Trips that are under way at once."""

Chaos = dict[str, Any]
Ends = tuple[dict[str, dict[str, str]], set[tuple[str, str]]]
"""The status of each trip's bookings by service, and what a person has to cancel: trips and services."""


def every_chaos() -> Iterator[Chaos]:
    """No failure; each service's refusal, break before and break after it booked, with each outcome of each undoing."""
    yield {}
    for number, service in enumerate(ORDER):
        for how in ("sold out", "before", "after"):
            undone = ORDER[:number] if how == "sold out" else ORDER[: number + 1]
            for failures in itertools.product((0, 1, NEVER), repeat=len(undone)):
                cancels = {f"cancel-{name}": times for name, times in zip(undone, failures, strict=True) if times}
                yield {f"book-{service}": how, **cancels}


def expected(trips: dict[str, Chaos]) -> Ends:
    """What must be there in the end."""
    status: dict[str, dict[str, str]] = {}
    parked = set()
    for trip, chaos in trips.items():
        status[trip] = {}
        failing = next((name for name in ORDER if f"book-{name}" in chaos), None)
        for name in ORDER:
            how = chaos.get(f"book-{name}")
            if how == "sold out":
                break
            gives_up = chaos.get(f"cancel-{name}") == NEVER
            if failing is None or (gives_up and how != "before"):
                status[trip][name] = "BOOKED"
            elif not gives_up:
                status[trip][name] = "CANCELLED"
            if gives_up:
                parked.add((trip, name))
            if how is not None:
                break
    return status, parked


class Books:
    """What is in the services' tables and on the person's list."""

    def __init__(
        self, server: ServerProcess, outputs: dict[str, str], parked: Callable[[Any], tuple[str, str]]
    ) -> None:
        self._server = server
        self._outputs = outputs
        self._read = parked
        self._parked: set[tuple[str, str]] = set()
        self.letters: list[Any] = []

    def scan(self, table: str) -> list[dict[str, Any]]:
        pages = self._server.client("dynamodb").get_paginator("scan").paginate(TableName=self._outputs[table])
        return [item for page in pages for item in page["Items"]]

    def ends(self, trips: dict[str, Chaos]) -> Ends:
        found: dict[str, dict[str, str]] = {trip: {} for trip in trips}
        for service in ORDER:
            for item in self.scan(f"{service.capitalize()}sTableName"):
                if "status" in item:
                    found[item["tripId"]["S"]][service] = item["status"]["S"]
        return found, self.parked()

    def parked(self) -> set[tuple[str, str]]:
        sqs = self._server.client("sqs")
        request = {"QueueUrl": self._outputs["UndoneUrl"], "MaxNumberOfMessages": 10, "VisibilityTimeout": 43200}
        while messages := sqs.receive_message(**request).get("Messages"):
            bodies = [json.loads(message["Body"]) for message in messages]
            self.letters += bodies
            self._parked |= {self._read(body) for body in bodies}
        return self._parked


def all_trips() -> dict[str, Chaos]:
    return {f"trip-{number}": chaos for number, chaos in enumerate(every_chaos())}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_conducted_trip_is_booked_whole_or_undone_in_reverse(server: ServerProcess, tmp_path: Path) -> None:
    outputs = deploy(server, "travel-saga/template.yaml", tmp_path)
    states, trips = server.client("stepfunctions"), all_trips()
    executions: dict[str, str] = {}

    def under_way() -> Any:
        return states.list_executions(stateMachineArn=outputs["TripSagaArn"], statusFilter="RUNNING")["executions"]

    def wait_for_a_retry() -> bool:
        """Whether all that are under way do: no function must find that its time has passed."""
        return all(_last(states, each["executionArn"]) == "TaskFailed" for each in under_way())

    for wave in _waves(trips):
        for trip in wave:
            document = {"trip": {"tripId": trip, "traveller": "Ann", "chaos": trips[trip]}}
            executions[trip] = states.start_execution(
                stateMachineArn=outputs["TripSagaArn"], name=trip, input=json.dumps(document)
            )["executionArn"]
        until(server, lambda: not under_way(), seconds=5, stalled=wait_for_a_retry)
    books = Books(server, outputs, lambda letter: (letter["trip"]["tripId"], letter["service"]))
    assert books.ends(trips) == expected(trips)
    for trip, arn in executions.items():
        found = states.describe_execution(executionArn=arn)
        assert (found["status"], found.get("error")) == (
            ("FAILED", "TripFailed") if trips[trip] else ("SUCCEEDED", None)
        )
        undone = [name for name in _states(states, arn) if name.startswith("Cancel")]
        assert undone == sorted(undone, key=[f"Cancel{name.capitalize()}" for name in reversed(ORDER)].index)
    for letter in books.letters:
        assert letter["execution"] == executions[letter["trip"]["tripId"]]
        assert letter["refusal"]["Error"] == "Unreachable"
        assert letter["becauseOf"]["failure"]["Error"] in {"SoldOut", "Unreachable"}
        if letter["becauseOf"]["step"] != f"Book{letter['service'].capitalize()}":
            assert letter["booking"]["ticket"] == f"{letter['service']}-{letter['trip']['tripId']}"


def _states(states: Any, arn: str) -> list[str]:
    events = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def _last(states: Any, arn: str) -> str:
    return str(states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)["events"][0]["type"])


def _waves(trips: dict[str, Chaos]) -> Iterator[list[str]]:
    names = list(trips)
    for start in range(0, len(names), WAVE):
        yield names[start : start + WAVE]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_services_that_react_to_each_other_come_to_the_same_end(server: ServerProcess, tmp_path: Path) -> None:
    outputs = deploy(server, "travel-saga/choreography.yaml", tmp_path)
    events, trips = server.client("events"), all_trips()
    books = Books(server, outputs, lambda told: (_trip_of(told), _service_of(told)))
    done: dict[str, Chaos] = {}
    for wave in _waves(trips):
        for trip in wave:
            detail = {"trip": {"tripId": trip, "traveller": "Ann", "chaos": trips[trip]}}
            entry = {"Source": "travel.trips", "DetailType": "Requested", "Detail": json.dumps(detail)}
            events.put_events(Entries=[{"EventBusName": outputs["TripBusName"], **entry}])
            done[trip] = trips[trip]
        until(server, lambda: len(books.scan("TripsTableName")) == len(done), seconds=61)
    _, parked = expected(trips)
    until(server, lambda: books.parked() >= parked, seconds=1)
    assert books.ends(trips) == expected(trips)
    ended = {item["tripId"]["S"]: item["status"]["S"] for item in books.scan("TripsTableName")}
    assert ended == {trip: "FAILED" if chaos else "CONFIRMED" for trip, chaos in trips.items()}
    for told in books.letters:
        assert told["detail"]["requestContext"]["approximateInvokeCount"] == 3
        assert "refuses to cancel" in told["detail"]["responsePayload"]["errorMessage"]


def _trip_of(told: Any) -> str:
    while told["source"] == "lambda":
        told = told["detail"]["requestPayload"]
    return str(told["detail"]["trip"]["tripId"])


def _service_of(told: Any) -> str:
    arn = told["detail"]["requestContext"]["functionArn"]
    return next(name for name in ORDER if f"{name.capitalize()}Service" in arn)

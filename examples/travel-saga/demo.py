"""A trip is booked whole or not at all: conducted by a state machine, then as a choreography over a bus.

Run it with `python examples travel-saga`. It checks every claim that it prints.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from agency import SERVICES, Agency, Trip, trip
from server import Server
from story import PATIENCE, Claims, act, command, deploy, progress, say, start, tell

HERE = Path(__file__).parent
WAVE = 24
"""Trips of the wave in whose middle the server is killed."""
STALLED = 0.6
"""Seconds without progress, after which what is left waits for a later moment of the server's clock."""

TRIPS = {
    "sunny": "nothing fails",
    "no-flight": "the flight is sold out",
    "no-hotel": "the hotel is sold out",
    "no-car": "the car is sold out",
    "vague": "the car is booked, and the answer is lost",
    "stubborn": "no car; the hotel cancels at the third try",
    "stuck": "no car; the hotel never cancels",
}


def trips(prefix: str) -> dict[str, Trip]:
    """One trip of each kind."""
    return {
        "sunny": trip(f"{prefix}sunny"),
        "no-flight": trip(f"{prefix}no-flight", book_flight="sold out"),
        "no-hotel": trip(f"{prefix}no-hotel", book_hotel="sold out"),
        "no-car": trip(f"{prefix}no-car", book_car="sold out"),
        "vague": trip(f"{prefix}vague", book_car="after"),
        "stubborn": trip(f"{prefix}stubborn", book_car="sold out", cancel_hotel=2),
        "stuck": trip(f"{prefix}stuck", book_car="sold out", cancel_hotel=99),
    }


def settle(server: Server, title: str, goal: int, ended: Callable[[], int], *, step: int) -> bool:
    """Wait until so many trips have ended; where nothing moves, the clock is moved to the next retry."""
    deadline, last, moved = time.monotonic() + PATIENCE, -1, time.monotonic()
    with progress(title, {"ended": goal}) as update:
        while time.monotonic() < deadline:
            now = ended()
            update({"ended": now})
            if now >= goal:
                return True
            if now != last:
                last, moved = now, time.monotonic()
            elif time.monotonic() - moved > STALLED:
                server.advance(step)
                moved = time.monotonic()
            time.sleep(0.05)
    return False


def over(agency: Agency) -> int:
    """How many conducted trips have ended."""
    return sum(status != "RUNNING" for status in agency.executions().values())


def left_behind(agency: Agency, failed: set[str]) -> set[tuple[str, str]]:
    """Bookings of failed trips that nobody cancelled."""
    return {
        (name, service)
        for name, services in agency.bookings().items()
        for service, status in services.items()
        if name in failed and status == "BOOKED"
    }


# -- the story ------------------------------------------------------------------------------------------------------


def story(server: Server, claims: Claims) -> None:
    """All of it."""
    act(1, "A state machine conducts: flight, hotel, car, and back")
    start(server)
    saga = Agency(server.endpoint, deploy(server, HERE / "template.yaml", "saga"))
    conducted(saga, server, claims)
    crash(saga, server, claims)
    act(3, "The same without a conductor: each service reacts to what the others tell")
    dance = Agency(server.endpoint, deploy(server, HERE / "choreography.yaml", "dance"))
    danced(dance, server, claims)


def conducted(agency: Agency, server: Server, claims: Claims) -> None:
    """One trip of each kind."""
    executions = {kind: agency.start(wanted) for kind, wanted in trips("").items()}
    settle(server, "booking and undoing", len(executions), lambda: over(agency), step=11)
    ways = {kind: agency.way(execution) for kind, execution in executions.items()}
    for kind, way in ways.items():
        say(f"[bold]{kind:9}[/] {TRIPS[kind]}\n   {' › '.join(way[1:])}")
    bookings = agency.bookings()
    claims.add(
        "a trip without failures is booked",
        ", ".join(f"{service} {status}" for service, status in bookings["sunny"].items()),
        holds=agency.executions()["sunny"] == "SUCCEEDED" and set(bookings["sunny"].values()) == {"BOOKED"},
    )
    undone = {kind: [state for state in way if state.startswith("Cancel")] for kind, way in ways.items()}
    claims.add(
        "each failure undoes what was booked, in reverse",
        f"no-hotel: {undone['no-hotel']}; no-car: {undone['no-car']}",
        holds=undone["no-flight"] == []
        and undone["no-hotel"] == ["CancelFlight"]
        and undone["no-car"] == ["CancelHotel", "CancelFlight"],
    )
    claims.add(
        "what may have been booked is undone too",
        f"vague: {undone['vague']}; the car is {bookings['vague']['car']}",
        holds=undone["vague"] == ["CancelCar", "CancelHotel", "CancelFlight"]
        and bookings["vague"]["car"] == "CANCELLED",
    )
    claims.add(
        "a compensation that fails is tried again",
        f"stubborn: the hotel is {bookings['stubborn']['hotel']} at the third try",
        holds=bookings["stubborn"] == {"flight": "CANCELLED", "hotel": "CANCELLED"},
    )
    parked = agency.undone()
    letter = parked[0] if parked else {}
    claims.add(
        "one that never succeeds is parked for a person, and the rest undone",
        f"{letter.get('task')}: {letter.get('booking', {}).get('ticket')}, {letter.get('attempts')} attempts",
        holds=len(parked) == 1
        and letter["booking"]["ticket"] == "hotel-stuck"
        and letter["execution"] == executions["stuck"]
        and bookings["stuck"] == {"flight": "CANCELLED", "hotel": "BOOKED"},
    )
    claims.show("What became of them")


def crash(agency: Agency, server: Server, claims: Claims) -> None:
    """A wave in whose middle the server is killed."""
    act(2, f"{WAVE} more trips, and in the middle of them: kill -9")
    before = len(agency.executions())
    kinds = [kind for kind in TRIPS if kind != "stuck"]
    wave = [trips(f"w{number}-")[kinds[number % len(kinds)]] for number in range(WAVE)]
    for wanted in wave:
        agency.start(wanted)
    running = WAVE - (over(agency) - before)
    pid = server.process.pid if server.process else 0
    server.kill()
    command(f"kill -9 {pid}")
    say(f"{running} trips were under way")
    start(server)
    done = settle(server, "booking and undoing", before + WAVE, lambda: over(agency), step=11)
    states = agency.executions()
    failed = {wanted["tripId"] for wanted in wave if states[wanted["tripId"]] == "FAILED"}
    sunny = {wanted["tripId"] for wanted in wave if not wanted["chaos"]}
    bookings = agency.bookings()
    whole = sum(set(bookings[name].values()) == {"BOOKED"} and len(bookings[name]) == len(SERVICES) for name in sunny)
    left = left_behind(agency, failed)
    claims.add(
        "every trip went on where it was, and ended",
        f"{whole} booked whole, {len(failed)} undone, {running} were under way at the kill",
        holds=done and whole == len(sunny) and len(failed) == WAVE - len(sunny),
    )
    claims.add("no booking of a failed trip is left", f"{len(left)} left", holds=not left)
    claims.show("What the kill cost")


def danced(agency: Agency, server: Server, claims: Claims) -> None:
    """One trip of each kind, by choreography."""
    say("Lambda waits 1 minute, then 2, before it repeats what failed; the clock is moved")
    wanted = trips("")
    for each in wanted.values():
        agency.request(each)
    done = settle(server, "reacting", len(wanted), lambda: len(agency.concluded()), step=61)
    ended, bookings = agency.concluded(), agency.bookings()
    failed = {name for name, status in ended.items() if status == "FAILED"}
    claims.add(
        "the trips came to the same ends",
        f"{len(ended) - len(failed)} confirmed, {len(failed)} failed",
        holds=done and failed == wanted.keys() - {"sunny"} and set(bookings["sunny"].values()) == {"BOOKED"},
    )
    left, parked = left_behind(agency, failed), agency.undone()
    told = parked[0]["detail"] if parked else {}
    claims.add(
        "what is left is on the person's list, with the request, the error and the tries",
        f"{told.get('requestContext', {}).get('approximateInvokeCount')} tries: "
        f"{told.get('responsePayload', {}).get('errorMessage')}",
        holds=left == {("stuck", "hotel")} and len(parked) == 1 and "hotel-stuck" in str(told["responsePayload"]),
    )
    claims.show("What became of them")


NEXT_STEPS = (
    ("run it; then edit a file below src, and see it redeployed", "up examples/travel-saga/template.yaml"),
    ("what is on the person's list", "dlq list"),
)

if __name__ == "__main__":
    sys.exit(tell(story, NEXT_STEPS, "Both patterns, and when to use which: docs/guides/workflows.md"))

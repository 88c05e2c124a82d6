"""Pictures, fanned out and in again: by a state machine, and by a queue and a counted table.

Run it with `python examples fan-out`. It checks every claim that it prints.
"""

from __future__ import annotations

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from album import Album
from server import Server
from story import PATIENCE, Claims, act, command, deploy, progress, say, start, tell, until

HERE = Path(__file__).parent
PICTURES = 40
BAD = "notes.txt"
"""A file that is no picture."""
RACES = 12
"""Albums whose last pictures are finished by all workers at once."""


def story(server: Server, claims: Claims) -> None:
    """All of it."""
    act(1, f"A state machine: a Map over {PICTURES + 1} files, ten at a time, each by three functions at once")
    start(server)
    conducted(Album(server.endpoint, deploy(server, HERE / "template.yaml", "fan-out")), claims)
    act(2, "The same without one: a message for each file, and a table that counts")
    album = Album(server.endpoint, deploy(server, HERE / "fan-in.yaml", "fan-in"))
    counted(album, server, claims)
    act(3, f"{RACES} albums of two pictures, each handled by eight workers at the same moment")
    raced(album, claims)


def prepare(album: Album) -> tuple[list[str], int]:
    """Pictures, and one file that is none; the names, and the words in all pictures."""
    names = album.put_all(PICTURES)
    album.put(BAD, b"remember the milk")
    return [*names, BAD], sum(1 + len(str(number)) for number in range(PICTURES))


def conducted(album: Album, claims: Claims) -> None:
    """The state machine."""
    names, words = prepare(album)
    begun = time.monotonic()
    album.complete("holidays", names)
    until(lambda: bool(album.execution("holidays")))
    execution = album.execution("holidays")
    states = album.client("stepfunctions")
    ended = until(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")
    say(f"{len(names)} files, {3 * PICTURES} results in {time.monotonic() - begun:.1f} s")
    report = album.report("holidays")
    claims.add(
        "the report has every picture, and the bad file spoils only its own",
        str(report),
        holds=ended and report == {"pictures": PICTURES, "failed": 1, "words": words},
    )
    most = album.at_once(execution)
    claims.add("ten at a time, and no more", f"{most} iterations at once, at the most", holds=most == 10)
    claims.show("What became of them")


def counted(album: Album, server: Server, claims: Claims) -> None:
    """The queue and the table, with duplicates and a kill."""
    names, words = prepare(album)
    album.complete("holidays", names)
    again = random.Random(5).sample(range(len(names)), len(names) // 2)
    album.send_again("holidays", names, again)
    say(f"{len(names)} messages, and {len(again)} of them once more")
    if server.process is not None:
        command(f"kill -9 {server.process.pid}")
    server.kill()
    start(server)
    deadline, moved = time.monotonic() + PATIENCE, time.monotonic()
    total = len(names) + len(again)
    with progress("handling", {"messages": total}) as update:
        while ((left := album.waiting()) or not album.report("holidays")) and time.monotonic() < deadline:
            update({"messages": total - left})
            if time.monotonic() - moved > 3:  # what the kill interrupted comes again after the visibility timeout
                server.advance(181)
                moved = time.monotonic()
            time.sleep(0.05)
        update({"messages": total - album.waiting()})
    report = album.report("holidays")
    claims.add(
        "each picture counts once, however often it comes, and the kill costs none",
        str(report),
        holds=report == {"pictures": PICTURES, "failed": 1, "words": words},
    )
    until(lambda: bool(album.log("holidays is finished")))
    finished = album.log("holidays is finished")
    claims.add("exactly one final step", f"{len(finished)} worker finished the album", holds=len(finished) == 1)
    claims.show("What became of them")


def raced(album: Album, claims: Claims) -> None:
    """Workers that all end at the same moment, with duplicates."""
    names = album.put_all(2)
    with ThreadPoolExecutor(8) as workers:
        for number in range(RACES):
            name = f"race-{number}"
            update = {"album": {"S": name}, "expected": {"N": "2"}}
            album.client("dynamodb").put_item(TableName=album.outputs["AlbumsTableName"], Item=update)
            list(workers.map(lambda index, name=name: album.deliver(name, names, index % 2), range(8)))
    reports = sum(album.report(f"race-{number}").get("pictures") == 2 for number in range(RACES))
    until(lambda: len(album.log("is finished")) > RACES)
    wins = [line for line in album.log("is finished") if "race-" in line]
    lost = len(album.log("was finished by another"))
    claims.add(
        "exactly one worker finishes each",
        f"{reports} reports by {len(wins)} workers; {lost} times another one was first",
        holds=reports == RACES and len(wins) == len(set(wins)) == RACES,
    )
    claims.show("Who finished them")


NEXT_STEPS = (
    ("run it; then edit a file below src, and see it redeployed", "up examples/fan-out/fan-in.yaml"),
    ("see what the workers say", "logs Worker"),
)

if __name__ == "__main__":
    sys.exit(tell(story, NEXT_STEPS, "Both patterns, and when to use which: docs/guides/workflows.md"))

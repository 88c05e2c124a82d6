"""Pictures, fanned out and in: every picture has its result, and exactly one final step is taken."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.examples.stacks import EXAMPLES, deploy, until

PICTURES = 23
WORDS = sum(1 + len(str(number)) for number in range(PICTURES))
ROUNDS = 6
WORKERS = 6


@pytest.fixture(scope="module")
def make_album() -> Callable[..., Any]:
    """The example's own client."""
    spec = importlib.util.spec_from_file_location("fan_out_album", EXAMPLES / "fan-out" / "album.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.append(str(EXAMPLES))  # what the examples share
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    made: Callable[..., Any] = module.Album
    return made


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_map_handles_ten_files_at_a_time_and_a_bad_one_spoils_only_its_own(
    server: ServerProcess, tmp_path: Path, make_album: Callable[..., Any]
) -> None:
    album = make_album(server.endpoint, deploy(server, "fan-out/template.yaml", tmp_path))
    names = album.put_all(PICTURES)
    album.put("notes.txt", b"remember the milk")
    album.complete("holidays", [*names, "notes.txt", "gone.png"])
    until(server, lambda: album.execution("holidays"), seconds=0)
    execution = album.execution("holidays")
    states = server.client("stepfunctions")
    until(server, lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING", seconds=0)
    assert album.report("holidays") == {"pictures": PICTURES, "failed": 2, "words": WORDS}
    assert album.at_once(execution) == 10
    results = json.loads(states.describe_execution(executionArn=execution)["output"])
    assert [result["file"] for result in results] == [*names, "notes.txt", "gone.png"]
    assert results[7]["metadata"] == {
        "width": 80,
        "height": 60,
        "channels": 3,
        "author": "Ann",
        "bytes": len_of(album, names[7]),
    }
    assert results[7]["thumbnail"] == {"name": f"thumbnails/{names[7]}", "width": 27, "height": 20}
    assert results[7]["text"] == {"text": "picture 7", "words": 2}
    assert [result["error"] for result in results[-2:]] == ["NoPictureError", "NoFileError"]


def len_of(album: Any, name: str) -> int:
    """Bytes of a file."""
    length: int = album.client("s3").head_object(Bucket=album.outputs["FilesBucketName"], Key=name)["ContentLength"]
    return length


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_worker_finishes_an_album_however_many_end_at_once_and_however_often_messages_come(
    server: ServerProcess, tmp_path: Path, make_album: Callable[..., Any]
) -> None:
    album = make_album(server.endpoint, deploy(server, "fan-out/fan-in.yaml", tmp_path))
    names = [*album.put_all(PICTURES), "gone.png"]
    album.complete("holidays", names)
    album.send_again("holidays", names, range(0, len(names), 2))
    until(server, lambda: album.report("holidays"), seconds=0)
    album.send_again("holidays", names, range(1, len(names), 3))
    until(server, lambda: not album.waiting(), seconds=0)
    assert album.report("holidays") == {"pictures": PICTURES, "failed": 1, "words": WORDS}
    with ThreadPoolExecutor(WORKERS) as workers:
        for number in range(ROUNDS):
            race(album, f"race-{number}", names[:2], workers)
    until(server, lambda: len(album.log("is finished")) > ROUNDS, seconds=0)
    finished = album.log("is finished")
    assert len(finished) == len(set(finished)) == ROUNDS + 1, "an album was finished twice"


def race(album: Any, name: str, names: list[str], workers: ThreadPoolExecutor) -> None:
    """An album of two pictures, each of which several workers handle at the same moment."""
    row = {"album": {"S": name}, "expected": {"N": "2"}}
    album.client("dynamodb").put_item(TableName=album.outputs["AlbumsTableName"], Item=row)
    list(workers.map(lambda index: album.deliver(name, names, index % 2), range(WORKERS)))
    assert album.report(name)["pictures"] == 2


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_that_died_before_the_final_step_is_made_up_for(
    server: ServerProcess, tmp_path: Path, make_album: Callable[..., Any]
) -> None:
    """It had counted its picture; the message comes again, counts no second time, and finishes the album."""
    album = make_album(server.endpoint, deploy(server, "fan-out/fan-in.yaml", tmp_path))
    names = album.put_all(1)
    row = {"album": {"S": "a"}, "expected": {"N": "1"}, "done": {"NS": ["0"]}}
    album.client("dynamodb").put_item(TableName=album.outputs["AlbumsTableName"], Item=row)
    assert album.deliver("a", names, 0) == {"batchItemFailures": []}
    assert album.report("a") == {"pictures": 1, "failed": 0, "words": 2}

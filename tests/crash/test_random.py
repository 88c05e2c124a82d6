"""SIGKILL at random under load, again and again on the same data: nothing that was acknowledged is ever lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from tests.conftest import ServerProcess
from tests.crash.functions import handled, prepare_mapping
from tests.crash.ledger import ALL, Ledger, Load, prepare, send, verify

NewServer = Callable[..., ServerProcess]


def kill_again_and_again(new_server: NewServer, kills: int, dice: random.Random) -> None:
    """Work, kill after a random number of acknowledged things, start again, look; all on one data folder."""
    server = new_server()
    places = prepare(server)
    ledger = Ledger()
    for _ in range(kills):
        load = Load(server, places, ledger, ALL)
        enough = ledger.after(ledger.total + dice.randint(1, 400))
        assert enough.wait(timeout=60), "the load did not get through"
        server.kill()
        load.join()
        server.start()
        verify(server, places, ledger)
        ledger.forget_received()


@pytest.mark.slow
def test_nothing_is_lost_when_the_server_is_killed_under_load(new_server: NewServer) -> None:
    kill_again_and_again(new_server, 2, random.Random(3))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_when_the_server_is_killed_many_times(new_server: NewServer, seed: int) -> None:
    kill_again_and_again(new_server, 8, random.Random(seed))


@pytest.mark.slow
def test_every_message_reaches_its_function_however_often_the_server_is_killed(new_server: NewServer) -> None:
    """A batch that was being handled is delivered again when its messages become visible."""
    server = new_server()
    places = prepare_mapping(server)
    sent: set[str] = set()
    for kill in range(3):
        ledger = Ledger()
        load = Load(server, places, ledger, (send,))
        assert ledger.after(20 + 15 * kill).wait(timeout=60), "the load did not get through"
        server.kill()
        load.join()
        sent |= ledger.messages
        server.start()
    server.post("/_fogbank/clock", {"seconds": 31})  # what was being handled becomes visible
    handled(server, places, sent)


@pytest.mark.slow
def test_a_moved_clock_stays_moved(new_server: NewServer) -> None:
    """What was stored by it would else lie in the future: a message would be hidden for as long as it was moved."""
    server = new_server()
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    moved = server.post("/_fogbank/clock", {"seconds": 3600})["time"]
    assert sqs.receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"]
    server.kill()
    server.start()
    assert server.post("/_fogbank/clock", {"seconds": 60})["time"] >= moved + 60
    assert server.client("sqs").receive_message(QueueUrl=url)["Messages"]

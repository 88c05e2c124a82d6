"""SIGKILL at random under load, again and again on the same data: nothing that was acknowledged is ever lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from tests.conftest import ServerProcess
from tests.crash.ledger import ALL, Ledger, Load, prepare, verify

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


def test_nothing_is_lost_when_the_server_is_killed_under_load(new_server: NewServer) -> None:
    kill_again_and_again(new_server, 2, random.Random(3))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_when_the_server_is_killed_many_times(new_server: NewServer, seed: int) -> None:
    kill_again_and_again(new_server, 10, random.Random(seed))

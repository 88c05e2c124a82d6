"""`fogbank tune` against a real function."""

from __future__ import annotations

import pytest
from tests.conftest import ServerProcess
from tests.services.test_cli import Fogbank, fogbank, make_function

from fogbank.cli.failures import Exit

__all__ = ["fogbank"]

BURNS = """
import time

def handler(event, context):
    begin = time.process_time()
    while time.process_time() - begin < 0.02:
        pass
    return context.memory_limit_in_mb
"""


@pytest.mark.slow
def test_little_memory_is_a_small_share_of_a_processor(server: ServerProcess, fogbank: Fogbank) -> None:
    """20 ms of processor time at 128 MB (0.072 of one) take at least 200 ms; its configuration stays as it is."""
    make_function(server, "burns", BURNS, MemorySize=256)
    printed = fogbank("tune", "burns", "--memory", "128,1769", "--runs", "2", "--json")
    assert printed.code == Exit.DONE
    small, whole = printed.document["sizes"]
    assert (small["memory"], whole["memory"]) == (128, 1769)
    assert small["duration"] > 200
    assert small["init"] is not None
    assert whole["x86"] > whole["arm"]
    assert printed.document["recommended"] in (128, 1769)
    assert server.client("lambda").get_function_configuration(FunctionName="burns")["MemorySize"] == 256
    assert "lambda" not in fogbank("cost", "--json").document["services"]
    shown = fogbank("tune", "burns", "--memory", "1769", "--runs", "1").out
    assert "◀ recommended" in shown
    assert "cannot tell" in shown


@pytest.mark.slow
def test_a_function_that_fails_at_every_size_has_no_recommendation(server: ServerProcess, fogbank: Fogbank) -> None:
    """Exit code 1, with the kind of the error."""
    make_function(server, "fails", "def handler(event, context):\n    raise ValueError('no')\n")
    printed = fogbank("tune", "fails", "--memory", "128", "--runs", "1", "--json")
    assert printed.code == Exit.FAILED
    assert printed.document["recommended"] is None
    assert printed.document["sizes"][0]["errors"] == ["ValueError"]


def test_what_is_wrong_is_said(server: ServerProcess, fogbank: Fogbank) -> None:
    """Sizes that Lambda does not have, a function that is not there, a payload that is no JSON."""
    assert fogbank("tune", "f", "--memory", "64", "--json").code == Exit.USAGE
    assert fogbank("tune", "f", "--memory", "much", "--json").code == Exit.USAGE
    assert fogbank("tune", "nothing", "--json").code == Exit.NOT_FOUND
    assert fogbank("tune", "f", "{", "--json").code == Exit.INVALID

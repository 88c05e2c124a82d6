"""Examples, deployed from their templates as a person would."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import ServerProcess
from tests.services.stacks import CAPABILITIES, create, reasons

from fogbank.templates.build import build

EXAMPLES = Path(__file__).parents[2] / "examples"


def deploy(server: ServerProcess, template: str, folder: Path) -> dict[str, str]:
    """Deploy a template below `examples`; its outputs. What is built goes to `folder`."""
    built = build(EXAMPLES / template, output=folder)
    client = server.client("cloudformation")
    stack = create(client, "example", built.body, Capabilities=CAPABILITIES)
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "example")
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def until(
    server: ServerProcess, condition: Callable[[], Any], *, seconds: float, stalled: Callable[[], bool] = lambda: True
) -> None:
    """Wait until a condition is true; while nothing but time is missing (`stalled`), the server's clock is moved."""
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return
        pause.wait(0.1)
        if stalled():
            server.post("/_fogbank/clock", {"seconds": seconds})
    raise AssertionError("it never came true")

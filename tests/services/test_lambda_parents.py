"""What a prepared parent holds: nothing that environments could share by mistake, whatever functions did before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.services.environments import Make, run

from fogbank.runtime import Runtime

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKS = """
import builtins, boto3, json, logging, os, random, signal, socket, sys, threading, urllib3, uuid
builtins.left_behind = json.left_behind = boto3.left_behind = urllib3.left_behind = "secret"
os.environ["LEFT_BEHIND"] = "secret"
sys.path.append("/left/behind")
logging.getLogger().setLevel(logging.CRITICAL)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
boto3.setup_default_session(region_name="eu-north-1")
open(os.environ["TMPDIR"] + "/left-behind", "w").close()
kept = [socket.create_server(("127.0.0.1", 0)), open("/dev/zero"), os.pipe()]
threading.Thread(target=threading.Event().wait, daemon=True).start()
def handler(event, context):
    return os.getppid()
"""
LOOKS = """
import builtins, boto3, json, logging, os, signal, sys, threading, urllib3
modules = (builtins, json, boto3, urllib3)
descriptors = {name: os.readlink("/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd")
               if os.path.exists("/proc/self/fd/" + name)}
def handler(event, context):
    return {
        "modules": [module.__name__ for module in modules if hasattr(module, "left_behind")],
        "variable": os.environ.get("LEFT_BEHIND"),
        "path": "/left/behind" in sys.path,
        "level": logging.getLogger().level,
        "signal": signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL,
        "session": boto3.DEFAULT_SESSION is None,
        "files": os.listdir(os.environ["TMPDIR"]),
        "threads": len(os.listdir("/proc/self/task")),
        "main": [name for name in vars(sys.modules["__main__"]) if not name.startswith("__")],
        "ours": [name for name in ("zygote", "snapshot", "main") if name in sys.modules],
        "descriptors": descriptors,
    }
"""


def held_by(pid: int) -> dict[str, Any]:
    """The threads and descriptors of a process."""
    process = Path(f"/proc/{pid}")
    descriptors = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
    return {"threads": len(list((process / "task").iterdir())), "descriptors": descriptors}


async def test_nothing_of_one_function_reaches_the_next(runtime: Runtime, make: Make) -> None:
    for _ in range(2):
        await run(runtime, make(MARKS))
    found = await run(runtime, make(LOOKS))
    descriptors = found.pop("descriptors")
    assert found == {
        "modules": [],
        "variable": None,
        "path": False,
        "level": 30,
        "signal": True,
        "session": True,
        "files": [],
        "threads": 1,
        "main": [],
        "ours": [],
    }
    beside = [what.partition(":")[0] for number, what in descriptors.items() if number not in ("0", "1", "2")]
    assert descriptors["0"] == "/dev/null"
    assert descriptors["1"] == descriptors["2"], "its own output"
    assert sorted(beside) == ["/dev/null", "socket"], "its standard input, and its connection to the Runtime API"


async def test_a_parent_has_one_thread_and_one_socket(runtime: Runtime, make: Make) -> None:
    """After functions with threads and sockets of their own, it has those that it began with."""
    parent = await run(runtime, make(MARKS))
    held = held_by(parent)
    assert held["threads"] == 1
    kinds = sorted(what.partition(":")[0] for what in held["descriptors"] if not what.startswith("/"))
    assert kinds.count("socket") == 1, "the one to Fogbank"
    files = {what for what in held["descriptors"] if what.startswith("/") and what != "/dev/null"}
    assert not [what for what in files if "left" in what or "zero" in what or "tasks" in what]

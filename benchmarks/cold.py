"""How fast environments start, and what idle ones weigh: rows that only Fogbank has, with what is known of the cloud.

The figures of AWS are those that its users publish for small functions; they are of another machine, and stand there
for the order of magnitude.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import expect
from benchmarks.peers import Running, tree
from benchmarks.wire import Connection, rest_request
from benchmarks.workloads import ROLE, TRIVIAL, client, zipped

CLOUD = (
    ("Python", 60, 300),
    ("Node.js", 45, 250),
    ("Java with SnapStart", 150, 500),
)
"""Cold starts on AWS: runtime, median and p99 in milliseconds."""
SAMPLES = 50
IDLE = 1_000
_ENDING = "    if event.get('end'):\n        os._exit(1)\n    return {'ok': True}\n"
_IMPORT = f"import os, time\ntime.sleep(1)  # as long as a large library takes\ndef handler(event, context):\n{_ENDING}"


def snap_start(server: Running) -> list[float]:
    """Seconds of an event's first invocation in an environment that is restored; each is ended before the next."""
    lambda_ = client(server, "lambda")
    lambda_.create_function(
        FunctionName="snapped",
        Runtime="python3.12",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zipped(_IMPORT)},
        SnapStart={"ApplyOn": "PublishedVersions"},
        Publish=True,
    )
    _until(lambda: lambda_.get_function_configuration(FunctionName="snapped", Qualifier="1")["State"] == "Active")
    path = "/2015-03-31/functions/snapped/invocations?Qualifier=1"
    event = rest_request(server.endpoint, "lambda", "POST", path, b"{}")
    end = rest_request(server.endpoint, "lambda", "POST", path, json.dumps({"end": True}).encode())

    async def measure() -> list[float]:
        connection = await Connection.open(server.endpoint)
        found = []
        for _ in range(SAMPLES):
            before = time.perf_counter()
            await expect(connection, event)
            found.append(time.perf_counter() - before)
            await expect(connection, end)
        connection.close()
        return found

    return asyncio.run(measure())


def idle_memory(server: Running) -> float:
    """Bytes of private memory of an idle environment, the first process of its sandbox included: a thousand's mean."""
    lambda_ = client(server, "lambda")
    before = set(tree(server.pid))
    lambda_.create_function(
        FunctionName="idle",
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zipped(TRIVIAL)},
        Publish=True,
    )
    lambda_.put_provisioned_concurrency_config(FunctionName="idle", Qualifier="1", ProvisionedConcurrentExecutions=IDLE)
    _until(lambda: lambda_.get_provisioned_concurrency_config(FunctionName="idle", Qualifier="1")["Status"] == "READY")
    sizes = [_private(pid) for pid in tree(server.pid) if pid not in before]
    lambda_.delete_function(FunctionName="idle")
    return sum(sizes) / IDLE


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.2)


def _private(pid: int) -> int:
    """Source: proc_pid_smaps(5)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))

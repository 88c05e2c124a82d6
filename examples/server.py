"""The demo's own Fogbank: started, killed and started again by its command, as a person would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOGBANK = [sys.executable, "-m", "fogbank"]
"""The `fogbank` command of the environment that runs the demo."""


class CommandError(Exception):
    """A fogbank command failed; the message is what it printed."""


@dataclass(slots=True)
class Server:
    """`fogbank start` on a data folder. The port is chosen at the first start and kept for the next."""

    data: Path
    port: int = 0
    endpoint: str = ""
    process: subprocess.Popen[str] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.data.parent / "server.log"

    def start(self) -> float:
        """Start, and wait for the ready line; the seconds that it took."""
        begun = time.monotonic()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*FOGBANK, "start", "--port", str(self.port), "--data", str(self.data)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready on "):
            self.process.wait()
            raise CommandError(self.log.read_text() or "fogbank start ended without a word")
        self.endpoint = line.removeprefix("ready on ").strip()
        self.port = int(self.endpoint.rpartition(":")[2])
        return time.monotonic() - begun

    def kill(self) -> None:
        """kill -9: no warning, nothing is flushed."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self._gone()

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        return self._gone()

    def _gone(self) -> int:
        assert self.process is not None
        code = self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def run(self, *command: str) -> Any:
        """Run another fogbank command against this server; its JSON."""
        done = subprocess.run(
            [*FOGBANK, "--json", "--endpoint", self.endpoint, *command], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandError(done.stderr.strip() or done.stdout.strip())
        return json.loads(done.stdout.splitlines()[-1])

    def advance(self, seconds: float) -> None:
        """Move the server's clock forward."""
        body = json.dumps({"seconds": seconds}).encode()
        request = urllib.request.Request(f"{self.endpoint}/_fogbank/clock", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=30) as reply:
            reply.read()

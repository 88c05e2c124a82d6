"""A server of `fogbank up`'s own: a child process with the `start` command."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from fogbank.cli.failures import Exit, Failure
from fogbank.core.config import is_loopback

_READY = "ready on "
_STOP_PATIENCE = 60


class ServerChild:
    """Starts a server for an endpoint, and stops it. Its own Ctrl-C is kept from it: its parent stops it in order."""

    def __init__(self, endpoint: str, data: Path | None) -> None:
        parts = urlsplit(endpoint)
        host = parts.hostname or "127.0.0.1"
        if not is_loopback(host):
            raise Failure(
                Exit.UNREACHABLE,
                f"no server answers at {endpoint}, and a server on another machine cannot be started from here",
                where="--endpoint",
                do="start it there with: fogbank start --host … --auth verify",
            )
        self._command = [sys.executable, "-m", "fogbank", "start", "--host", host]
        if parts.port is not None:
            self._command += ["--port", str(parts.port)]
        if data is not None:
            self._command += ["--data", str(data)]
        self._process: subprocess.Popen[str] | None = None
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `stop`

    def start(self) -> str:
        """Start, and wait until it is ready; its URL. `Failure` has its words if it does not start."""
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self._command, stdout=subprocess.PIPE, stderr=self._log, text=True, start_new_session=True
        )
        if self._process.stdout is None:
            raise TypeError("a pipe was asked for")
        line = self._process.stdout.readline()
        if line.startswith(_READY):
            return line.removeprefix(_READY).strip()
        code = self._process.wait()
        raise self._why(code)

    def _why(self, code: int) -> Failure:
        self._log.seek(0)
        lines = {key: value for key, _, value in (line.partition(": ") for line in self._log.read().splitlines())}
        what = lines.get("error", f"the server ended with {code}")
        return Failure(
            Exit(code) if code in {each.value for each in Exit} else Exit.FAILED,
            what,
            where=lines.get("where", "").strip() or None,
            do=lines.get("do", "").strip() or None,
        )

    @property
    def running(self) -> bool:
        """Whether it is there still."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """SIGTERM, and wait until it has finished what it accepted."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=_STOP_PATIENCE)
            if self._process.stdout is not None:
                self._process.stdout.close()
        self._log.close()

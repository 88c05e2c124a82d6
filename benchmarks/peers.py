"""The servers that are measured: each from PyPI in an environment of its own, each started fresh for a run."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wire import Endpoint

ENVIRONMENTS = Path(__file__).parent.parent / ".cache" / "bench"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Peer:
    """How a server is had and started."""

    name: str
    requirement: str | None
    command: tuple[str, ...]
    """`{port}`, `{data}` and `{bin}` are filled in."""
    environment: tuple[tuple[str, str], ...] = ()
    probe: str = "/"
    setup: tuple[str, str] | None = None
    """A path and a JSON document that is posted there first."""


FOGBANK = Peer(
    "Fogbank",
    None,
    (sys.executable, "-m", "fogbank", "start", "--port", "{port}", "--data", "{data}", "--max-environments", "1200"),
    probe="/_fogbank/health",
)
UNSEEN = Peer("without telemetry", None, (*FOGBANK.command, "--no-telemetry"), probe=FOGBANK.probe)
"""Fogbank once more: what telemetry costs is the difference."""
MINISTACK = Peer(
    "MiniStack",
    "ministack",
    # its own command binds to every address; this is the same server on loopback
    ("{bin}/hypercorn", "ministack.app:app", "-b", "127.0.0.1:{port}"),
    (
        ("GATEWAY_PORT", "{port}"),
        ("LAMBDA_EXECUTOR", "local"),
        ("IOT_MTLS_ENABLED", "0"),
        ("SFTP_ENABLED", "0"),
        ("PATH", "{bin}:" + os.environ["PATH"]),
    ),
    probe="/_localstack/health",
)
MOTO = Peer(
    "Moto",
    "moto[server]",
    ("{bin}/moto_server", "-H", "127.0.0.1", "-p", "{port}"),
    probe="/moto-api/data.json",
    # without it executions stay RUNNING: https://docs.getmoto.org/en/latest/docs/services/stepfunctions.html
    setup=("/moto-api/config", '{"stepfunctions": {"execute_state_machine": true}}'),
)
PEERS = (FOGBANK, MINISTACK, MOTO)


@dataclass(frozen=True, slots=True)
class Running:
    """A peer under way."""

    peer: Peer
    endpoint: Endpoint
    pid: int
    ready_after: float

    def cpu(self) -> float:
        """Seconds of processor time that the server and all its descendants, ended ones included, have used."""
        return sum(_cpu(pid) for pid in tree(self.pid))

    def memory(self) -> int:
        """Bytes of memory that the server and all its descendants hold."""
        return sum(_memory(pid) for pid in tree(self.pid))


@contextlib.contextmanager
def start(peer: Peer) -> Iterator[Running]:
    """Start a peer in a fresh folder, wait until it answers, and end it with all its descendants."""
    binaries = _install(peer)
    with tempfile.TemporaryDirectory(prefix="fogbank-bench-", ignore_cleanup_errors=True) as data:
        port = _free_port()
        fill = {"port": str(port), "data": f"{data}/data", "bin": str(binaries)}
        before = time.perf_counter()
        with Path(data, "log").open("wb") as log:
            process = subprocess.Popen(
                [part.format(**fill) for part in peer.command],
                env=os.environ | {name: value.format(**fill) for name, value in peer.environment},
                stdout=log,
                stderr=log,
                cwd=data,
                start_new_session=True,
            )
            try:
                _wait(process, f"http://127.0.0.1:{port}{peer.probe}")
                ready = time.perf_counter() - before
                if peer.setup is not None:
                    path, document = peer.setup
                    _post(f"http://127.0.0.1:{port}{path}", document)
                yield Running(peer, Endpoint("127.0.0.1", port), process.pid, ready)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def _install(peer: Peer) -> Path:
    if peer.requirement is None:
        return Path(sys.executable).parent
    folder = ENVIRONMENTS / peer.name.lower()
    if not (folder / ".installed").exists():
        print(f"installing {peer.requirement} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, peer.requirement], check=True)
        (folder / ".installed").touch()
    return folder / "bin"


def _post(url: str, document: str) -> None:
    request = urllib.request.Request(url, document.encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it answered")
        try:
            urllib.request.urlopen(url, timeout=2).read()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{url} did not answer within a minute")


def tree(root: int) -> list[int]:
    """A process with all its descendants."""
    found, at = [root], 0
    while at < len(found):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{found[at]}/task").iterdir():
                found += [int(pid) for pid in (task / "children").read_text().split()]
        at += 1
    return found


def _memory(pid: int) -> int:
    """The proportional set size: what is shared between forks is counted once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS

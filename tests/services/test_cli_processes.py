"""The commands that stay: `start`, `up`, `logs -f`. Each is a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import ServerProcess
from tests.services.test_cli import GREET, TEMPLATE, make_function

from fogbank.cli.failures import Exit

FOGBANK = [sys.executable, "-m", "fogbank"]
PATIENCE = 60.0


class Running:
    """A command that runs: its lines as they come."""

    def __init__(self, *arguments: str, cwd: Path | None = None, **environment: str) -> None:
        self._process = subprocess.Popen(
            [*FOGBANK, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env=os.environ | environment,
        )
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.start()
        self.lines: list[str] = []

    def until(self, words: str) -> str:
        """The next line that has these words."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return line.rstrip("\n")
        raise AssertionError(f"{words!r} never came; what came was:\n" + "\n".join(self.lines))

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, read the rest, and wait; the exit code."""
        self._process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """Read the rest, and wait; the exit code."""
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return self._process.wait()
        self.lines += [line.rstrip("\n") for line in self._process.stdout]
        code = self._process.wait()
        self._watchdog.cancel()
        self._process.stdout.close()
        return code


Run = Callable[..., Running]


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts commands, and ends those that are left."""
    started: list[Running] = []

    def begin(*arguments: str, **more: str) -> Running:
        started.append(Running(*arguments, **more))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for running in started:
        running.end(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_start_says_that_it_is_ready_and_stops_in_order(run: Run, tmp_path: Path, how: signal.Signals) -> None:
    """Exactly one line, and exit code 0."""
    server = run("start", "--port", "0", "--data", str(tmp_path / "data"))
    assert server.until("ready on").startswith("ready on http://127.0.0.1:")
    assert server.end(how) == 0
    assert len(server.lines) == 1


@pytest.mark.slow
def test_start_speaks_json(run: Run, tmp_path: Path) -> None:
    server = run("--json", "start", "--port", "0", "--data", str(tmp_path / "data"))
    assert json.loads(server.until("ready"))["ready"].startswith("http://127.0.0.1:")
    assert server.end() == 0


@pytest.mark.slow
def test_start_says_that_its_port_is_in_use(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = run("start", "--port", str(port), "--data", str(tmp_path / "data"))
        assert server.wait() == Exit.IN_USE
    text = "\n".join(server.lines)
    assert f"port {port} is in use" in text
    assert "--port" in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_start_says_that_its_data_folder_is_in_use(run: Run, tmp_path: Path) -> None:
    first = run("start", "--port", "0", "--data", str(tmp_path / "data"))
    first.until("ready on")
    second = run("start", "--port", "0", "--data", str(tmp_path / "data"))
    assert second.wait() == Exit.IN_USE
    text = "\n".join(second.lines)
    assert f"{tmp_path}/data is in use by another server (process " in text
    assert "choose another --data" in text


@pytest.mark.slow
def test_start_says_that_its_data_folder_cannot_be_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server = run("start", "--port", "0", "--data", str(tmp_path / "file" / "data"))
    assert server.wait() == Exit.USAGE
    assert "choose another --data" in "\n".join(server.lines)


@pytest.mark.slow
def test_logs_follows_a_function(run: Run, server: ServerProcess) -> None:
    """What is printed after it began comes too."""
    make_function(server, "count", "def handler(event, context):\n    print('number', event['n'])\n")
    client = server.client("lambda")
    client.invoke(FunctionName="count", Payload='{"n": 1}')
    logs = run("logs", "-f", "count", "--endpoint", server.endpoint)
    logs.until("number 1")
    client.invoke(FunctionName="count", Payload='{"n": 2}')
    assert "number 2" in logs.until("number 2")
    assert logs.end() == Exit.INTERRUPTED
    assert sum("number 1" in line for line in logs.lines) == 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a template and its source."""
    folder = tmp_path / "shop"
    (folder / "src").mkdir(parents=True)
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "src" / "app.py").write_text("import os\n\ndef handler(event, context):\n    print('version 1')\n")
    return folder


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def invoke(endpoint: str) -> None:
    """Call the function of the template."""
    command = [*FOGBANK, "invoke", "Greet", "--endpoint", endpoint]
    subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE)


@pytest.mark.slow
def test_up_starts_deploys_follows_and_deploys_again(run: Run, project: Path) -> None:
    """The whole of a working day: a change of code, a mistake, its mending, and Ctrl-C, which stops the server."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    data = str(project.parent / "data")
    up = run("up", str(project), "--data", data, "--endpoint", endpoint)
    up.until("shop is deployed after")
    up.until("WorkUrl")
    up.until("Ctrl-C ends it")
    invoke(endpoint)
    assert "Greet" in up.until("version 1")
    source = project / "src" / "app.py"
    source.write_text(source.read_text().replace("version 1", "version 2"))
    up.until("app.py changed")
    seconds = float(up.until("shop is deployed after").split()[-2])
    assert seconds < 2, "a redeploy took long"
    invoke(endpoint)
    up.until("version 2")
    source.write_text("def handler(:\n")
    up.until("error: Greet: its handler's module cannot be read")
    source.write_text(GREET)
    up.until("shop is deployed after")
    assert up.end() == 0
    assert any("stopping the server" in line for line in up.lines)
    again = run("start", "--data", data, "--port", "0")
    url = again.until("ready on").split()[-1]
    listed = subprocess.run([*FOGBANK, "stacks", "--endpoint", url], capture_output=True, text=True, check=True)
    assert "shop" in listed.stdout


@pytest.mark.slow
def test_up_uses_a_server_that_runs(run: Run, project: Path, server: ServerProcess) -> None:
    """And leaves it running."""
    up = run("up", str(project), "--endpoint", server.endpoint, "--no-logs", "--json")
    first = json.loads(up.until("CREATE_COMPLETE"))
    assert first["outputs"].keys() == {"WorkUrl"}
    assert up.end(signal.SIGTERM) == 0
    assert server.client("sts").get_caller_identity()["Account"] == "000000000000"


@pytest.mark.slow
def test_up_ends_where_the_first_deployment_fails(run: Run, project: Path, server: ServerProcess) -> None:
    (project / "src" / "app.py").unlink()
    up = run("up", str(project), "--endpoint", server.endpoint)
    assert up.wait() == Exit.INVALID
    assert any("which does not exist" in line for line in up.lines)


@pytest.mark.slow
def test_up_says_why_its_server_does_not_start(run: Run, project: Path) -> None:
    (project / "file").write_text("")
    up = run("up", str(project), "--data", str(project / "file" / "x"), "--endpoint", f"http://127.0.0.1:{free_port()}")
    assert up.wait() == Exit.USAGE
    assert any("choose another --data" in line for line in up.lines)

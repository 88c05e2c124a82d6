"""The first process of an environment with external extensions: starts them and the runtime, and tells their ends.

Fogbank starts it in place of the runtime. It shares the environment's namespaces, limits and folders with all that it
starts. It speaks to the Runtime API's address: it asks for orders, and says what happened.

    GET  /_fogbank/supervisor/next      {"do": "start"}: the runtime
                                        {"do": "signal", "who": name or null, "signal": n}
                                        {"do": "deliver", "port", "data": base64, "answers"}: to a listener
    POST /_fogbank/supervisor/exited    {"who": name or null, "status": n or null, "signal": n or null}
    POST /_fogbank/supervisor/failed    {"who": name, "problem": text}: it could not be started
    POST /_fogbank/supervisor/delivered true or false: whether the listener took it
    POST /_fogbank/supervisor/printed   {"who": name} in the query: what an extension printed

When the connection ends, so does everything. Runs on Python 3.9 and later, standard library only.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any
from urllib.parse import quote

RUNTIME_ONLY = (
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT",
    "_HANDLER",
    "_LAMBDA_TELEMETRY_LOG_FD",
)
"""Variables that extensions do not have. Source: the Extensions API's page, on environment variables."""
PLAN = "FOGBANK_SUPERVISE"
PIECE = 65536
PATIENCE = 2.0
"""Seconds that a listener has to take telemetry before it is tried again."""


class Line:
    """One kept-alive connection to the Runtime API's address."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.address = address
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def ask(self) -> None:
        self.socket.sendall(f"GET /_fogbank/supervisor/next HTTP/1.1\r\nHost: {self.address}\r\n\r\n".encode())

    def post(self, what: str, body: bytes) -> None:
        head = (
            f"POST /_fogbank/supervisor/{what} HTTP/1.1\r\nHost: {self.address}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)
        self.read()

    def read(self) -> bytes:
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        size = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        while len(self.buffer) < size:
            self.fill()
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return body

    def fill(self) -> None:
        data = self.socket.recv(PIECE)
        if not data:
            os._exit(0)  # Fogbank closed the environment
        self.buffer += data


class Supervisor:
    """See the module."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.runtime: list[str] = plan["runtime"]
        self.extensions: dict[str, str] = plan["extensions"]
        self.pids: dict[int, str | None] = {}
        self.outputs: dict[int, str] = {}
        address = os.environ["AWS_LAMBDA_RUNTIME_API"]
        self.orders, self.said = Line(address), Line(address)

    def run(self) -> None:
        woken, waker = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        poll.register(self.orders.socket, select.POLLIN)
        for name, path in self.extensions.items():
            output = self.start_extension(name, path)
            if output is not None:
                poll.register(output, select.POLLIN)
        self.orders.ask()
        while True:
            for ready, _ in poll.poll():
                if ready == woken:
                    os.read(woken, 512)
                elif ready == self.orders.socket.fileno():
                    self.obey(json.loads(self.orders.read()))
                    self.orders.ask()
                elif ready in self.outputs and not self.relay(ready):
                    poll.unregister(ready)
                    os.close(ready)
            self.reap()

    def start_extension(self, name: str, path: str) -> int | None:
        """Start one; the reading end of what it prints."""
        reader, writer = os.pipe()
        environ = {key: value for key, value in os.environ.items() if key not in RUNTIME_ONLY}
        if not self.start(name, [path], environ, writer):
            os.close(reader)
            reader = -1
        os.close(writer)
        if reader < 0:
            return None
        os.set_blocking(reader, False)
        self.outputs[reader] = name
        return reader

    def start(self, name: str | None, argv: list[str], environ: dict[str, str], output: int | None) -> bool:
        actions: list[Any] = []
        if output is not None:
            actions = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2), (os.POSIX_SPAWN_CLOSE, 3)]
        try:
            pid = os.posix_spawn(
                argv[0], argv, environ, file_actions=actions, setsigdef=[signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE]
            )
        except OSError as error:
            self.tell("failed", {"who": name, "path": argv[0], "problem": os.strerror(error.errno or 0).lower()})
            return False
        self.pids[pid] = name
        return True

    def obey(self, order: dict[str, Any]) -> None:
        if order["do"] == "start":
            self.start(None, self.runtime, dict(os.environ), None)
            return
        if order["do"] == "deliver":
            self.said.post("delivered", json.dumps(deliver(order)).encode())
            return
        for pid, name in self.pids.items():
            if name == order["who"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, order["signal"])

    def relay(self, output: int) -> bool:
        """Pass on what an extension printed; whether it may print more."""
        while True:
            try:
                data = os.read(output, PIECE)
            except BlockingIOError:
                return True
            if not data:
                del self.outputs[output]
                return False
            self.said.post(f"printed?{quote(self.outputs[output])}", data)

    def drain(self, output: int) -> None:
        """Pass on the last words; the end of the pipe is found by `run`."""
        try:
            data = os.read(output, PIECE)
        except BlockingIOError:
            return
        if data:
            self.said.post(f"printed?{quote(self.outputs[output])}", data)

    def reap(self) -> None:
        while self.pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid not in self.pids:
                continue
            name = self.pids.pop(pid)
            for output in [output for output, owner in self.outputs.items() if owner == name]:
                self.drain(output)
            killed = os.WIFSIGNALED(status)
            self.tell(
                "exited",
                {
                    "who": name,
                    "status": None if killed else os.WEXITSTATUS(status),
                    "signal": os.WTERMSIG(status) if killed else None,
                },
            )

    def tell(self, what: str, document: dict[str, Any]) -> None:
        self.said.post(what, json.dumps(document).encode())


def deliver(order: dict[str, Any]) -> bool:
    """Hand telemetry to a listener; whether it took it."""
    try:
        with socket.create_connection(("127.0.0.1", order["port"]), PATIENCE) as listener:
            listener.sendall(base64.b64decode(order["data"]))
            return not order["answers"] or listener.recv(64).split(b" ", 2)[1].startswith(b"2")
    except (OSError, IndexError):
        return False


def main() -> None:
    """Begin; the plan is in the variable FOGBANK_SUPERVISE."""
    plan = json.loads(os.environ.pop(PLAN))
    sys.stdout.flush()
    Supervisor(plan).run()


if __name__ == "__main__":
    main()

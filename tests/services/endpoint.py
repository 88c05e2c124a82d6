"""An HTTP endpoint of a test's own: it answers as it is told, and remembers what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any


@dataclass
class Sent:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def document(self) -> Any:
        """Its body, decoded."""
        return json.loads(self.body)


@dataclass
class Endpoint:
    """Answers come from `answers`, in order: status, headers, body; then 200 and an empty object."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    requests: Queue[Sent] = field(default_factory=Queue)

    def answer(self, status: int, document: Any = None, **headers: str) -> None:
        """What the next request gets."""
        self.answers.append((status, headers, json.dumps(document)))

    def next(self) -> Sent:
        """The next request that comes."""
        return self.requests.get(timeout=20)


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """An endpoint on this machine, while the context lasts."""
    found = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, text = found.answers.pop(0) if found.answers else (200, {}, "{}")
            found.requests.put(Sent(self.command, self.path, headers, body))
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **more}.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the base class's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

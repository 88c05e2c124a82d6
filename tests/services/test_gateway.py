"""The gateway of a real server: faults on the wire, and stopping under load."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, ClientError


def raw(server: Any, data: bytes) -> bytes:
    """What the server answers to some bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 200000000\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: AmazonSQS.SendMessage\r\ncontent-length: 1\r\n\r\n{", b"400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", b"200"),
    ],
)
def test_faults_are_answered_and_the_server_lives_on(server: Any, data: bytes, status: bytes) -> None:
    assert raw(server, data).startswith(b"HTTP/1.1 " + status)
    server.client("sqs").list_queues()


def test_every_protocol_answers_over_one_connection(server: Any) -> None:
    """The services differ in protocol; the port and the connection are one."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)

    def ask(method: str, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, answer.read()

    status, body = ask("POST", "/", b"{}", x_amz_target="AmazonSQS.ListQueues")
    assert (status, json.loads(body)) == (200, {})
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    status, body = ask("POST", "/", form, content_type="application/x-www-form-urlencoded")
    assert (status, b"<Account>000000000000</Account>" in body) == (200, True)
    status, body = ask("GET", "/2015-03-31/functions", b"")
    assert (status, json.loads(body)) == (200, {"Functions": []})
    status, body = ask("GET", "/_fogbank/health", b"")
    assert (status, json.loads(body)["services"]["sqs"]) == (200, "running")
    connection.close()


@pytest.mark.slow
def test_a_stop_under_load_loses_nothing_that_was_acknowledged(new_server: Callable[..., Any]) -> None:
    """SIGTERM while clients send: the server ends cleanly, and what it acknowledged is there after a start."""
    server = new_server()
    url = server.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    acknowledged: set[str] = set()
    enough = threading.Semaphore(0)

    def send(number: int) -> None:
        client = server.client("sqs")
        sent = 0
        while True:
            try:
                client.send_message(QueueUrl=url, MessageBody=f"{number}-{sent}")
            except (BotoCoreError, ClientError):
                return  # the server has gone, or says that it is going
            acknowledged.add(f"{number}-{sent}")
            sent += 1
            enough.release()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        enough.acquire()
    assert server.stop() == 0
    for thread in threads:
        thread.join()
    server.start()
    client = server.client("sqs")
    there: set[str] = set()
    path = urlsplit(url).path
    while messages := client.receive_message(QueueUrl=path, MaxNumberOfMessages=10).get("Messages"):
        there |= {message["Body"] for message in messages}
    assert acknowledged <= there


@pytest.mark.slow
def test_a_long_poll_does_not_hold_a_stop_up(new_server: Callable[..., Any]) -> None:
    server = new_server("--stop-timeout", "60")
    url = server.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    answers: list[Any] = []
    began = threading.Event()

    def poll() -> None:
        client = server.client("sqs")
        client.meta.events.register("before-send", lambda **_: began.set())
        try:
            answers.append(client.receive_message(QueueUrl=url, WaitTimeSeconds=20))
        except BotoCoreError as error:
            answers.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    began.wait()
    server.client("sqs").list_queues()
    assert server.stop() == 0
    thread.join()
    assert len(answers) == 1

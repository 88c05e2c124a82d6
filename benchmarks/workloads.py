"""What is measured. A workload prepares a server through boto3, and gives the step that is repeated on it.

Each step is a request as boto3 would send it, prebuilt where it can be. A workload that a peer cannot do is told as
such (`RequestError`, or a botocore error) and left out of its column.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from benchmarks.load import Step, expect
from benchmarks.peers import Running
from benchmarks.wire import Connection, Endpoint, RequestError, json_request, rest_request

BODY = "x" * 256
ROLE = "arn:aws:iam::000000000000:role/benchmark"
_HANDLE = re.compile(rb'"ReceiptHandle":\s*"([^"]+)"')


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of the table."""

    name: str
    prepare: Callable[[Running], Step]
    connections: int = 16
    units: int = 1
    in_moto: bool = True
    rounds: int | None = None
    """At the most so many rounds: where one takes long."""


def client(server: Running, service: str) -> Any:
    """A boto3 client for preparing a server."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=server.endpoint.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}, read_timeout=60),
    )


def new_name() -> str:
    """A name that nothing has yet."""
    return f"bench-{time.monotonic_ns()}"


def make_queue(server: Running) -> str:
    """A queue; its URL."""
    return str(client(server, "sqs").create_queue(QueueName=new_name())["QueueUrl"])


def _sqs(server: Running, operation: str, request: dict[str, Any]) -> bytes:
    return json_request(server.endpoint, "sqs", f"AmazonSQS.{operation}", json.dumps(request).encode())


def _repeat(request: bytes, status: int = 200) -> Step:
    async def step(connection: Connection, number: int) -> None:
        await expect(connection, request, status)

    return step


def send_message(server: Running) -> Step:
    """SendMessage of 256 bytes to one queue."""
    return _repeat(_sqs(server, "SendMessage", {"QueueUrl": make_queue(server), "MessageBody": BODY}))


def send_batch(server: Running) -> Step:
    """SendMessageBatch of ten."""
    entries = [{"Id": str(i), "MessageBody": BODY} for i in range(10)]
    return _repeat(_sqs(server, "SendMessageBatch", {"QueueUrl": make_queue(server), "Entries": entries}))


def receive_delete(server: Running) -> Step:
    """ReceiveMessage of one and its DeleteMessage. Each tenth is preceded by a batch of ten, which keeps the backlog.

    The backlog is small, some 200 messages: a server that walks all of it at each receive is not asked to walk far.
    """
    url = make_queue(server)
    sqs = client(server, "sqs")
    entries = [{"Id": str(i), "MessageBody": BODY} for i in range(10)]
    for _ in range(20):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    refill = _sqs(server, "SendMessageBatch", {"QueueUrl": url, "Entries": entries})
    receive = _sqs(server, "ReceiveMessage", {"QueueUrl": url})

    async def step(connection: Connection, number: int) -> None:
        if number % 10 == 0:
            await expect(connection, refill)
        found = _HANDLE.search(await expect(connection, receive))
        if found is None:
            raise RequestError("the queue gave nothing, though it was refilled")
        request = {"QueueUrl": url, "ReceiptHandle": json.loads(b'"' + found[1] + b'"')}
        await expect(connection, _sqs(server, "DeleteMessage", request))

    return step


def put_events(server: Running) -> Step:
    """PutEvents of one event that matches 1 of 20 rules, whose target is a queue."""
    events, sqs = client(server, "events"), client(server, "sqs")
    bus, url = new_name(), make_queue(server)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=bus)
    for i in range(20):
        pattern = {"source": ["shop"], "detail-type": [f"kind-{i}"], "detail": {"size": [{"numeric": [">", 1]}]}}
        events.put_rule(Name=f"{bus}-{i}", EventBusName=bus, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=f"{bus}-{i}", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    entry = {
        "EventBusName": bus,
        "Source": "shop",
        "DetailType": "kind-7",
        "Detail": json.dumps({"size": 3, "x": BODY}),
    }
    body = json.dumps({"Entries": [entry]}).encode()
    return _repeat(json_request(server.endpoint, "events", "AWSEvents.PutEvents", body, version="1.1"))


def _table(server: Running) -> str:
    name, dynamodb = new_name(), client(server, "dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for i in range(100):
        dynamodb.put_item(TableName=name, Item=_item(i))
    return name


def _item(number: int) -> dict[str, Any]:
    return {"id": {"S": f"id-{number}"}, "size": {"N": str(number)}, "body": {"S": BODY}}


def _dynamodb(endpoint: Endpoint, operation: str, request: dict[str, Any]) -> bytes:
    return json_request(endpoint, "dynamodb", f"DynamoDB_20120810.{operation}", json.dumps(request).encode())


def put_item(server: Running) -> Step:
    """PutItem of a new item of three attributes."""
    table, endpoint = _table(server), server.endpoint

    async def step(connection: Connection, number: int) -> None:
        request = {"TableName": table, "Item": _item(number + 1000)}
        await expect(connection, _dynamodb(endpoint, "PutItem", request))

    return step


def get_item(server: Running) -> Step:
    """GetItem of one of a hundred items."""
    table = _table(server)
    requests = [
        _dynamodb(server.endpoint, "GetItem", {"TableName": table, "Key": {"id": {"S": f"id-{i}"}}}) for i in range(100)
    ]

    async def step(connection: Connection, number: int) -> None:
        await expect(connection, requests[number % 100])

    return step


def failing_put(server: Running) -> Step:
    """PutItem whose condition fails: the item exists."""
    request = {"TableName": _table(server), "Item": _item(1), "ConditionExpression": "attribute_not_exists(id)"}
    return _repeat(_dynamodb(server.endpoint, "PutItem", request), status=400)


def zipped(source: str) -> bytes:
    """A deployment package of one file, app.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


def make_function(server: Running, source: str) -> str:
    """A function that is ready; its name."""
    name, lambda_ = new_name(), client(server, "lambda")
    lambda_.create_function(
        FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="app.handler", Code={"ZipFile": zipped(source)}
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return name


TRIVIAL = "def handler(event, context):\n    return {'ok': True}\n"


def _invoke(server: Running, name: str) -> bytes:
    return rest_request(
        server.endpoint, "lambda", "POST", f"/2015-03-31/functions/{name}/invocations", json.dumps({"x": BODY}).encode()
    )


def warm_invoke(server: Running) -> Step:
    """A synchronous invocation of a function that is warm."""
    name = make_function(server, TRIVIAL)
    client(server, "lambda").invoke(FunctionName=name, Payload=b"{}")
    return _repeat(_invoke(server, name))


def cold_start(server: Running) -> Step:
    """The first invocation of a fresh function: made before the clock of the step starts, as many as will be needed."""
    names = [make_function(server, TRIVIAL) for _ in range(COLD_FUNCTIONS)]

    async def step(connection: Connection, number: int) -> None:
        await expect(connection, _invoke(server, names[number % len(names)]))

    return step


COLD_FUNCTIONS = 20

_CONSUMER = """
import json, time

def handler(event, context):
    now = time.time()
    for record in event["Records"]:
        body = json.loads(record["body"])
        with open(body["file"], "a") as file:
            file.write(f"{body['number']} {now - body['sent']}\\n")
"""


def queue_to_handler(server: Running, messages: int) -> list[float]:
    """Seconds from SendMessage to the handler's first line, for messages sent one after another."""
    name, url = make_function(server, _CONSUMER), make_queue(server)
    sqs = client(server, "sqs")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client(server, "lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=name, BatchSize=1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "seen")
        file.touch()
        file.chmod(0o666)
        Path(folder).chmod(0o777)
        for number in range(messages + 3):
            body = {"file": str(file), "number": number, "sent": time.time()}
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
            deadline = time.monotonic() + 20
            while len(file.read_text().splitlines()) <= number and time.monotonic() < deadline:
                time.sleep(0.001)
        seen = [float(line.split()[1]) for line in file.read_text().splitlines()]
    return seen[3:]  # the first ones start the environment


WORKLOADS = (
    Workload("SendMessage, 1 connection", send_message, connections=1),
    Workload("SendMessage, 16 connections", send_message),
    Workload("SendMessageBatch of 10, in messages", send_batch, units=10),
    Workload("ReceiveMessage + DeleteMessage", receive_delete),
    Workload("PutEvents through 1 of 20 rules", put_events),
    Workload("PutItem", put_item),
    Workload("GetItem", get_item),
    Workload("conditional PutItem that fails", failing_put),
    Workload("warm invoke, 1 connection", warm_invoke, connections=1, in_moto=False),
    Workload("warm invoke, 16 connections", warm_invoke, in_moto=False),
)

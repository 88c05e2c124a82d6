"""What clients of a server that is about to die were told: only acknowledged things are written down.

Workers run in threads, each with clients of its own, until the server is gone. What they were never answered for may
be there afterwards or not; what is in the ledger must be.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import ServerProcess

ROLE = "arn:aws:iam::000000000000:role/events"
PATIENCE = 60
"""Long polls of a second each, after which what has not come is held to be lost."""


@dataclass
class Ledger:
    """What was acknowledged, by what it was."""

    messages: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    """What was asked to be deleted: it may be gone although no answer came."""
    items: dict[str, int] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _total: int = 0
    _milestones: list[tuple[int, threading.Event]] = field(default_factory=list)

    def note(self, kind: set[str], *keys: str) -> None:
        """Write acknowledged things down."""
        with self._lock:
            kind.update(keys)
            self._count(len(keys))

    def note_item(self, key: str, version: int) -> None:
        """Write down the newest acknowledged version of an item."""
        with self._lock:
            self.items[key] = version
            self._count(1)

    def after(self, total: int) -> threading.Event:
        """Set when so many things were acknowledged."""
        milestone = threading.Event()
        with self._lock:
            self._milestones.append((total, milestone))
            self._count(0)
        return milestone

    @property
    def total(self) -> int:
        """How many things were acknowledged."""
        return self._total

    def forget_received(self) -> None:
        """After a look at everything: the queues were drained, so the next look finds only what comes from now on."""
        self.messages.clear()
        self.deleted.clear()
        self.deleting.clear()
        self.events.clear()

    def _count(self, more: int) -> None:
        self._total += more
        for total, milestone in self._milestones:
            if self._total >= total:
                milestone.set()


@dataclass(frozen=True)
class Places:
    """The resources that the workers use."""

    queue: str
    arrivals: str
    table: str = "items"
    bus: str = "bus"


def prepare(server: ServerProcess) -> Places:
    """Make a queue, a table, and a bus whose events go by another bus (a hop of delivery) to a second queue."""
    sqs, events = server.client("sqs"), server.client("events")
    places = Places(sqs.create_queue(QueueName="work")["QueueUrl"], sqs.create_queue(QueueName="arrivals")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=places.arrivals, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    server.client("dynamodb").create_table(
        TableName=places.table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    events.create_event_bus(Name=places.bus)
    events.put_rule(Name="all", EventBusName=places.bus, EventPattern='{"source": ["crash"]}')
    allow_rules(sqs, places.arrivals, arn)
    onward = events.create_event_bus(Name="onward")["EventBusArn"]
    events.put_targets(Rule="all", EventBusName=places.bus, Targets=[{"Id": "1", "Arn": onward, "RoleArn": ROLE}])
    events.put_rule(Name="last", EventBusName="onward", EventPattern='{"source": ["crash"]}')
    events.put_targets(Rule="last", EventBusName="onward", Targets=[{"Id": "1", "Arn": arn}])
    return places


def allow_rules(sqs: Any, url: str, arn: str) -> None:
    """Let EventBridge send to a queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def send(server: ServerProcess, places: Places, ledger: Ledger, name: str) -> None:
    """Send messages, one and ten at a time."""
    sqs = server.client("sqs")
    for number in itertools.count():
        if number % 3:
            body = f"{name}-{number}"
            sqs.send_message(QueueUrl=places.queue, MessageBody=body)
            ledger.note(ledger.messages, body)
        else:
            bodies = [f"{name}-{number}-{part}" for part in range(10)]
            entries = [{"Id": str(part), "MessageBody": body} for part, body in enumerate(bodies)]
            reply = sqs.send_message_batch(QueueUrl=places.queue, Entries=entries)
            ledger.note(ledger.messages, *(bodies[int(done["Id"])] for done in reply["Successful"]))


def consume(server: ServerProcess, places: Places, ledger: Ledger, name: str) -> None:
    """Receive messages and delete them: what was deleted must never come back."""
    sqs = server.client("sqs")
    while True:
        for message in sqs.receive_message(QueueUrl=places.queue, MaxNumberOfMessages=2, WaitTimeSeconds=1).get(
            "Messages", []
        ):
            ledger.note(ledger.deleting, message["Body"])
            sqs.delete_message(QueueUrl=places.queue, ReceiptHandle=message["ReceiptHandle"])
            ledger.note(ledger.deleted, message["Body"])


def put(server: ServerProcess, places: Places, ledger: Ledger, name: str) -> None:
    """Write items again and again, each with a higher version."""
    dynamodb = server.client("dynamodb")
    for version in itertools.count(1):
        key = f"{name}-{version % 7}"
        item = {"id": {"S": key}, "version": {"N": str(version)}}
        dynamodb.put_item(TableName=places.table, Item=item)
        ledger.note_item(key, version)


def publish(server: ServerProcess, places: Places, ledger: Ledger, name: str) -> None:
    """Publish events."""
    events = server.client("events")
    for number in itertools.count():
        keys = [f"{name}-{number}-{part}" for part in range(3)]
        entries = [
            {"EventBusName": places.bus, "Source": "crash", "DetailType": "test", "Detail": json.dumps({"key": key})}
            for key in keys
        ]
        replies = events.put_events(Entries=entries)["Entries"]
        ledger.note(ledger.events, *(key for key, reply in zip(keys, replies, strict=True) if "EventId" in reply))


_serial = itertools.count()
"""Tells the workers of one load from those of the next."""

Worker = Callable[[ServerProcess, Places, Ledger, str], None]
ALL: tuple[Worker, ...] = (send, consume, put, publish)


class Load:
    """Workers at work until the server is gone."""

    def __init__(self, server: ServerProcess, places: Places, ledger: Ledger, workers: Iterable[Worker]) -> None:
        self._threads = []
        self._errors: list[BaseException] = []
        for worker in workers:
            arguments = (worker, server, places, ledger, f"{worker.__name__}-{next(_serial)}")
            self._threads.append(threading.Thread(target=self._run, args=arguments))
        for thread in self._threads:
            thread.start()

    def _run(self, worker: Worker, *arguments: Any) -> None:
        try:
            worker(*arguments)
        except BotoCoreError:
            return  # the server is gone
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                self._errors.append(error)

    def join(self) -> None:
        """Wait until every worker has noticed."""
        for thread in self._threads:
            thread.join(timeout=60)
        assert not any(thread.is_alive() for thread in self._threads)
        assert not self._errors, self._errors


def verify(server: ServerProcess, places: Places, ledger: Ledger) -> None:
    """Everything that was acknowledged is there, and nothing that was deleted."""
    dynamodb = server.client("dynamodb")
    for key, version in ledger.items.items():
        item = dynamodb.get_item(TableName=places.table, Key={"id": {"S": key}}, ConsistentRead=True).get("Item")
        assert item is not None, f"item {key} is lost"
        assert int(item["version"]["N"]) >= version, f"item {key} went back from {version} to {item['version']}"
    server.post("/_fogbank/clock", {"seconds": 60})  # what was being received becomes visible
    received = drain(server, places.queue, ledger.messages - ledger.deleting)
    assert not received & ledger.deleted, "deleted messages came back"
    arrived = {json.loads(body)["detail"]["key"] for body in drain(server, places.arrivals, None, ledger.events)}
    assert ledger.events <= arrived, f"{len(ledger.events - arrived)} of {len(ledger.events)} events are lost"


def drain(server: ServerProcess, url: str, expected: set[str] | None, keys: set[str] | None = None) -> set[str]:
    """Take everything out of a queue until what is expected has come (bodies, or events' keys); the bodies."""
    sqs = server.client("sqs")
    missing = set(expected or keys or ())
    bodies: set[str] = set()
    for _ in range(PATIENCE):
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1 if missing else 0
        ).get("Messages"):
            for message in messages:
                bodies.add(message["Body"])
                missing.discard(message["Body"] if keys is None else json.loads(message["Body"])["detail"]["key"])
            done = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
            sqs.delete_message_batch(QueueUrl=url, Entries=done)
        if not missing:
            break
    assert not missing, f"{len(missing)} acknowledged messages are lost, such as {sorted(missing)[:3]}"
    return bodies

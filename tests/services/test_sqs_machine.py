"""Queues against a simple model: any order of sends, receives, deletions, visibility changes and time.

The model is written from the documentation, not from the code: lists, and a clock.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.sqs import Sqs
from fogbank.storage import SqliteStorage

SHORT = settings(max_examples=3, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LONG = settings(SHORT, max_examples=60)
RETENTION = 600
TIMEOUT = 30


@dataclass
class Kept:
    """A message as the model has it; moments are in milliseconds."""

    body: str
    sent_at: int
    visible_at: int
    order: int
    group: str = ""
    receives: int = 0
    received_at: int = 0
    handles: list[str] = field(default_factory=list)


class Machine(RuleBasedStateMachine):
    """What both kinds of queue have in common: a cloud with one queue and its dead-letter queue, and the model."""

    suffix = ""
    maximum = 3
    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = VirtualClock()
        self.folder = Path(tempfile.mkdtemp(prefix="fogbank-sqs-"))
        config = Config(data=self.folder)
        storage = SqliteStorage(self.folder, self.clock, inline_commit=True)
        self.cloud = LocalCloud(config, self.clock, Ids(seed=1), storage, services={"sqs": Sqs})
        self.run(self.cloud.start())
        self.live: list[Kept] = []
        self.dead: list[Kept] = []
        self.sent = 0

    def teardown(self) -> None:
        self.run(self.cloud.stop())
        self.runner.close()
        shutil.rmtree(self.folder)

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    def call(self, operation: str, queue: str = "q", **request: Any) -> dict[str, Any]:
        request = {"QueueUrl": queue + self.suffix, **request}
        reply: dict[str, Any] = self.run(self.cloud.call(Scope(), "sqs", operation, request))
        return reply

    @property
    def now(self) -> int:
        return self.clock.millis()

    def attributes(self) -> dict[str, str]:
        return {"FifoQueue": "true"} if self.suffix else {}

    @initialize()
    def make_queues(self) -> None:
        name = f"dead{self.suffix}"
        kept = {"MessageRetentionPeriod": str(RETENTION), **self.attributes()}
        self.run(self.cloud.call(Scope(), "sqs", "CreateQueue", {"QueueName": name, "Attributes": kept}))
        policy = json.dumps(
            {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:{name}", "maxReceiveCount": self.maximum}
        )
        request = {"QueueName": f"q{self.suffix}", "Attributes": {**kept, "RedrivePolicy": policy}}
        self.run(self.cloud.call(Scope(), "sqs", "CreateQueue", request))

    def expire(self) -> None:
        """What the model forgets by itself."""
        limit = self.now - RETENTION * 1000
        self.live = [message for message in self.live if message.sent_at > limit]
        self.dead = [message for message in self.dead if message.sent_at > limit]

    def of_handle(self, handle: str) -> Kept | None:
        return next((message for message in self.live if handle in message.handles), None)

    def took(self, message: Kept, received: dict[str, Any], timeout: int) -> str:
        """Note in the model that a message was received."""
        message.receives += 1
        message.received_at = self.now
        message.visible_at = self.now + timeout * 1000
        handle: str = received["ReceiptHandle"]
        assert handle not in message.handles
        message.handles.append(handle)
        assert received["Body"] == message.body
        assert received["Attributes"]["ApproximateReceiveCount"] == str(message.receives)
        assert received["Attributes"]["SentTimestamp"] == str(message.sent_at)
        return handle

    def settle(self, operation: str, handle: str, **request: Any) -> str:
        """Delete or change a message by a handle; the code of the error, if there is one."""
        try:
            self.call(operation, ReceiptHandle=handle, **request)
        except ApiError as error:
            return error.code
        return ""

    def receive_raw(self, limit: int, timeout: int | None, queue: str = "q") -> list[dict[str, Any]]:
        request: dict[str, Any] = {"MaxNumberOfMessages": limit, "MessageSystemAttributeNames": ["All"]}
        if timeout is not None:
            request["VisibilityTimeout"] = timeout
        messages: list[dict[str, Any]] = self.call("ReceiveMessage", queue, **request).get("Messages", [])
        return messages

    @rule(seconds=st.sampled_from([0.5, 1, 5, 29, 30, 31, 100, RETENTION]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.clock.advance(seconds))

    @invariant()
    def counts_agree(self) -> None:
        if not self.sent:
            return
        self.expire()
        found = self.call("GetQueueAttributes", AttributeNames=["All"])["Attributes"]
        visible = sum(message.visible_at <= self.now for message in self.live)
        flying = sum(message.visible_at > self.now and message.receives > 0 for message in self.live)
        assert found["ApproximateNumberOfMessages"] == str(visible)
        assert found["ApproximateNumberOfMessagesNotVisible"] == str(flying)
        assert found["ApproximateNumberOfMessagesDelayed"] == str(len(self.live) - visible - flying)
        dead = self.call("GetQueueAttributes", "dead", AttributeNames=["All"])["Attributes"]
        assert dead["ApproximateNumberOfMessages"] == str(len(self.dead))


class StandardQueue(Machine):
    """A standard queue hands out what is visible, the longest visible first."""

    @rule(delay=st.sampled_from([None, 0, 1, 30]))
    def send(self, delay: int | None) -> None:
        self.sent += 1
        more: dict[str, Any] = {} if delay is None else {"DelaySeconds": delay}
        self.call("SendMessage", MessageBody=f"m{self.sent}", **more)
        self.live.append(Kept(f"m{self.sent}", self.now, self.now + (delay or 0) * 1000, self.sent))

    @rule(count=st.integers(1, 10))
    def send_batch(self, count: int) -> None:
        entries = []
        for number in range(count):
            self.sent += 1
            entries.append({"Id": str(number), "MessageBody": f"m{self.sent}"})
            self.live.append(Kept(f"m{self.sent}", self.now, self.now, self.sent))
        self.call("SendMessageBatch", Entries=entries)

    @rule(target=Machine.handles, limit=st.integers(1, 10), timeout=st.sampled_from([None, 0, 1, 60]))
    def receive(self, limit: int, timeout: int | None) -> Any:
        self.expire()
        due = sorted(
            (message for message in self.live if message.visible_at <= self.now),
            key=lambda message: (message.visible_at, message.order),
        )
        expected: list[Kept] = []
        for message in due:
            if len(expected) == limit:
                break
            if message.receives >= self.maximum:
                self.live.remove(message)
                self.dead.append(message)
            else:
                expected.append(message)
        got = self.receive_raw(limit, timeout)
        assert [message["Body"] for message in got] == [message.body for message in expected]
        hidden = TIMEOUT if timeout is None else timeout
        return multiple_of([self.took(message, one, hidden) for message, one in zip(expected, got, strict=True)])

    @rule(handle=consumes(Machine.handles))
    def delete(self, handle: str) -> None:
        self.expire()
        self.call("DeleteMessage", ReceiptHandle=handle)
        message = self.of_handle(handle)
        if message is not None:
            self.live.remove(message)

    @rule(handle=Machine.handles, seconds=st.sampled_from([0, 1, 30, 43_200]))
    def change_visibility(self, handle: str, seconds: int) -> None:
        self.expire()
        message = self.of_handle(handle)
        code = self.settle("ChangeMessageVisibility", handle, VisibilityTimeout=seconds)
        if message is None:
            assert code == "InvalidParameterValueException"
        elif message.visible_at <= self.now and message.handles[-1] != handle:
            assert code == "MessageNotInflight"
        elif self.now + seconds * 1000 > message.received_at + 43_200_000:
            assert code == "InvalidParameterValueException"
        else:
            assert not code
            message.visible_at = self.now + seconds * 1000


class FifoQueue(Machine):
    """A FIFO queue hands out the heads of groups, in order and up to the first message that is in flight."""

    suffix = ".fifo"
    maximum = 1000  # messages that leave for the dead-letter queue are the other machine's

    @rule(group=st.sampled_from("abc"))
    def send(self, group: str) -> None:
        self.sent += 1
        body = f"{group}{self.sent}"
        self.call("SendMessage", MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)
        self.live.append(Kept(body, self.now, self.now, self.sent, group))

    @precondition(lambda self: self.live)
    @rule()
    def send_a_duplicate(self) -> None:
        """Of the latest message, if that was sent within five minutes."""
        message = self.live[-1]
        if message.order != self.sent or self.now - message.sent_at >= 300_000:
            return
        request = {"MessageGroupId": message.group, "MessageDeduplicationId": message.body}
        self.call("SendMessage", MessageBody="other", **request)

    @rule(target=Machine.handles, limit=st.integers(1, 10), timeout=st.sampled_from([None, 0, 1, 60]))
    def receive(self, limit: int, timeout: int | None) -> Any:
        self.expire()
        groups = self.open_groups()
        got = self.receive_raw(limit, timeout)
        handles = []
        for one in got:
            message = groups[one["Attributes"]["MessageGroupId"]].pop(0)
            handles.append(self.took(message, one, TIMEOUT if timeout is None else timeout))
        assert len(got) == limit or not any(groups.values())
        return multiple_of(handles)

    def open_groups(self) -> dict[str, list[Kept]]:
        """The messages of each group that can be received, in order: those before the first in flight."""
        found: dict[str, list[Kept]] = {}
        for message in sorted(self.live, key=lambda message: message.order):
            found.setdefault(message.group, []).append(message)
        return {
            name: list(takewhile(lambda message: message.visible_at <= self.now, members))
            for name, members in found.items()
        }

    def is_current(self, handle: str, message: Kept | None) -> bool:
        """Whether a handle is of the last receive of a message that is still in flight."""
        return message is not None and message.handles[-1] == handle and message.visible_at > self.now

    @rule(handle=consumes(Machine.handles))
    def delete(self, handle: str) -> None:
        self.expire()
        message = self.of_handle(handle)
        code = self.settle("DeleteMessage", handle)
        if message is None or self.is_current(handle, message):
            assert not code
            self.live = [other for other in self.live if other is not message]
        else:
            assert code == "InvalidParameterValueException"

    @rule(handle=Machine.handles, seconds=st.sampled_from([0, 1, 30]))
    def change_visibility(self, handle: str, seconds: int) -> None:
        self.expire()
        message = self.of_handle(handle)
        code = self.settle("ChangeMessageVisibility", handle, VisibilityTimeout=seconds)
        if message is None or not self.is_current(handle, message):
            assert code == "InvalidParameterValueException"
        else:
            assert not code
            message.visible_at = self.now + seconds * 1000


def multiple_of(handles: list[str]) -> Any:
    """Several values for a bundle."""
    return multiple(*handles)


class StandardQueueAtLength(StandardQueue):
    """The same, for longer."""


class FifoQueueAtLength(FifoQueue):
    """The same, for longer."""


StandardQueue.TestCase.settings = FifoQueue.TestCase.settings = SHORT
StandardQueueAtLength.TestCase.settings = FifoQueueAtLength.TestCase.settings = LONG
TestStandardQueue = StandardQueue.TestCase
TestFifoQueue = FifoQueue.TestCase
TestStandardQueueAtLength = pytest.mark.slow(StandardQueueAtLength.TestCase)
TestFifoQueueAtLength = pytest.mark.slow(FifoQueueAtLength.TestCase)

"""SQS in virtual time, in this process: waiting, visibility, delays, retention, redrive, FIFO order, move tasks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.sqs import Sqs
from fogbank.services.sqs.model import MAXIMUM_IN_FLIGHT
from fogbank.services.sqs.storage import COUNT_PAGE, SqsStorage
from fogbank.storage import SqliteStorage, Tx

SCOPE = Scope("000000000000", "us-east-1")
DAY = 86_400


@dataclass
class Client:
    """Calls SQS as any client would, in this process."""

    cloud: LocalCloud

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.cloud.call(SCOPE, "sqs", operation, request)

    async def create(self, name: str = "q", **attributes: str) -> Queue:
        reply = await self("CreateQueue", QueueName=name, Attributes=attributes)
        return Queue(self, reply["QueueUrl"], f"arn:aws:sqs:us-east-1:000000000000:{name}")

    async def create_fifo(self, name: str = "q.fifo", **attributes: str) -> Queue:
        return await self.create(name, FifoQueue="true", **attributes)

    async def move_task(self, source: Queue) -> dict[str, Any]:
        reply = await self("ListMessageMoveTasks", SourceArn=source.arn)
        task: dict[str, Any] = reply["Results"][0]
        return task


@dataclass
class Queue:
    """A queue of this test."""

    sqs: Client
    url: str
    arn: str

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.sqs(operation, QueueUrl=self.url, **request)

    async def send(self, *bodies: str, **parameters: Any) -> None:
        for body in bodies:
            await self("SendMessage", MessageBody=body, **parameters)

    async def post(self, group: str, *bodies: str) -> None:
        """Send to a FIFO group, with the body as deduplication id."""
        for body in bodies:
            await self("SendMessage", MessageBody=body, MessageGroupId=group, MessageDeduplicationId=f"{group}-{body}")

    async def receive(self, limit: int = 10, **parameters: Any) -> list[dict[str, Any]]:
        reply = await self(
            "ReceiveMessage", MaxNumberOfMessages=limit, MessageSystemAttributeNames=["All"], **parameters
        )
        messages: list[dict[str, Any]] = reply.get("Messages", [])
        return messages

    async def bodies(self, limit: int = 10, **parameters: Any) -> list[str]:
        return [message["Body"] for message in await self.receive(limit, **parameters)]

    async def delete(self, message: Mapping[str, Any]) -> None:
        await self("DeleteMessage", ReceiptHandle=message["ReceiptHandle"])

    async def hide(self, message: Mapping[str, Any], seconds: int) -> None:
        await self("ChangeMessageVisibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds)

    async def counts(self) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        found = (await self("GetQueueAttributes", AttributeNames=["All"]))["Attributes"]
        return (
            int(found["ApproximateNumberOfMessages"]),
            int(found["ApproximateNumberOfMessagesNotVisible"]),
            int(found["ApproximateNumberOfMessagesDelayed"]),
        )

    def redrive(self, count: int) -> dict[str, str]:
        """A redrive policy to this queue."""
        return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": self.arn, "maxReceiveCount": count})}


@pytest.fixture
def sqs(cloud: LocalCloud) -> Client:
    return Client(cloud)


def service(sqs: Client) -> Sqs:
    found = sqs.cloud.services["sqs"]
    assert isinstance(found, Sqs)
    return found


def waiting(sqs: Client) -> int:
    """How many receives wait, over all queues."""
    lines = service(sqs).lines
    return sum(lines.waiting(topic) for topic in list(lines._lines))


async def rows(sqs: Client, table: str = "sqs_messages") -> int:
    async def body(tx: Tx) -> int:
        row = await tx.fetch_one(f"SELECT COUNT(*) FROM {table}")
        assert row is not None
        return int(row[0])

    return await sqs.cloud.storage.read(body)


class TestVisibility:
    """A received message is hidden until its timeout, and then comes back."""

    async def test_a_message_comes_back_at_the_moment_of_its_timeout(self, sqs: Client, clock: VirtualClock) -> None:
        """Not a millisecond before."""
        queue = await sqs.create(VisibilityTimeout="30")
        await queue.send("a")
        first = await queue.receive()
        await clock.advance(29.999)
        assert await queue.receive() == []
        await clock.advance(0.001)
        (again,) = await queue.receive()
        assert again["MessageId"] == first[0]["MessageId"]
        assert again["ReceiptHandle"] != first[0]["ReceiptHandle"]
        assert again["Attributes"]["ApproximateReceiveCount"] == "2"
        assert again["Attributes"]["ApproximateFirstReceiveTimestamp"] == "1700000000000"

    async def test_a_receive_may_say_for_how_long(self, sqs: Client, clock: VirtualClock) -> None:
        """Zero leaves the message visible."""
        queue = await sqs.create()
        await queue.send("a")
        assert await queue.bodies(VisibilityTimeout=0) == ["a"]
        assert await queue.bodies(VisibilityTimeout=5) == ["a"]
        await clock.advance(5)
        assert await queue.bodies() == ["a"]

    async def test_a_timeout_can_be_changed_while_it_runs(self, sqs: Client, clock: VirtualClock) -> None:
        """The new one counts from the change."""
        queue = await sqs.create()
        await queue.send("a")
        (message,) = await queue.receive()
        await clock.advance(20)
        await queue.hide(message, 60)
        await clock.advance(59)
        assert await queue.receive() == []
        await clock.advance(1)
        assert len(await queue.receive()) == 1

    async def test_a_timeout_of_zero_makes_visible_at_once(self, sqs: Client) -> None:
        """As consumers do that give up."""
        queue = await sqs.create()
        await queue.send("a")
        (message,) = await queue.receive()
        await queue.hide(message, 0)
        assert await queue.bodies() == ["a"]

    async def test_a_message_stays_hidden_for_12_hours_in_all(self, sqs: Client, clock: VirtualClock) -> None:
        """Counted from its receive."""
        queue = await sqs.create()
        await queue.send("a")
        (message,) = await queue.receive()
        await queue.hide(message, 43_200)
        await clock.advance(1)
        with pytest.raises(ApiError, match=r"Value 43200 for .* Total VisibilityTimeout for the message is beyond"):
            await queue.hide(message, 43_200)
        await queue.hide(message, 43_199)

    async def test_a_message_is_hidden_anew_after_its_timeout(self, sqs: Client, clock: VirtualClock) -> None:
        """By the handle of its last receive, as the LocalStack project's validated suite recorded it."""
        queue = await sqs.create()
        await queue.send("a")
        (message,) = await queue.receive()
        await clock.advance(30)
        await queue.hide(message, 10)
        assert await queue.bodies() == []
        await clock.advance(10)
        assert await queue.bodies() == ["a"]

    async def test_an_old_handle_cannot_hide_a_visible_message(self, sqs: Client, clock: VirtualClock) -> None:
        """It is not in flight, and the handle is not that of its last receive."""
        queue = await sqs.create()
        await queue.send("a")
        (old,) = await queue.receive()
        await clock.advance(30)
        assert await queue.bodies() == ["a"]
        await clock.advance(30)
        with pytest.raises(ApiError) as caught:
            await queue.hide(old, 10)
        assert caught.value.code == "MessageNotInflight"

    async def test_an_old_handle_still_deletes_from_a_standard_queue(self, sqs: Client, clock: VirtualClock) -> None:
        """Whoever has processed a message may delete it."""
        queue = await sqs.create()
        await queue.send("a")
        (old,) = await queue.receive()
        await clock.advance(30)
        assert await queue.bodies() == ["a"]
        await queue.delete(old)
        await clock.advance(30)
        assert await queue.receive() == []

    async def test_delayed_messages_appear_when_their_delay_is_over(self, sqs: Client, clock: VirtualClock) -> None:
        """The message's own delay goes before the queue's."""
        queue = await sqs.create(DelaySeconds="10")
        await queue.send("own", DelaySeconds=5)
        await queue.send("queue's")
        await queue.send("none", DelaySeconds=0)
        assert await queue.counts() == (1, 0, 2)
        assert await queue.bodies() == ["none"]
        await clock.advance(5)
        assert await queue.bodies() == ["own"]
        await clock.advance(5)
        assert await queue.bodies() == ["queue's"]

    async def test_messages_are_received_in_the_order_of_sending(self, sqs: Client) -> None:
        """Which a standard queue need not do, and a person at a desk likes."""
        queue = await sqs.create()
        await queue.send(*map(str, range(25)))
        assert await queue.bodies() + await queue.bodies() + await queue.bodies() == list(map(str, range(25)))


class TestLongPolling:
    """A receive that waits is answered as soon as there is something."""

    async def test_it_ends_empty_at_its_deadline(self, sqs: Client, clock: VirtualClock) -> None:
        """After WaitTimeSeconds."""
        queue = await sqs.create()
        task = asyncio.create_task(queue.receive(WaitTimeSeconds=20))
        await clock.advance(19.99)
        assert not task.done()
        await clock.advance(0.01)
        assert task.done()
        assert await task == []
        assert waiting(sqs) == 0

    async def test_the_queues_own_wait_is_the_default(self, sqs: Client, clock: VirtualClock) -> None:
        """ReceiveMessageWaitTimeSeconds; a receive that says 0 does not wait."""
        queue = await sqs.create(ReceiveMessageWaitTimeSeconds="5")
        task = asyncio.create_task(queue.receive())
        await clock.advance(4)
        assert not task.done()
        await clock.advance(1)
        assert await task == []
        assert await queue.receive(WaitTimeSeconds=0) == []

    async def test_a_send_ends_the_wait(self, sqs: Client, clock: VirtualClock) -> None:
        """At the same moment."""
        queue = await sqs.create()
        task = asyncio.create_task(queue.bodies(WaitTimeSeconds=20))
        await clock.advance(3)
        await queue.send("a")
        await clock.settle()
        assert task.done()
        assert await task == ["a"]

    async def test_a_batch_ends_the_wait_with_all_of_it(self, sqs: Client, clock: VirtualClock) -> None:
        """Not with the first message only."""
        queue = await sqs.create()
        task = asyncio.create_task(queue.bodies(WaitTimeSeconds=20))
        await clock.advance(1)
        entries = [{"Id": str(i), "MessageBody": str(i)} for i in range(5)]
        await queue("SendMessageBatch", Entries=entries)
        await clock.settle()
        assert await task == ["0", "1", "2", "3", "4"]

    @pytest.mark.parametrize("kind", ["delay", "timeout", "change", "own receive"])
    async def test_it_ends_when_a_hidden_message_becomes_visible(
        self, sqs: Client, clock: VirtualClock, kind: str
    ) -> None:
        """At that very moment, whatever hid the message."""
        queue = await sqs.create(VisibilityTimeout="8")
        if kind == "delay":
            await queue.send("a", DelaySeconds=8)
        elif kind == "timeout":
            await queue.send("a")
            await queue.receive()
        elif kind == "change":
            await queue.send("a")
            (message,) = await queue.receive(VisibilityTimeout=3)
            await queue.hide(message, 8)
        task = asyncio.create_task(queue.bodies(WaitTimeSeconds=20))
        await clock.settle()
        if kind == "own receive":
            # Another consumer takes the message before the one that waits, which does not know of it.
            sending, other = queue.send("a"), queue.bodies(WaitTimeSeconds=0)
            await asyncio.gather(sending, other)
            await clock.settle()
        await clock.advance(7.999)
        assert not task.done()
        await clock.advance(0.001)
        assert task.done()
        assert await task == ["a"]

    async def test_a_delayed_send_during_the_wait_is_waited_for(self, sqs: Client, clock: VirtualClock) -> None:
        """The send moves the next moment to look."""
        queue = await sqs.create()
        task = asyncio.create_task(queue.bodies(WaitTimeSeconds=20))
        await clock.advance(1)
        await queue.send("a", DelaySeconds=10)
        await clock.advance(9.9)
        assert not task.done()
        await clock.advance(0.1)
        assert await task == ["a"]

    async def test_setting_a_timeout_to_zero_ends_the_wait(self, sqs: Client, clock: VirtualClock) -> None:
        """As does every change that makes something visible sooner."""
        queue = await sqs.create()
        await queue.send("a")
        (message,) = await queue.receive()
        task = asyncio.create_task(queue.bodies(WaitTimeSeconds=20))
        await clock.advance(2)
        await queue.hide(message, 0)
        await clock.settle()
        assert task.done()
        assert await task == ["a"]

    async def test_those_who_wait_are_served_in_their_order(self, sqs: Client, clock: VirtualClock) -> None:
        """One message each, the first come first."""
        queue = await sqs.create()
        tasks = []
        for _ in range(5):
            tasks.append(asyncio.create_task(queue.bodies(1, WaitTimeSeconds=20)))
            await clock.settle()
        assert waiting(sqs) == 5
        for number, task in enumerate(tasks):
            await queue.send(str(number))
            await clock.settle()
            assert task.done()
            assert await task == [str(number)]
            assert waiting(sqs) == 4 - number

    async def test_one_batch_serves_several_who_wait(self, sqs: Client, clock: VirtualClock) -> None:
        """The first passes the turn on when it has what it wants."""
        queue = await sqs.create()
        tasks = [asyncio.create_task(queue.bodies(2, WaitTimeSeconds=20)) for _ in range(4)]
        await clock.settle()
        await queue("SendMessageBatch", Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(5)])
        await clock.settle()
        assert [task.done() for task in tasks] == [True, True, True, False]
        assert [await task for task in tasks[:3]] == [["0", "1"], ["2", "3"], ["4"]]
        await clock.advance(20)
        assert await tasks[3] == []

    async def test_the_second_in_line_inherits_the_next_moment(self, sqs: Client, clock: VirtualClock) -> None:
        """When the first gives up, the second still looks when the hidden message is due."""
        queue = await sqs.create(VisibilityTimeout="12")
        await queue.send("a")
        await queue.receive()
        first = asyncio.create_task(queue.bodies(WaitTimeSeconds=5))
        await clock.settle()
        second = asyncio.create_task(queue.bodies(WaitTimeSeconds=20))
        await clock.advance(5)
        assert first.done()
        await clock.advance(6.9)
        assert not second.done()
        await clock.advance(0.1)
        assert await second == ["a"]

    async def test_a_client_that_has_gone_takes_no_message(self, sqs: Client, clock: VirtualClock) -> None:
        """The next in line gets it, with a receive count of 1."""
        queue = await sqs.create()
        gone = asyncio.create_task(queue.receive(WaitTimeSeconds=20))
        await clock.settle()
        stays = asyncio.create_task(queue.receive(WaitTimeSeconds=20))
        await clock.settle()
        gone.cancel()
        await clock.settle()
        assert waiting(sqs) == 1
        await queue.send("a")
        await clock.settle()
        (message,) = await stays
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"

    async def test_a_second_in_line_that_goes_leaves_the_line(self, sqs: Client, clock: VirtualClock) -> None:
        """Nobody waits for it."""
        queue = await sqs.create()
        tasks = [asyncio.create_task(queue.bodies(1, WaitTimeSeconds=20)) for _ in range(3)]
        await clock.settle()
        tasks[1].cancel()
        await clock.settle()
        assert waiting(sqs) == 2
        await queue.send("a", "b")
        await clock.settle()
        assert [await tasks[0], await tasks[2]] == [["a"], ["b"]]

    async def test_messages_taken_for_a_client_that_goes_before_the_answer_come_back(
        self, sqs: Client, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are released at once, and that receive is not counted."""
        queue = await sqs.create()
        await queue.send("a")
        task: asyncio.Task[Any] | None = None
        take = SqsStorage.take

        async def take_and_go(*args: Any) -> None:
            await take(*args)
            assert task is not None
            task.cancel()

        monkeypatch.setattr(SqsStorage, "take", take_and_go)
        task = asyncio.create_task(queue.receive())
        with pytest.raises(asyncio.CancelledError):
            await task
        monkeypatch.undo()
        await clock.settle()
        (message,) = await queue.receive()
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"

    async def test_deleting_the_queue_ends_every_wait(self, sqs: Client, clock: VirtualClock) -> None:
        """With QueueDoesNotExist."""
        queue = await sqs.create()
        tasks = [asyncio.create_task(queue.receive(WaitTimeSeconds=20)) for _ in range(3)]
        await clock.settle()
        await queue("DeleteQueue")
        await clock.settle()
        for task in tasks:
            assert task.done()
            with pytest.raises(ApiError) as caught:
                await task
            assert caught.value.code == "QueueDoesNotExist"
        assert waiting(sqs) == 0

    async def test_a_reset_ends_every_wait(self, sqs: Client, clock: VirtualClock) -> None:
        """The queue is gone."""
        queue = await sqs.create()
        tasks = [asyncio.create_task(queue.receive(WaitTimeSeconds=20)) for _ in range(2)]
        await clock.settle()
        await sqs.cloud.reset()
        await clock.settle()
        assert all(task.done() and task.exception() for task in tasks)

    async def test_a_server_that_stops_lets_everyone_go_empty_handed(self, sqs: Client, clock: VirtualClock) -> None:
        """It need not wait for long polls to end."""
        queue = await sqs.create()
        tasks = [asyncio.create_task(queue.receive(WaitTimeSeconds=20)) for _ in range(3)]
        await clock.settle()
        sqs.cloud.drain()
        await clock.settle()
        assert [await task for task in tasks] == [[], [], []]


class TestRetention:
    """A message past its retention period is gone, whether or not it was swept."""

    async def test_an_expired_message_is_neither_received_nor_counted(self, sqs: Client, clock: VirtualClock) -> None:
        """From the very moment."""
        queue = await sqs.create(MessageRetentionPeriod="60")
        await queue.send("old")
        await clock.advance(30)
        await queue.send("new")
        await clock.advance(29.999)
        assert await queue.counts() == (2, 0, 0)
        await clock.advance(0.001)
        assert await queue.counts() == (1, 0, 0)
        assert await queue.bodies() == ["new"]

    async def test_expired_messages_are_swept_away(self, sqs: Client, clock: VirtualClock) -> None:
        """Without anybody asking."""
        queue = await sqs.create(MessageRetentionPeriod="60")
        await queue.send(*map(str, range(20)))
        assert await rows(sqs) == 20
        await clock.advance(125)
        assert await rows(sqs) == 0

    @pytest.mark.parametrize("wait", [0, 20])
    async def test_a_receive_finds_what_is_behind_many_expired_messages(
        self, sqs: Client, clock: VirtualClock, wait: int
    ) -> None:
        """In several transactions, none of which holds everybody up."""
        queue = await sqs.create(MessageRetentionPeriod="60")
        await clock.advance(1)  # the next sweep comes a second too early for them
        for _ in range(150):
            await queue("SendMessageBatch", Entries=[{"Id": str(i), "MessageBody": "old"} for i in range(10)])
        await clock.advance(59)
        await queue.send("new")
        await clock.advance(1)
        assert await rows(sqs) == 1501
        assert await queue.bodies(WaitTimeSeconds=wait) == ["new"]

    async def test_a_shorter_retention_counts_for_messages_that_are_there(
        self, sqs: Client, clock: VirtualClock
    ) -> None:
        """As SetQueueAttributes documents."""
        queue = await sqs.create()
        await queue.send("a")
        await clock.advance(100)
        await queue("SetQueueAttributes", Attributes={"MessageRetentionPeriod": "60"})
        assert await queue.receive() == []

    async def test_a_standard_dead_letter_keeps_its_age(self, sqs: Client, clock: VirtualClock) -> None:
        """The enqueue timestamp is unchanged, so it expires with the original's age."""
        dead = await sqs.create("dead", MessageRetentionPeriod="100")
        queue = await sqs.create("q", VisibilityTimeout="0", **dead.redrive(1))
        await queue.send("a")
        await clock.advance(90)
        assert len(await queue.receive()) == 1
        assert await queue.receive() == []
        (message,) = await dead.receive(VisibilityTimeout=0)
        assert message["Attributes"]["SentTimestamp"] == "1700000000000"
        await clock.advance(10)
        assert await dead.receive() == []

    async def test_a_fifo_dead_letter_starts_anew(self, sqs: Client, clock: VirtualClock) -> None:
        """The enqueue timestamp is reset."""
        dead = await sqs.create_fifo("dead.fifo", MessageRetentionPeriod="100")
        queue = await sqs.create_fifo("q.fifo", VisibilityTimeout="0", **dead.redrive(1))
        await queue.post("g", "a")
        await clock.advance(90)
        assert len(await queue.receive()) == 1
        assert await queue.receive() == []
        await clock.advance(99)
        assert len(await dead.receive()) == 1


class TestRedrive:
    """A message that was received too often goes to the dead-letter queue."""

    async def test_the_receive_after_the_last_moves_it(self, sqs: Client, clock: VirtualClock) -> None:
        """With its body, id, attributes and count; the dead-letter queue says where it came from."""
        dead = await sqs.create("dead")
        queue = await sqs.create("q", VisibilityTimeout="5", **dead.redrive(2))
        attributes = {"k": {"DataType": "String", "StringValue": "v"}}
        await queue.send("poison", MessageAttributes=attributes)
        await queue.send("good")
        first = (await queue.receive(1))[0]
        await clock.advance(5)
        assert sorted(await queue.bodies()) == ["good", "poison"]
        await clock.advance(5)
        assert await queue.bodies() == ["good"]
        (message,) = await dead.receive(MessageAttributeNames=["All"])
        assert (message["Body"], message["MessageId"]) == ("poison", first["MessageId"])
        assert message["MessageAttributes"] == attributes
        assert message["Attributes"]["ApproximateReceiveCount"] == "3"
        assert message["Attributes"]["DeadLetterQueueSourceArn"] == queue.arn

    async def test_it_wakes_those_who_wait_at_the_dead_letter_queue(self, sqs: Client, clock: VirtualClock) -> None:
        """In the same moment."""
        dead = await sqs.create("dead")
        queue = await sqs.create("q", VisibilityTimeout="0", **dead.redrive(1))
        await queue.send("a")
        task = asyncio.create_task(dead.bodies(WaitTimeSeconds=20))
        await clock.settle()
        await queue.receive()
        await queue.receive()
        await clock.settle()
        assert await task == ["a"]

    async def test_a_receive_looks_past_what_it_moves(self, sqs: Client) -> None:
        """Ten poison messages hide nothing behind them."""
        dead = await sqs.create("dead")
        queue = await sqs.create("q", VisibilityTimeout="0", **dead.redrive(1))
        await queue.send(*[f"poison {i}" for i in range(10)])
        assert len(await queue.receive()) == 10
        await queue.send("good")
        assert await queue.bodies(1) == ["good"]
        assert await dead.counts() == (10, 0, 0)

    async def test_without_its_dead_letter_queue_a_message_stays(self, sqs: Client) -> None:
        """Nothing is lost."""
        dead = await sqs.create("dead")
        queue = await sqs.create("q", VisibilityTimeout="0", **dead.redrive(1))
        await queue.send("a", "b")
        await dead("DeleteQueue")
        for _ in range(3):
            assert await queue.bodies() == ["a", "b"]

    async def test_a_policy_takes_effect_at_once(self, sqs: Client) -> None:
        """For messages that are there, too: no stale copy of the queue is used."""
        dead = await sqs.create("dead")
        queue = await sqs.create("q", VisibilityTimeout="0")
        await queue.send("a")
        await queue.receive()
        await queue("SetQueueAttributes", Attributes=dead.redrive(1))
        assert await queue.receive() == []
        assert await dead.bodies() == ["a"]


class TestPurge:
    """A purge empties a queue, once a minute."""

    async def test_all_kinds_of_messages_are_gone(self, sqs: Client, clock: VirtualClock) -> None:
        """Visible, delayed and in flight; what is sent afterwards stays."""
        queue = await sqs.create()
        await queue.send("in flight", "visible")
        (message,) = await queue.receive(1)
        await queue.send("delayed", DelaySeconds=5)
        await queue("PurgeQueue")
        assert await queue.counts() == (0, 0, 0)
        await queue.send("new")
        await queue.delete(message)
        await clock.advance(40)
        assert await queue.bodies() == ["new"]
        assert await rows(sqs) == 1

    async def test_a_second_purge_must_wait_60_seconds(self, sqs: Client, clock: VirtualClock) -> None:
        """PurgeQueueInProgress until then."""
        queue = await sqs.create()
        await queue("PurgeQueue")
        await clock.advance(59.9)
        with pytest.raises(ApiError) as caught:
            await queue("PurgeQueue")
        assert caught.value.code == "PurgeQueueInProgress"
        assert caught.value.message == "Only one PurgeQueue operation on q is allowed every 60 seconds."
        await clock.advance(0.1)
        await queue("PurgeQueue")

    async def test_it_forgets_deduplication_ids(self, sqs: Client) -> None:
        """What was purged can be sent again."""
        queue = await sqs.create_fifo()
        await queue.post("g", "a")
        await queue("PurgeQueue")
        await queue.post("g", "a")
        assert await queue.bodies() == ["a"]

    async def test_a_deleted_queue_leaves_nothing(self, sqs: Client, clock: VirtualClock) -> None:
        """And a new one of the same name is empty; the old one's handles are not its own."""
        queue = await sqs.create_fifo()
        await queue.post("g", *map(str, range(20)))
        (message,) = await queue.receive(1)
        await queue("DeleteQueue")
        queue = await sqs.create_fifo()
        assert await queue.receive() == []
        with pytest.raises(ApiError) as caught:
            await queue.delete(message)
        assert caught.value.code == "ReceiptHandleIsInvalid"
        await clock.settle()
        for table in ("sqs_messages", "sqs_groups", "sqs_deduplications"):
            assert await rows(sqs, table) == 0
        assert await rows(sqs, "sqs_backlogs") == 1


class TestFifo:
    """Order within groups, one batch of a group in flight, no duplicates within five minutes."""

    async def test_a_group_is_received_in_order_and_then_closed(self, sqs: Client) -> None:
        """Until what was received is deleted; another group is not affected."""
        queue = await sqs.create_fifo()
        await queue.post("a", "1", "2", "3")
        await queue.post("b", "4")
        got = await queue.receive(2)
        assert [message["Body"] for message in got] == ["1", "2"]
        assert await queue.bodies(10) == ["4"]
        await queue.delete(got[0])
        assert await queue.receive() == []
        await queue.delete(got[1])
        assert await queue.bodies() == ["3"]

    async def test_a_receive_fills_up_from_other_groups(self, sqs: Client) -> None:
        """As many of one group as there are, then of the next, the oldest first."""
        queue = await sqs.create_fifo()
        await queue.post("a", "1", "2")
        await queue.post("b", "3")
        await queue.post("a", "4")
        assert sorted(await queue.bodies()) == ["1", "2", "3", "4"]

    async def test_what_times_out_comes_first_again(self, sqs: Client, clock: VirtualClock) -> None:
        """Order is kept over a failure."""
        queue = await sqs.create_fifo(VisibilityTimeout="10")
        await queue.post("g", "1", "2", "3")
        await queue.receive(1)
        await clock.advance(10)
        assert await queue.bodies() == ["1", "2", "3"]

    @pytest.mark.parametrize("given_back", [0, 1, 2, 3])
    async def test_a_group_is_received_up_to_the_first_in_flight(self, sqs: Client, given_back: int) -> None:
        """As many as were given back at its head.

        Recorded by LocalStack's suite in November 2025, known only from its copy in localemu/localemu; the
        documentation would keep the group closed.
        """
        queue = await sqs.create_fifo()
        await queue.post("g", "1", "2", "3")
        for message in (await queue.receive())[:given_back]:
            await queue.hide(message, 0)
        assert await queue.bodies() == ["1", "2", "3"][:given_back]

    async def test_nothing_overtakes_what_is_in_flight(self, sqs: Client, clock: VirtualClock) -> None:
        """Giving back a later message opens nothing; giving back the first wakes those who wait."""
        queue = await sqs.create_fifo()
        await queue.post("g", "1", "2", "3")
        one, two = await queue.receive(2)
        await queue.hide(two, 0)
        assert await queue.receive() == []
        task = asyncio.create_task(queue.bodies(WaitTimeSeconds=20))
        await clock.settle()
        await queue.hide(one, 0)
        await clock.settle()
        assert await task == ["1", "2", "3"]

    async def test_deleting_the_last_in_flight_wakes_those_who_wait(self, sqs: Client, clock: VirtualClock) -> None:
        """The group's next message becomes receivable at that moment."""
        queue = await sqs.create_fifo()
        await queue.post("g", "1", "2")
        (message,) = await queue.receive(1)
        task = asyncio.create_task(queue.bodies(WaitTimeSeconds=20))
        await clock.advance(1)
        assert not task.done()
        await queue.delete(message)
        await clock.settle()
        assert await task == ["2"]

    async def test_the_queues_delay_holds_a_message_and_what_follows_it(self, sqs: Client, clock: VirtualClock) -> None:
        """Delays of FIFO queues are the queue's."""
        queue = await sqs.create_fifo(DelaySeconds="5")
        await queue.post("g", "1")
        await queue("SetQueueAttributes", Attributes={"DelaySeconds": "0"})
        await queue.post("g", "2")
        assert await queue.receive() == []
        await clock.advance(5)
        assert await queue.bodies() == ["1", "2"]

    async def test_a_duplicate_is_accepted_and_not_delivered(self, sqs: Client, clock: VirtualClock) -> None:
        """It is answered with the original's id and number, for five minutes, even after the original was deleted."""
        queue = await sqs.create_fifo()
        send = {"MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
        first = await queue("SendMessage", **send)
        again = await queue("SendMessage", **{**send, "MessageBody": "other", "MessageGroupId": "h"})
        assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
        (message,) = await queue.receive()
        await queue.delete(message)
        await clock.advance(299.9)
        await queue("SendMessage", **send)
        assert await queue.receive() == []
        await clock.advance(0.1)
        third = await queue("SendMessage", **send)
        assert third["SequenceNumber"] > first["SequenceNumber"]
        assert await queue.bodies() == ["a"]

    async def test_deduplication_by_content_hashes_the_body(self, sqs: Client) -> None:
        """Not the attributes; an id that is given goes before the hash and may equal one."""
        queue = await sqs.create_fifo(ContentBasedDeduplication="true")
        attributes = {"k": {"DataType": "String", "StringValue": "v"}}
        await queue("SendMessage", MessageBody="a", MessageGroupId="g")
        await queue("SendMessage", MessageBody="a", MessageGroupId="g", MessageAttributes=attributes)
        await queue("SendMessage", MessageBody="a", MessageGroupId="g", MessageDeduplicationId="own")
        digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        await queue("SendMessage", MessageBody="b", MessageGroupId="g", MessageDeduplicationId=digest)
        got = await queue.receive()
        assert [message["Attributes"]["MessageDeduplicationId"] for message in got] == [digest, "own"]

    async def test_deduplication_by_group_tells_groups_apart(self, sqs: Client) -> None:
        """High throughput: DeduplicationScope=messageGroup."""
        queue = await sqs.create_fifo(DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
        for group in ("a", "b", "a"):
            await queue("SendMessage", MessageBody=group, MessageGroupId=group, MessageDeduplicationId="d")
        assert await queue.bodies() == ["a", "b"]

    async def test_an_expired_handle_neither_deletes_nor_hides(self, sqs: Client, clock: VirtualClock) -> None:
        """The receipt handle has expired."""
        queue = await sqs.create_fifo(VisibilityTimeout="10")
        await queue.post("g", "1")
        (message,) = await queue.receive()
        await clock.advance(10)
        for attempt in (queue.delete(message), queue.hide(message, 5)):
            with pytest.raises(ApiError, match=r"Reason: The receipt handle has expired\.$") as caught:
                await attempt
            assert caught.value.code == "InvalidParameterValueException"
        reply = await queue("DeleteMessageBatch", Entries=[{"Id": "x", "ReceiptHandle": message["ReceiptHandle"]}])
        assert reply["Failed"][0]["Id"] == "x"

    async def test_a_receive_can_be_repeated_by_its_attempt_id(self, sqs: Client, clock: VirtualClock) -> None:
        """With the same messages and handles, hidden anew, not counted again."""
        queue = await sqs.create_fifo(VisibilityTimeout="30")
        await queue.post("g", "1", "2", "3")
        first = await queue.receive(2, ReceiveRequestAttemptId="x")
        await clock.advance(20)
        assert await queue.receive(2, ReceiveRequestAttemptId="x") == first
        await clock.advance(29)
        assert await queue.receive(2) == []
        await queue.delete(first[0])
        with pytest.raises(ApiError, match="Value x for parameter ReceiveRequestAttemptId is invalid"):
            await queue.receive(2, ReceiveRequestAttemptId="x")
        await clock.advance(1)
        assert await queue.bodies(2, ReceiveRequestAttemptId="x") == ["2", "3"]

    async def test_dead_letters_keep_their_group_and_let_the_next_through(
        self, sqs: Client, clock: VirtualClock
    ) -> None:
        """A poison message blocks its group only until it is moved."""
        dead = await sqs.create_fifo("dead.fifo")
        queue = await sqs.create_fifo("q.fifo", VisibilityTimeout="5", **dead.redrive(1))
        await queue.post("g", "poison", "good")
        assert await queue.bodies(1) == ["poison"]
        await clock.advance(5)
        assert await queue.bodies(1) == ["good"]
        (message,) = await dead.receive()
        assert (message["Body"], message["Attributes"]["MessageGroupId"]) == ("poison", "g")

    async def test_an_expired_head_opens_its_group(self, sqs: Client, clock: VirtualClock) -> None:
        """Retention works within groups."""
        queue = await sqs.create_fifo(MessageRetentionPeriod="60")
        await queue.post("g", *[f"old-{i}" for i in range(12)])
        await clock.advance(50)
        await queue.post("g", "new")
        await clock.advance(10)
        assert await queue.bodies() == ["new"]

    async def test_expired_deduplication_ids_are_swept(self, sqs: Client, clock: VirtualClock) -> None:
        """And so are receive attempts."""
        queue = await sqs.create_fifo()
        await queue.post("g", "1")
        await queue.receive(ReceiveRequestAttemptId="x")
        await clock.advance(700)
        assert await rows(sqs, "sqs_deduplications") == 0
        assert await rows(sqs, "sqs_receive_attempts") == 0

    async def test_a_standard_queue_takes_a_group_for_fairness(self, sqs: Client) -> None:
        """It is shown and does not order anything."""
        queue = await sqs.create()
        await queue.send("a", "b", MessageGroupId="tenant")
        got = await queue.receive(1) + await queue.receive(1)
        assert [message["Attributes"]["MessageGroupId"] for message in got] == ["tenant", "tenant"]


class TestMoveTasks:
    """Messages go back from the dead-letter queue, at a rate, over restarts."""

    async def dead_letters(self, sqs: Client, count: int, names: tuple[str, ...] = ("q",)) -> tuple[Queue, list[Queue]]:
        dead = await sqs.create("dead")
        sources = []
        for name in names:
            queue = await sqs.create(name, VisibilityTimeout="0", **dead.redrive(1))
            await queue.send(*[f"{name}{i}" for i in range(count)])
            for _ in range(-(-count // 10)):
                await queue.receive()
            while await queue.receive():
                pass
            sources.append(queue)
        assert (await dead.counts())[0] == count * len(names)
        return dead, sources

    async def test_messages_go_back_to_where_they_came_from(self, sqs: Client, clock: VirtualClock) -> None:
        """As new messages: with a new id, sent now, never received."""
        dead, (one, other) = await self.dead_letters(sqs, 3, ("one", "other"))
        await clock.advance(5)
        await sqs("StartMessageMoveTask", SourceArn=dead.arn)
        await clock.settle()
        assert (await one.counts(), await other.counts(), await dead.counts()) == ((3, 0, 0), (3, 0, 0), (0, 0, 0))
        (message,) = await one.receive(1)
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        assert message["Attributes"]["SentTimestamp"] == "1700000005000"
        assert "DeadLetterQueueSourceArn" not in message["Attributes"]
        task = await sqs.move_task(dead)
        assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 6)
        assert task["ApproximateNumberOfMessagesToMove"] == 6
        assert task.get("TaskHandle") is None
        assert task["StartedTimestamp"] == 1_700_000_005_000

    async def test_or_to_another_queue(self, sqs: Client, clock: VirtualClock) -> None:
        """That wakes who waits there."""
        dead, _ = await self.dead_letters(sqs, 2)
        other = await sqs.create("other")
        waiter = asyncio.create_task(other.bodies(WaitTimeSeconds=20))
        await clock.settle()
        await sqs("StartMessageMoveTask", SourceArn=dead.arn, DestinationArn=other.arn)
        await clock.settle()
        assert await waiter == ["q0", "q1"]

    async def test_a_rate_is_kept(self, sqs: Client, clock: VirtualClock) -> None:
        """One a second, and the task can be seen running."""
        dead, (queue,) = await self.dead_letters(sqs, 5)
        await sqs("StartMessageMoveTask", SourceArn=dead.arn, MaxNumberOfMessagesPerSecond=1)
        await clock.settle()
        for moved in range(1, 5):
            assert (await queue.counts())[0] == moved
            task = await sqs.move_task(dead)
            assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("RUNNING", moved)
            assert task["TaskHandle"]
            await clock.advance(1)
        assert (await sqs.move_task(dead))["Status"] == "COMPLETED"

    async def test_it_can_be_cancelled_while_it_runs(self, sqs: Client, clock: VirtualClock) -> None:
        """What was moved stays moved; afterwards there is nothing to cancel."""
        dead, (queue,) = await self.dead_letters(sqs, 5)
        handle = (await sqs("StartMessageMoveTask", SourceArn=dead.arn, MaxNumberOfMessagesPerSecond=1))["TaskHandle"]
        await clock.advance(1)
        reply = await sqs("CancelMessageMoveTask", TaskHandle=handle)
        assert reply == {"ApproximateNumberOfMessagesMoved": 2}
        await clock.advance(10)
        assert (await sqs.move_task(dead))["Status"] == "CANCELLED"
        assert ((await queue.counts())[0], (await dead.counts())[0]) == (2, 3)
        with pytest.raises(ApiError) as caught:
            await sqs("CancelMessageMoveTask", TaskHandle=handle)
        assert caught.value.code == "UnsupportedOperation"

    async def test_one_task_at_a_time(self, sqs: Client, clock: VirtualClock) -> None:
        """For a source queue."""
        dead, _ = await self.dead_letters(sqs, 3)
        await sqs("StartMessageMoveTask", SourceArn=dead.arn, MaxNumberOfMessagesPerSecond=1)
        with pytest.raises(ApiError, match="There is already a task running"):
            await sqs("StartMessageMoveTask", SourceArn=dead.arn)
        await clock.advance(5)
        await sqs("StartMessageMoveTask", SourceArn=dead.arn)

    async def test_a_message_of_unknown_origin_fails_the_task(self, sqs: Client, clock: VirtualClock) -> None:
        """It was sent to the dead-letter queue directly."""
        dead, _ = await self.dead_letters(sqs, 1)
        await dead.send("direct")
        await sqs("StartMessageMoveTask", SourceArn=dead.arn)
        await clock.settle()
        task = await sqs.move_task(dead)
        assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
        assert (task["ApproximateNumberOfMessagesMoved"], (await dead.counts())[0]) == (1, 1)

    async def test_a_destination_that_is_deleted_fails_the_task(self, sqs: Client, clock: VirtualClock) -> None:
        """What is left stays in the source."""
        dead, _ = await self.dead_letters(sqs, 3)
        other = await sqs.create("other")
        await sqs("StartMessageMoveTask", SourceArn=dead.arn, DestinationArn=other.arn, MaxNumberOfMessagesPerSecond=1)
        await clock.settle()
        await other("DeleteQueue")
        await clock.advance(2)
        task = await sqs.move_task(dead)
        assert (task["Status"], task["FailureReason"]) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
        assert (await dead.counts())[0] == 2

    async def test_many_messages_are_moved_in_several_steps(self, sqs: Client, clock: VirtualClock) -> None:
        """Of a hundred each."""
        dead, (queue,) = await self.dead_letters(sqs, 250)
        await sqs("StartMessageMoveTask", SourceArn=dead.arn)
        await clock.settle(200)
        assert (await queue.counts())[0] == 250

    async def test_the_ten_latest_are_listed_the_newest_first(self, sqs: Client, clock: VirtualClock) -> None:
        """Older ones are forgotten."""
        dead, _ = await self.dead_letters(sqs, 1)
        for _ in range(12):
            await sqs("StartMessageMoveTask", SourceArn=dead.arn)
            await clock.advance(1)
        found = (await sqs("ListMessageMoveTasks", SourceArn=dead.arn, MaxResults=10))["Results"]
        started = [task["StartedTimestamp"] for task in found]
        assert len(started) == 10
        assert started == sorted(started, reverse=True)
        assert await rows(sqs, "sqs_move_tasks") == 10

    async def test_fifo_messages_keep_their_groups(self, sqs: Client, clock: VirtualClock) -> None:
        """And their order within them."""
        dead = await sqs.create_fifo("dead.fifo")
        queue = await sqs.create_fifo("q.fifo", VisibilityTimeout="0", **dead.redrive(1))
        await queue.post("g", "1", "2", "3")
        await queue.receive()
        await queue.receive()
        await sqs("StartMessageMoveTask", SourceArn=dead.arn)
        await clock.settle()
        assert await queue.bodies(VisibilityTimeout=5) == ["1", "2", "3"]
        assert await dead.counts() == (0, 0, 0)


class TestLimits:
    """Bounds that are reached in virtual life only."""

    async def test_a_standard_queue_refuses_a_receive_beyond_120_000_in_flight(
        self, sqs: Client, clock: VirtualClock
    ) -> None:
        """A short poll is refused, a long poll waits; a deletion makes room."""
        queue = await sqs.create()
        await queue.send("a")
        (message,) = await queue.receive()
        await self.put_in_flight(sqs, MAXIMUM_IN_FLIGHT - 1)
        service(sqs).receiver.forget()
        await queue.send("b", "c")
        with pytest.raises(ApiError) as caught:
            await queue.receive()
        assert caught.value.code == "OverLimit"
        waiting_task = asyncio.create_task(queue.receive(WaitTimeSeconds=3))
        await clock.advance(3)
        assert await waiting_task == []
        await queue.delete(message)
        assert await queue.bodies() == ["b"]

    async def put_in_flight(self, sqs: Client, count: int) -> None:
        """Copies of the one message that is in flight."""

        async def body(tx: Tx) -> None:
            await tx.execute(
                "INSERT INTO sqs_messages (backlog, visible_at, receives, sent_at, message_id, body_md5, body) "
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "
                "SELECT backlog, visible_at, receives, sent_at, message_id, body_md5, body FROM sqs_messages, n",
                count,
            )

        await sqs.cloud.storage.transact(body)

    async def test_counting_goes_by_pages(self, sqs: Client) -> None:
        """More than a page is counted right."""
        queue = await sqs.create()
        await queue.send("a")
        await queue.receive(VisibilityTimeout=100)
        await self.put_in_flight(sqs, COUNT_PAGE)
        await queue.send("b")
        await queue.send("c", DelaySeconds=50)
        assert await queue.counts() == (1, COUNT_PAGE + 1, 1)


async def test_everything_is_there_after_a_restart(tmp_path: Path, clock: VirtualClock) -> None:
    """Queues, attributes, messages in every state, groups, deduplication ids, running move tasks."""

    async def begin() -> LocalCloud:
        config = Config(data=tmp_path / "data")
        storage = SqliteStorage(config.data, clock, inline_commit=True)
        cloud = LocalCloud(config, clock, Ids(seed=1), storage, services={"sqs": Sqs})
        await cloud.start()
        return cloud

    cloud = await begin()
    sqs = Client(cloud)
    dead = await sqs.create("dead")
    queue = await sqs.create("q", VisibilityTimeout="0", **dead.redrive(1))
    fifo = await sqs.create_fifo()
    await queue.send("x", "y", "z")
    await queue.receive()
    await queue.receive()
    await queue.send("delayed", DelaySeconds=60)
    await fifo.post("g", "1", "2")
    (in_flight,) = await fifo.receive(1)
    await sqs("StartMessageMoveTask", SourceArn=dead.arn, MaxNumberOfMessagesPerSecond=1)
    await clock.settle()
    await cloud.stop()

    cloud = await begin()
    sqs = Client(cloud)
    dead, queue, fifo = Queue(sqs, dead.url, dead.arn), Queue(sqs, queue.url, queue.arn), Queue(sqs, fifo.url, fifo.arn)
    assert (await sqs.move_task(dead))["Status"] == "RUNNING"
    await clock.advance(2)
    assert (await sqs.move_task(dead))["Status"] == "COMPLETED"
    assert await queue.counts() == (3, 0, 1)
    assert await fifo.receive() == []
    await fifo.delete(in_flight)
    await fifo.post("g", "1")  # a duplicate still
    assert await fifo.bodies() == ["2"]
    await cloud.stop()


async def test_hot_statements_use_indexes(sqs: Client) -> None:
    """No statement of the hot paths scans or sorts a table."""
    from fogbank.services.sqs import storage
    from fogbank.services.sqs._fifo import storage as fifo
    from fogbank.services.sqs._moves import storage as moves

    engine = sqs.cloud.storage
    assert isinstance(engine, SqliteStorage)
    statements = {
        name: text
        for module in (storage, fifo, moves)
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str) and text.strip().startswith(("SELECT", "UPDATE", "DELETE"))
    }
    assert len(statements) > 30
    allowed = {"NEXT_TASK", "DROPPED_BACKLOGS", "ANY_FIFO"}  # scans of partial indexes that hold a few rows
    for name, text in statements.items():
        plan = " | ".join(engine.plan(text))
        if name not in allowed:
            assert "SCAN sqs_" not in plan, (name, plan)
            assert "TEMP B-TREE" not in plan, (name, plan)

"""SNS in virtual time and over a crash: retries, throttles, deduplication, confirmations, metrics, what survives."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.endpoint import endpoint
from tests.services.topics import bodies, queue, subscribe, topic

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.errors import ApiError
from fogbank.core.http.client import HttpReply
from fogbank.core.scope import Scope
from fogbank.services.sns import _routes

SCOPE = Scope()
URL = "http://localhost/000000000000/q"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def call(cloud: LocalCloud) -> Call:
    """Calls of this cloud: `await call("sns", "Publish", …)`."""

    async def make(service: str, operation: str, **request: Any) -> Any:
        return await cloud.call(SCOPE, service, operation, request)

    return make


class Server:
    """Stands for a web server: answers with `statuses`, then 200, and keeps when what came."""

    def __init__(self, clock: VirtualClock, *statuses: int) -> None:
        self._clock = clock
        self._statuses = list(statuses)
        self.begin = clock.time()
        self.sent: list[tuple[float, str, bytes]] = []

    async def send(self, method: str, url: str, headers: Any, body: bytes, **_: Any) -> HttpReply:
        kind = dict(headers)["x-amz-sns-message-type"]
        self.sent.append((round(self._clock.time() - self.begin, 3), kind, body))
        return HttpReply(self._statuses.pop(0) if self._statuses else 200, method + url, (), b"")

    @property
    def moments(self) -> list[float]:
        return [moment for moment, kind, _ in self.sent if kind == "Notification"]


async def confirmed(cloud: LocalCloud, call: Call, server: Server, **attributes: str) -> str:
    """The ARN of a confirmed subscription of a web server."""
    await call("sns", "CreateTopic", Name="t")
    await call("sns", "Subscribe", TopicArn=TOPIC, Protocol="http", Endpoint="http://x.test/", Attributes=attributes)
    await cloud.delivery.quiet()
    token = json.loads(server.sent[-1][2])["Token"]
    return str((await call("sns", "ConfirmSubscription", TopicArn=TOPIC, Token=token))["SubscriptionArn"])


async def test_a_web_server_that_fails_is_tried_three_times_more_20_seconds_apart(
    cloud: LocalCloud, clock: VirtualClock, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default delivery policy; then the message is given up, and goes to the dead-letter queue."""
    server = Server(clock, 200, 500, 503, 429, 500)
    monkeypatch.setattr(_routes, "send", server.send)
    await call("sqs", "CreateQueue", QueueName="q")
    await confirmed(cloud, call, server, RedrivePolicy=json.dumps({"deadLetterTargetArn": QUEUE}))
    await call("sns", "Publish", TopicArn=TOPIC, Message="m")
    await clock.advance(300)
    await cloud.delivery.quiet()
    assert server.moments == [0, 20, 40, 60]
    (message,) = (await call("sqs", "ReceiveMessage", QueueUrl=URL, MessageAttributeNames=["All"]))["Messages"]
    assert json.loads(message["Body"])["Message"] == "m"
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "500"


async def test_a_delivery_policy_says_when(
    cloud: LocalCloud, clock: VirtualClock, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, after the least delay, along the curve, after the greatest; 4xx ends it."""
    server = Server(clock, 200, *[500] * 6, 404)
    monkeypatch.setattr(_routes, "send", server.send)
    policy = {
        "numRetries": 8, "numNoDelayRetries": 1, "numMinDelayRetries": 1, "numMaxDelayRetries": 4,
        "minDelayTarget": 10, "maxDelayTarget": 40, "backoffFunction": "linear",
    }  # fmt: skip
    await confirmed(cloud, call, server, DeliveryPolicy=json.dumps({"healthyRetryPolicy": policy}))
    await call("sns", "Publish", TopicArn=TOPIC, Message="m")
    await clock.advance(1000)
    await cloud.delivery.quiet()
    assert server.moments == [0, 0, 10, 35, 75, 115, 155]


async def test_a_throttle_spreads_deliveries(
    cloud: LocalCloud, clock: VirtualClock, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """maxReceivesPerSecond."""
    server = Server(clock)
    monkeypatch.setattr(_routes, "send", server.send)
    await confirmed(cloud, call, server, DeliveryPolicy='{"throttlePolicy":{"maxReceivesPerSecond":2}}')
    server.begin = clock.time()
    for number in range(4):
        await call("sns", "Publish", TopicArn=TOPIC, Message=str(number))
    await clock.advance(10)
    await cloud.delivery.quiet()
    gaps = [later - earlier for earlier, later in zip(server.moments, server.moments[1:], strict=False)]
    assert gaps == [0.5] * 3


async def test_a_deduplication_id_is_remembered_for_five_minutes(
    cloud: LocalCloud, clock: VirtualClock, call: Call
) -> None:
    """Then it is a new message, and what was remembered is swept away."""
    arn = (await call("sns", "CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true"}))["TopicArn"]

    async def publish() -> str:
        reply = await call("sns", "Publish", TopicArn=arn, Message="m", MessageGroupId="g", MessageDeduplicationId="d")
        return str(reply["MessageId"])

    first = await publish()
    await clock.advance(299)
    assert await publish() == first
    await clock.advance(2)
    assert await publish() != first
    await clock.advance(600)
    assert await cloud.storage.read(lambda tx: tx.fetch("SELECT * FROM sns_deduplications")) == []


@pytest.mark.slow
async def test_a_subscription_that_nobody_confirms_is_given_up_after_two_days(
    cloud: LocalCloud, clock: VirtualClock, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token is then worth nothing."""
    server = Server(clock)
    monkeypatch.setattr(_routes, "send", server.send)
    await call("sns", "CreateTopic", Name="t")
    await call("sns", "Subscribe", TopicArn=TOPIC, Protocol="http", Endpoint="http://x.test/")
    await cloud.delivery.quiet()
    token = json.loads(server.sent[0][2])["Token"]
    assert len((await call("sns", "ListSubscriptions"))["Subscriptions"]) == 1
    await clock.advance(2 * 86_400 + 1)
    assert (await call("sns", "ListSubscriptions"))["Subscriptions"] == []
    with pytest.raises(ApiError) as info:
        await call("sns", "ConfirmSubscription", TopicArn=TOPIC, Token=token)
    assert info.value.message == "Invalid parameter: Token"


async def test_topics_are_counted(cloud: LocalCloud, clock: VirtualClock, call: Call) -> None:
    """Published, delivered, filtered out: by AWS's names."""
    await call("sqs", "CreateQueue", QueueName="q")
    await call("sns", "CreateTopic", Name="t")
    await call(
        "sns", "Subscribe", TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE, Attributes={"FilterPolicy": '{"a":["x"]}'}
    )
    for value in ("x", "y"):
        attributes = {"a": {"DataType": "String", "StringValue": value}}
        await call("sns", "Publish", TopicArn=TOPIC, Message="four", MessageAttributes=attributes)
    await call("sns", "Publish", TopicArn=TOPIC, Message="four")

    async def total(name: str) -> float:
        now = clock.time()
        reply = await call(
            "cloudwatch", "GetMetricStatistics", Namespace="AWS/SNS", MetricName=name, Period=7200, Statistics=["Sum"],
            Dimensions=[{"Name": "TopicName", "Value": "t"}], StartTime=now - 7000, EndTime=now + 60,
        )  # fmt: skip
        return float(sum(point["Sum"] for point in reply["Datapoints"]))

    await cloud.delivery.quiet()
    assert await total("NumberOfMessagesPublished") == 3
    assert await total("PublishSize") == 12 + 2 * len("aStringx")
    assert await total("NumberOfNotificationsDelivered") == 1
    assert await total("NumberOfNotificationsFilteredOut") == 2
    assert await total("NumberOfNotificationsFilteredOut-NoMessageAttributes") == 1


@pytest.mark.slow
def test_what_was_published_survives_a_kill(new_server: Callable[..., ServerProcess]) -> None:
    """The queue has it, the web server that did not answer gets it from the next process, the signature still holds."""
    server = new_server()
    sns, sqs = server.client("sns"), server.client("sqs")
    url, arn = queue(sqs)
    target = topic(sns)
    subscribe(sns, target, arn, RawMessageDelivery="true")
    with endpoint() as web:
        policy = {"healthyRetryPolicy": {"numRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 1}}
        sns.subscribe(
            TopicArn=target, Protocol="http", Endpoint=web.url, Attributes={"DeliveryPolicy": json.dumps(policy)}
        )
        invited = web.next().document
        sns.confirm_subscription(TopicArn=target, Token=invited["Token"])
        web.answer(500)
        sent = sns.publish(TopicArn=target, Message="m")
        assert web.next().document["MessageId"] == sent["MessageId"]
        server.kill()
        server.start()
        again = web.next().document
    assert again["MessageId"] == sent["MessageId"]
    assert again["SigningCertURL"] == invited["SigningCertURL"]
    assert bodies(server.client("sqs"), url.replace(url.split("/")[2], server.endpoint.split("/")[2])) == ["m"]

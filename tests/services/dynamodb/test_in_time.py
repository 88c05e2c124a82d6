"""DynamoDB in virtual time, in this process: expiry, tokens, stream retention, chores after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.services.dynamodb.shapes import COMPOSITE, SIMPLE, attributes, index, plain

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.dynamodb import DynamoDb, DynamoDbStreams
from fogbank.storage import SqliteStorage

SCOPE = Scope()
HOUR = 3600.0


class Client:
    """Calls DynamoDB as any client would, in this process."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.cloud.call(SCOPE, "dynamodb", operation, request)

    async def streams(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.cloud.call(SCOPE, "dynamodbstreams", operation, request)

    async def ids(self, **request: Any) -> list[str]:
        reply = await self("Scan", TableName="table", **request)
        return sorted(item["id"]["S"] for item in reply["Items"])

    async def put(self, **values: Any) -> None:
        await self("PutItem", TableName="table", Item=plain(values))

    async def expire_by(self, attribute: str, *, enabled: bool = True) -> None:
        specification = {"Enabled": enabled, "AttributeName": attribute}
        await self("UpdateTimeToLive", TableName="table", TimeToLiveSpecification=specification)


@pytest.fixture
def client(cloud: LocalCloud) -> Client:
    return Client(cloud)


async def test_an_expired_item_is_read_until_it_is_removed(client: Client, clock: VirtualClock) -> None:
    await client("CreateTable", TableName="table", **SIMPLE)
    await client.expire_by("expires")
    now = int(clock.time())
    await client.put(id="soon", expires=now + 60)
    await client.put(id="late", expires=now + 3600)
    await client.put(id="never")
    await client.put(id="text", expires="soon")
    await clock.advance(61)
    assert "soon" in await client.ids(), "as on DynamoDB, expired items stay for a while"
    await clock.advance(15)
    assert await client.ids() == ["late", "never", "text"]
    await clock.advance(HOUR)
    assert await client.ids() == ["never", "text"]


async def test_an_item_can_be_saved_by_a_later_expiry(client: Client, clock: VirtualClock) -> None:
    await client("CreateTable", TableName="table", **SIMPLE)
    await client.expire_by("expires")
    now = int(clock.time())
    await client.put(id="a", expires=now + 60)
    await clock.advance(30)
    await client.put(id="a", expires=now + 6000)
    await clock.advance(60)
    assert await client.ids() == ["a"]


@pytest.mark.slow
async def test_time_to_live_counts_for_items_that_were_there_before(client: Client, clock: VirtualClock) -> None:
    await client("CreateTable", TableName="table", **SIMPLE)
    now = int(clock.time())
    for number in range(450):
        await client.put(id=f"{number:03}", expires=now + 60, other=now + 7200)
    await client.expire_by("expires")
    await clock.advance(30)
    await client.expire_by("expires", enabled=False)
    await clock.advance(HOUR)
    assert len(await client.ids()) == 450, "it was turned off in time"
    await client.expire_by("other")
    await clock.advance(2 * HOUR)
    assert await client.ids() == []


async def test_an_item_that_expired_years_ago_is_left_alone(client: Client, clock: VirtualClock) -> None:
    await client("CreateTable", TableName="table", **SIMPLE)
    await client.expire_by("expires")
    years = 365 * 86_400
    await client.put(id="mistake", expires=int(clock.time()) - 6 * years)
    await client.put(id="old", expires=int(clock.time()) - 4 * years)
    await clock.advance(HOUR)
    assert await client.ids() == ["mistake"]


async def test_expiry_removes_from_indexes_and_is_recorded_as_the_services(client: Client, clock: VirtualClock) -> None:
    await client(
        "CreateTable", TableName="table", **{**SIMPLE, "AttributeDefinitions": attributes(id="S", group="S")},
        GlobalSecondaryIndexes=[index("by-group", "group")],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"},
    )  # fmt: skip
    await client.expire_by("expires")
    await client.put(id="a", group="g", expires=int(clock.time()) + 5)
    assert await client.ids(IndexName="by-group") == ["a"]
    await clock.advance(60)
    assert await client.ids(IndexName="by-group") == []
    record = (await stream_records(client))[-1]
    assert record["eventName"] == "REMOVE"
    assert record["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert record["dynamodb"]["OldImage"]["group"] == {"S": "g"}


async def shard_iterator(client: Client) -> str:
    arn = (await client("DescribeTable", TableName="table"))["Table"]["LatestStreamArn"]
    shards = (await client.streams("DescribeStream", StreamArn=arn))["StreamDescription"]["Shards"]
    reply = await client.streams(
        "GetShardIterator", StreamArn=arn, ShardId=shards[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    return str(reply["ShardIterator"])


async def stream_records(client: Client) -> list[dict[str, Any]]:
    reply = await client.streams("GetRecords", ShardIterator=await shard_iterator(client))
    return list(reply["Records"])


@pytest.mark.slow
async def test_records_are_kept_for_a_day_and_iterators_for_a_quarter_of_an_hour(
    client: Client, clock: VirtualClock
) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    await client("CreateTable", TableName="table", **SIMPLE, StreamSpecification=stream)
    await client.put(id="old")
    await clock.advance(23 * HOUR)
    await client.put(id="new")
    assert len(await stream_records(client)) == 2
    stale = await shard_iterator(client)
    await clock.advance(2 * HOUR)
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in await stream_records(client)] == ["new"]
    with pytest.raises(ApiError) as caught:
        await client.streams("GetRecords", ShardIterator=stale)
    assert caught.value.code == "ExpiredIteratorException"


async def test_a_token_is_remembered_for_ten_minutes(client: Client, clock: VirtualClock) -> None:
    await client("CreateTable", TableName="table", **SIMPLE)
    update = {
        "TableName": "table",
        "Key": plain({"id": "n"}),
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    for wait in (0, 599, 2):
        await clock.advance(wait)
        await client("TransactWriteItems", TransactItems=[{"Update": update}], ClientRequestToken="t")
    item = (await client("GetItem", TableName="table", Key=plain({"id": "n"})))["Item"]
    assert item["n"] == {"N": "2"}, "once, and once more after ten minutes"


async def test_deletion_and_writing_at_once_leave_nothing_behind(client: Client) -> None:
    """Writes that come with the deletion of their table either count before it or are refused."""
    await client("CreateTable", TableName="table", **SIMPLE)
    await client.put(id="before")

    async def write(number: int) -> str:
        try:
            await client.put(id=str(number))
        except ApiError as error:
            return error.code
        return "written"

    calls = [write(number) for number in range(5)]
    calls.append(client("DeleteTable", TableName="table"))  # type: ignore[arg-type]
    calls += [write(number) for number in range(5, 10)]
    outcomes = await asyncio.gather(*calls)
    assert outcomes[:5] == ["written"] * 5
    assert outcomes[6:] == ["ResourceNotFoundException"] * 5
    await client("CreateTable", TableName="table", **SIMPLE)
    assert await client.ids() == []


async def test_a_reset_forgets_tables(client: Client) -> None:
    await client("CreateTable", TableName="table", **SIMPLE)
    await client.put(id="a")
    await client.cloud.reset()
    with pytest.raises(ApiError, match="Requested resource not found"):
        await client.put(id="a")
    await client("CreateTable", TableName="table", **SIMPLE)
    assert await client.ids() == []


class Restarted:
    """The same folder under one cloud after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()

    async def start(self) -> LocalCloud:
        config = Config(data=self.folder)
        storage = SqliteStorage(self.folder, self.clock, inline_commit=True)
        services = {"dynamodb": DynamoDb, "dynamodbstreams": DynamoDbStreams}
        cloud = LocalCloud(config, self.clock, Ids(seed=1), storage, services=services)
        await cloud.start()
        return cloud


@pytest.mark.slow
async def test_everything_is_there_after_a_restart_and_chores_go_on(tmp_path: Path) -> None:
    world = Restarted(tmp_path / "data")
    cloud = await world.start()
    client = Client(cloud)
    await client("CreateTable", TableName="table", **COMPOSITE)
    now = int(world.clock.time())
    for number in range(500):
        item = plain({"pk": "p", "sk": number, "shape": "round", "expires": now + 60})
        await client("PutItem", TableName="table", Item=item)
    change = {"Create": index("by-shape", "shape", "sk")}
    await client(
        "UpdateTable", TableName="table", AttributeDefinitions=attributes(shape="S", sk="N"),
        GlobalSecondaryIndexUpdates=[change],
    )  # fmt: skip
    await client.expire_by("expires")
    await cloud.stop()
    client = Client(await world.start())
    await world.clock.settle(500)
    values = {":s": {"S": "round"}}
    request = {"KeyConditionExpression": "shape = :s", "ExpressionAttributeValues": values, "Select": "COUNT"}
    assert (await client("Query", TableName="table", IndexName="by-shape", **request))["Count"] == 500
    await world.clock.advance(120)
    assert (await client("Scan", TableName="table"))["Count"] == 0
    assert (await client("Query", TableName="table", IndexName="by-shape", **request))["Count"] == 0
    await client.cloud.stop()

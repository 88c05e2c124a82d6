"""CreateTable's and UpdateTable's requests as definitions, and what DynamoDB refuses of them."""

# ruff: noqa: E501 - one row of a table is one line
from __future__ import annotations

from typing import Any

import pytest

from fogbank.core.errors import ApiError, NotImplementedByFogbank, ValidationError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._tables import changes, creation
from fogbank.services.dynamodb._tables.changes import Change
from fogbank.services.dynamodb._tables.description import describe
from fogbank.services.dynamodb.errors import LimitExceededError, ResourceNotFoundError
from fogbank.services.dynamodb.model import Definition, Table

NOW = 1_700_000_000.0
INVALID = "One or more parameter values were invalid: "


def attributes(*pairs: str) -> list[dict[str, str]]:
    return [{"AttributeName": pair[0], "AttributeType": pair[2:] or "S"} for pair in pairs]


def schema(*pairs: str) -> list[dict[str, str]]:
    return [{"AttributeName": pair[0], "KeyType": pair[2:] or "HASH"} for pair in pairs]


def index(name: str, *keys: str, projection: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": schema(*keys),
        "Projection": projection or {"ProjectionType": "ALL"},
        **more,
    }


def request(**changed: Any) -> dict[str, Any]:
    """A good request, with some members changed; `None` takes one away."""
    good = {"AttributeDefinitions": attributes("a"), "KeySchema": schema("a"), "BillingMode": "PAY_PER_REQUEST"}
    return {name: value for name, value in (good | changed).items() if value is not None}


def defined(**changed: Any) -> Definition:
    given = request(TableName="table", **changed)
    creation.check_given(given)
    return creation.definition(given, "table", Scope(), NOW, Ids(1))


UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
COMPOSITE: dict[str, Any] = {"AttributeDefinitions": attributes("a", "b"), "KeySchema": schema("a", "b:RANGE")}
WIDE: dict[str, Any] = {"AttributeDefinitions": attributes("a", "b", "c"), "KeySchema": schema("a", "b:RANGE")}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"KeySchema": None}, "1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: Member must not be null"),
        ({"AttributeDefinitions": attributes("a", "a")}, "Cannot have two attributes with the same name"),
        ({"KeySchema": schema("a:RANGE")}, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
        ({**COMPOSITE, "KeySchema": schema("a", "b")}, "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"),
        ({"KeySchema": schema("a", "a:RANGE")}, "Invalid KeySchema: Some index key attribute have no definition"),
        ({**COMPOSITE, "KeySchema": schema("a", "a")}, "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
        ({"KeySchema": schema("a", "b:RANGE", "c:RANGE")}, "1 validation error detected: Value '[KeySchemaElement(attributeName=a, keyType=HASH), KeySchemaElement(attributeName=b, keyType=RANGE), KeySchemaElement(attributeName=c, keyType=RANGE)]' at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2"),
        ({"AttributeDefinitions": attributes("a", "b")}, INVALID + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"),
        ({"AttributeDefinitions": attributes("b")}, INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [a], AttributeDefinitions: [b]"),
        ({**COMPOSITE, "AttributeDefinitions": attributes("a")}, "Invalid KeySchema: Some index key attribute have no definition"),
        ({"BillingMode": None}, INVALID + 'Missing required parameter in input: "ProvisionedThroughput"'),
        ({"BillingMode": "PROVISIONED"}, INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"),
        ({"ProvisionedThroughput": UNITS}, INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"),
        ({"BillingMode": None, "ProvisionedThroughput": {"ReadCapacityUnits": 10**13, "WriteCapacityUnits": 1}}, "Given value 10000000000000 for ReadCapacityUnits is out of bounds"),
        ({"GlobalSecondaryIndexes": []}, INVALID + "List of GlobalSecondaryIndexes is empty"),
        ({"LocalSecondaryIndexes": []}, INVALID + "List of LocalSecondaryIndexes is empty"),
        ({**COMPOSITE, "LocalSecondaryIndexes": [index("one", "b:RANGE")]}, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
        ({**COMPOSITE, "LocalSecondaryIndexes": [index("one", "c:RANGE", "d:RANGE")]}, INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [c, d], AttributeDefinitions: [a, b]"),
        ({"LocalSecondaryIndexes": [index("one", "c:RANGE")]}, INVALID + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"),
        ({**COMPOSITE, "LocalSecondaryIndexes": [index("one", "a", "a:RANGE")]}, "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
        ({"AttributeDefinitions": attributes("a", "b"), "LocalSecondaryIndexes": [index("one", "a", "b:RANGE")]}, INVALID + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"),
        ({**COMPOSITE, "LocalSecondaryIndexes": [index("one", "a")]}, INVALID + "Index KeySchema does not have a range key for index: one"),
        ({**WIDE, "LocalSecondaryIndexes": [index("one", "c", "b:RANGE")]}, INVALID + "Index KeySchema does not have the same leading hash key as table KeySchema for index: one. index hash key: c, table hash key: a"),
        ({**WIDE, "LocalSecondaryIndexes": [index("one", "a", "c:RANGE"), index("one", "a", "c:RANGE")]}, INVALID + "Duplicate index name: one"),
        ({**WIDE, "LocalSecondaryIndexes": [index(f"i-{n}", "a", "c:RANGE") for n in range(6)]}, INVALID + "Number of LocalSecondaryIndexes exceeds per-table limit of 5"),
        ({"GlobalSecondaryIndexes": [index(f"i-{n}", "a") for n in range(21)]}, INVALID + "GlobalSecondaryIndex count exceeds the per-table limit of 20"),
        ({"GlobalSecondaryIndexes": [index("one", "b")]}, INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [b], AttributeDefinitions: [a]"),
        ({"AttributeDefinitions": attributes("a", "b", "c"), "GlobalSecondaryIndexes": [index("one", "b")]}, INVALID + "Some AttributeDefinitions are not used. AttributeDefinitions: [a, b, c], keys used: [a, b]"),
        ({"GlobalSecondaryIndexes": [index("one", "a", projection={"NonKeyAttributes": ["x"]})]}, INVALID + "Unknown ProjectionType: null"),
        ({"GlobalSecondaryIndexes": [index("one", "a", projection={"ProjectionType": "INCLUDE"})]}, INVALID + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified"),
        ({"GlobalSecondaryIndexes": [index("one", "a", projection={"ProjectionType": "ALL", "NonKeyAttributes": ["x"]})]}, INVALID + "ProjectionType is ALL, but NonKeyAttributes is specified"),
        ({"GlobalSecondaryIndexes": [index("one", "a", ProvisionedThroughput=UNITS)]}, INVALID + "ProvisionedThroughput should not be specified for index: one when BillingMode is PAY_PER_REQUEST"),
        ({"BillingMode": None, "ProvisionedThroughput": UNITS, "GlobalSecondaryIndexes": [index("one", "a")]}, INVALID + "ProvisionedThroughput is not specified for index: one"),
        ({"StreamSpecification": {"StreamEnabled": True}}, INVALID + "StreamViewType must be specified when StreamEnabled is true"),
        ({"Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}, INVALID + "Duplicate tag keys are not allowed"),
        ({"ResourcePolicy": "{"}, "Invalid policy document: the policy is not valid JSON"),
    ],
)  # fmt: skip
def test_a_table_that_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        defined(**changed)
    assert caught.value.message == message


@pytest.mark.parametrize("member", ["VectorIndexes", "GlobalTableSourceArn"])
def test_what_is_not_implemented_is_refused_by_name(member: str) -> None:
    with pytest.raises(NotImplementedByFogbank, match=member):
        defined(**{member: []})


def test_a_global_index_may_have_four_and_four_keys() -> None:
    names = "abcdefgh"
    definition = defined(
        AttributeDefinitions=attributes(*names),
        GlobalSecondaryIndexes=[index("wide", *names[:4], *(f"{name}:RANGE" for name in names[4:]))],
    )
    keys = definition.indexes[0].keys
    assert [part.name for part in keys.hash] == list("abcd")
    assert [part.name for part in keys.range] == list("efgh")


def shown(definition: Definition, status: str = "ACTIVE") -> dict[str, Any]:
    return describe(Table(1, Scope(), definition), {0: (3, 100)}, status)


def test_a_description_has_what_was_asked_for() -> None:
    table = shown(
        defined(
            **WIDE,
            BillingMode=None,
            ProvisionedThroughput=UNITS,
            LocalSecondaryIndexes=[index("local", "a", "c:RANGE", projection={"ProjectionType": "KEYS_ONLY"})],
            GlobalSecondaryIndexes=[index("global", "c", ProvisionedThroughput=UNITS)],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            SSESpecification={"Enabled": True, "KMSMasterKeyId": "abc"},
            TableClass="STANDARD_INFREQUENT_ACCESS",
            DeletionProtectionEnabled=True,
        )
    )
    assert table["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/table"
    assert (table["ItemCount"], table["TableSizeBytes"]) == (3, 100)
    assert table["ProvisionedThroughput"] == UNITS | {"NumberOfDecreasesToday": 0}
    assert "BillingModeSummary" not in table
    assert table["LocalSecondaryIndexes"][0]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert table["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    assert table["LatestStreamLabel"] == "2023-11-14T22:13:20.000"
    assert table["LatestStreamArn"] == table["TableArn"] + "/stream/2023-11-14T22:13:20.000"
    assert table["SSEDescription"]["KMSMasterKeyArn"] == "arn:aws:kms:us-east-1:000000000000:key/abc"
    assert table["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    assert table["DeletionProtectionEnabled"] is True


def test_a_table_on_demand_says_so() -> None:
    table = shown(defined(), "CREATING")
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 0


def changed(old: Definition, **members: Any) -> Change:
    changes.check_request(members)
    return changes.changed(members, old, Scope(), NOW + 60, Ids(2))


def refused(old: Definition, **members: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        changed(old, **members)
    return caught.value


PROVISIONED = {"BillingMode": None, "ProvisionedThroughput": UNITS}


def test_an_update_must_change_something() -> None:
    nothings: list[dict[str, Any]] = [{}, {"GlobalSecondaryIndexUpdates": []}]
    for nothing in nothings:
        assert "At least one of ProvisionedThroughput" in refused(defined(), **nothing).message
    same = refused(defined(**PROVISIONED), ProvisionedThroughput=UNITS)
    assert same.message.startswith(
        "The provisioned throughput for the table will not change. The requested value equals the current value. "
        "Current ReadCapacityUnits provisioned for the table: 5. Requested ReadCapacityUnits: 5."
    )


def test_billing_can_be_changed_both_ways() -> None:
    on_demand = changed(defined(**PROVISIONED), BillingMode="PAY_PER_REQUEST").definition
    assert shown(on_demand)["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    back = changed(on_demand, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS).definition
    assert shown(back)["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert shown(back)["ProvisionedThroughput"]["WriteCapacityUnits"] == 6
    assert "must both be specified" in refused(on_demand, BillingMode="PROVISIONED").message


def test_throughput_remembers_when_it_rose_and_fell() -> None:
    old = defined(**PROVISIONED)
    more = changed(old, ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 1}).definition
    assert (more.throughput.increased, more.throughput.decreased) == (NOW + 60, NOW + 60)


def test_a_new_global_index_is_to_be_filled() -> None:
    create = {"Create": index("new", "b")}
    change = changed(defined(), AttributeDefinitions=attributes("a", "b"), GlobalSecondaryIndexUpdates=[create])
    assert change.filled == (1,)
    description = shown(change.definition)["GlobalSecondaryIndexes"][0]
    assert (description["IndexStatus"], description["Backfilling"]) == ("CREATING", True)
    assert changed(change.definition, DeletionProtectionEnabled=True).definition.protected
    again = {"Create": index("newer", "b")}
    assert isinstance(refused(change.definition, GlobalSecondaryIndexUpdates=[again]), LimitExceededError)
    assert changed(change.definition, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "new"}}]).purged == (1,)


def test_a_deleted_global_index_is_to_be_purged_and_its_attributes_forgotten() -> None:
    old = defined(AttributeDefinitions=attributes("a", "b"), GlobalSecondaryIndexes=[index("gone", "b")])
    change = changed(old, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "gone"}}])
    assert change.purged == (1,)
    assert [part.name for part in change.definition.attributes] == ["a"]
    create = {"Create": index("new", "b")}
    later = changed(change.definition, AttributeDefinitions=attributes("a", "b"), GlobalSecondaryIndexUpdates=[create])
    assert later.filled == (2,), "a number is never used again"


def test_index_updates_that_are_refused() -> None:
    old = defined(AttributeDefinitions=attributes("a", "b"), GlobalSecondaryIndexes=[index("one", "b")])
    two = [{"Create": index("x-1", "b")}, {"Delete": {"IndexName": "one"}}]
    assert isinstance(refused(old, GlobalSecondaryIndexUpdates=two), LimitExceededError)
    exists = refused(old, GlobalSecondaryIndexUpdates=[{"Create": index("one", "b")}])
    assert exists.message == "Attempting to create an index which already exists"
    twice = refused(old, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "one"}}] * 2)
    assert twice.message == (
        INVALID + "Only one global secondary index update per index is allowed simultaneously. Index: one"
    )
    missing = refused(old, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "none"}}])
    assert isinstance(missing, ResourceNotFoundError)
    known = refused(
        old, AttributeDefinitions=attributes("c"), GlobalSecondaryIndexUpdates=[{"Create": index("new", "b")}]
    )
    assert "Keys: [b], AttributeDefinitions: [c]" in known.message, "the request itself must define the keys"
    undefined = refused(old, GlobalSecondaryIndexUpdates=[{"Create": index("new", "q")}])
    assert "Some index key attributes are not defined in AttributeDefinitions" in undefined.message


def test_a_stream_is_begun_and_ended_once() -> None:
    view = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    begun = changed(defined(), StreamSpecification=view)
    assert begun.begins_stream
    assert refused(begun.definition, StreamSpecification=view).message == (
        "Table already has an enabled stream: TableName: table"
    )
    ended = changed(begun.definition, StreamSpecification={"StreamEnabled": False})
    assert ended.ends_stream
    assert "StreamSpecification" not in shown(ended.definition)
    assert "LatestStreamArn" in shown(ended.definition)


def test_replicas_are_refused_by_name() -> None:
    assert isinstance(refused(defined(), ReplicaUpdates=[]), NotImplementedByFogbank)

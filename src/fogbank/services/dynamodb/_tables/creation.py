"""CreateTable's request as a definition."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from fogbank.core.errors import NotImplementedByFogbank, ValidationError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._rows.catalog import name_fault
from fogbank.services.dynamodb._tables import schemas
from fogbank.services.dynamodb._tables.schemas import Given
from fogbank.services.dynamodb.errors import invalid_parameter
from fogbank.services.dynamodb.model import (
    BillingMode,
    Definition,
    IndexDefinition,
    KeySchema,
    Stream,
    Throughput,
)

MAX_TAGS = 50
_TAG = re.compile(r"[\w\s.:/=+\-@]*")
"""Letters and digits of any script, spaces, and these signs."""
_TAG_SHOWN = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"
MAX_POLICY = 20 * 1024
"""Bytes of a resource-based policy."""

_ABSENT = ("GlobalTableSourceArn", "GlobalTableSettingsReplicationMode", "VectorIndexes")


def definition(request: Given, name: str, scope: Scope, now: float, ids: Ids) -> Definition:
    """The table that a CreateTable request describes."""
    refuse(request, _ABSENT, "CreateTable")
    attributes = schemas.attributes(request["AttributeDefinitions"])
    kinds = {part.name: part.kind for part in attributes}
    billing = BillingMode(request.get("BillingMode", BillingMode.PROVISIONED))
    units = _units(request, billing, now)
    keys = schemas.table_keys(request["KeySchema"], kinds)
    indexes = _indexes(request, keys, kinds, provisioned=billing is BillingMode.PROVISIONED, now=now)
    schemas.check_attributes(attributes, keys, indexes)
    schemas.check_indexes(indexes)
    policy = request.get("ResourcePolicy")
    return Definition(
        name=name,
        uid=ids.uuid(),
        created=now,
        attributes=attributes,
        keys=keys,
        billing=billing,
        throughput=units,
        indexes=indexes,
        next_index=len(indexes) + 1,
        on_demand=schemas.on_demand(request.get("OnDemandThroughput")),
        warm=request.get("WarmThroughput"),
        billing_changed=now if billing is BillingMode.PAY_PER_REQUEST else None,
        protected=request.get("DeletionProtectionEnabled", False),
        table_class=request.get("TableClass"),
        encryption_key=encryption_key(request.get("SSESpecification"), scope, ids),
        stream=stream(request.get("StreamSpecification"), now),
        tags=tags(request.get("Tags", [])),
        policy=None if policy is None else checked_policy(policy),
        policy_revision="" if policy is None else str(int(now * 1000)),
    )


def check_given(request: Given) -> None:
    """What a table cannot be without, and its name, told together. The model leaves them out for some requests."""
    missing = "Value null at '{}' failed to satisfy constraint: Member must not be null"
    faults = [
        None if "AttributeDefinitions" in request else missing.format("attributeDefinitions"),
        None if request["TableName"].startswith("arn:") else name_fault(request["TableName"]),
        None if "KeySchema" in request else missing.format("keySchema"),
    ]
    found = [fault for fault in faults if fault is not None]
    if found:
        raise ValidationError(
            f"{len(found)} validation error{'' if len(found) == 1 else 's'} detected: {'; '.join(found)}"
        )


def refuse(request: Given, members: Sequence[str], operation: str) -> None:
    """Say by name what is not implemented, rather than take it and do nothing."""
    for member in members:
        if member in request:
            raise NotImplementedByFogbank(f"Fogbank does not implement {member} of dynamodb.{operation} yet")


def _units(request: Given, billing: BillingMode, now: float) -> Throughput:
    given = request.get("ProvisionedThroughput")
    if billing is BillingMode.PAY_PER_REQUEST:
        if given is not None:
            raise invalid_parameter(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        return Throughput(0, 0)
    if given is None:
        if "BillingMode" in request:
            raise invalid_parameter(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
            )
        raise invalid_parameter('Missing required parameter in input: "ProvisionedThroughput"')
    return schemas.throughput(given, None, now)


def _indexes(
    request: Given, keys: KeySchema, kinds: schemas.Kinds, *, provisioned: bool, now: float
) -> tuple[IndexDefinition, ...]:
    locals_, globals_ = request.get("LocalSecondaryIndexes"), request.get("GlobalSecondaryIndexes")
    for name, given in (("LocalSecondaryIndexes", locals_), ("GlobalSecondaryIndexes", globals_)):
        if given is not None and not given:
            raise invalid_parameter(f"List of {name} is empty")
    indexes: list[IndexDefinition] = []
    for one in locals_ or ():
        indexes.append(schemas.local_index(one, len(indexes) + 1, keys, kinds))
    for one in globals_ or ():
        number = len(indexes) + 1
        indexes.append(schemas.global_index(one, number, kinds, provisioned=provisioned, now=now))
    return tuple(indexes)


def encryption_key(given: Given | None, scope: Scope, ids: Ids) -> str | None:
    """The ARN of the KMS key of a table with SSE; `None` for one that only has DynamoDB's own encryption."""
    if given is None or not given.get("Enabled"):
        if given is not None and (given.get("SSEType") or given.get("KMSMasterKeyId")):
            raise invalid_parameter("SSEType and KMSMasterKeyId can be specified only when SSE is enabled")
        return None
    if given.get("SSEType", "KMS") != "KMS":
        raise invalid_parameter(f"SSEType {given['SSEType']} is not supported")
    key = given.get("KMSMasterKeyId")
    if key is None:
        return scope.arn("kms", f"key/{ids.uuid()}")
    if key.startswith("arn:"):
        return str(key)
    return scope.arn("kms", key if key.startswith("alias/") else f"key/{key}")


def stream(given: Given | None, now: float) -> Stream | None:
    """The stream that a StreamSpecification begins."""
    if given is None:
        return None
    view = given.get("StreamViewType")
    if not given["StreamEnabled"]:
        if view is not None:
            raise invalid_parameter("StreamViewType cannot be specified when StreamEnabled is false")
        return None
    if view is None:
        raise invalid_parameter("StreamViewType must be specified when StreamEnabled is true")
    return Stream(view, label(now))


def label(now: float) -> str:
    """A stream's label: the moment of its beginning, `2025-01-31T12:00:00.000`."""
    return datetime.fromtimestamp(now, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


def tags(given: Sequence[Given]) -> dict[str, str]:
    """Tags by key."""
    found = {one["Key"]: one["Value"] for one in given}
    if len(found) != len(given):
        raise invalid_parameter("Duplicate tag keys are not allowed")
    for number, one in enumerate(given, 1):
        for member in ("Key", "Value"):
            if not _TAG.fullmatch(one[member]):
                raise ValidationError(
                    f"1 validation error detected: Value '{one[member]}' at 'tags.{number}.member.{member.lower()}' "
                    f"failed to satisfy constraint: Member must satisfy regular expression pattern: {_TAG_SHOWN}"
                )
    check_tags(found)
    return found


def check_tags(found: dict[str, str]) -> None:
    """A table has up to 50 tags, none of them AWS's own."""
    if len(found) > MAX_TAGS:
        raise invalid_parameter(f"Number of tags exceeds the limit of {MAX_TAGS}")
    if any(key.lower().startswith("aws:") for key in found):
        raise invalid_parameter("Tag keys starting with 'aws:' are reserved for system use")


def checked_policy(policy: str) -> str:
    """A resource-based policy must be a JSON object of up to 20 KB."""
    if len(policy.encode()) > MAX_POLICY:
        raise ValidationError(f"Resource policy exceeds the maximum size of {MAX_POLICY} bytes")
    try:
        document = json.loads(policy)
    except ValueError:
        raise ValidationError("Invalid policy document: the policy is not valid JSON") from None
    if not isinstance(document, dict):
        raise ValidationError("Invalid policy document: the policy is not a JSON object")
    return policy

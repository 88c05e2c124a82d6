"""Notifications: who is told of what happens to objects, and what they are told.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html (configurations),
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html (records) and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html (events for EventBridge)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import msgspec

from fogbank.delivery import Message, RetryPolicy
from fogbank.services.s3 import storage as rows
from fogbank.services.s3.errors import InvalidArgumentError
from fogbank.services.s3.model import NULL, Bucket, ObjectVersion, Versioning

if TYPE_CHECKING:
    from fogbank.core.call import Call
    from fogbank.services.kit import Kit
    from fogbank.storage import Tx

PRINCIPAL = "s3.amazonaws.com"
SETTING = "notification"
KINDS = {
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
}
"""The lists of a configuration, and the member of each that names the destination."""
POLICY = RetryPolicy(max_retries=185)
_SERVICES = {"LambdaFunctionArn": "lambda", "QueueArn": "sqs", "TopicArn": "sns"}
_ADDRESS = "127.0.0.1"
_encode = msgspec.json.Encoder().encode

TOLD = frozenset(
    {
        *(f"s3:ObjectCreated:{kind}" for kind in ("*", "Put", "Post", "Copy", "CompleteMultipartUpload")),
        *(f"s3:ObjectRemoved:{kind}" for kind in ("*", "Delete", "DeleteMarkerCreated")),
        *(f"s3:ObjectTagging:{kind}" for kind in ("*", "Put", "Delete")),
        *(f"s3:LifecycleExpiration:{kind}" for kind in ("*", "Delete", "DeleteMarkerCreated")),
        "s3:LifecycleTransition",
    }
)
"""The events that happen here. The others of the model (replication, restoring, …) are of what is not here."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a configuration: which events of which keys go where."""

    id: str
    destination: str
    events: tuple[str, ...]
    prefix: str
    suffix: str

    def meets(self, event: str, key: str) -> bool:
        """Whether an event (`ObjectCreated:Put`) of a key is to be told."""
        family = f"s3:{event.partition(':')[0]}:*"
        return (
            (f"s3:{event}" in self.events or family in self.events)
            and key.startswith(self.prefix)
            and key.endswith(self.suffix)
        )

    def overlaps(self, other: Rule) -> bool:
        """Whether one object's event could be told by both: S3 allows that to no two lines."""
        return (
            any(_same_event(a, b) for a in self.events for b in other.events)
            and (self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix))
            and (self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix))
        )


def _same_event(a: str, b: str) -> bool:
    if a == b:
        return True
    family_a, _, kind_a = a.rpartition(":")
    family_b, _, kind_b = b.rpartition(":")
    return family_a == family_b and "*" in {kind_a, kind_b}


def rules_of(configuration: Mapping[str, Any]) -> Iterator[Rule]:
    """The lines of a configuration that was checked."""
    for kind, member in KINDS.items():
        for line in configuration.get(kind) or ():
            filters = _filters(line)
            yield Rule(
                line["Id"], line[member], tuple(line["Events"]), filters.get("prefix", ""), filters.get("suffix", "")
            )


def _filters(line: Mapping[str, Any]) -> dict[str, str]:
    found = ((line.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
    return {rule["Name"].lower(): rule.get("Value", "") for rule in found}


def check(configuration: Mapping[str, Any]) -> None:
    """Refuse a configuration that S3 refuses: bad filters, ARNs, lines that overlap."""
    for kind, member in KINDS.items():
        for line in configuration.get(kind) or ():
            _check_filters(line)
            arn = line[member]
            parts = arn.split(":")
            if len(parts) < 6 or parts[0] != "arn" or parts[2] != _SERVICES[member]:
                raise InvalidArgumentError("The ARN could not be parsed", member.removesuffix("Arn"), arn)
    for one, other in combinations(rules_of(configuration), 2):
        if one.id == other.id:
            raise InvalidArgumentError("Same ID used for multiple configurations. IDs must be unique")
        if one.overlaps(other):
            raise InvalidArgumentError(
                "An object key name filtering rule defined with overlapping prefixes, overlapping suffixes, or "
                "overlapping combinations of prefixes and suffixes for the same event types."
                if one.prefix or one.suffix or other.prefix or other.suffix
                else "Configurations overlap. Configurations on the same bucket cannot share a common event type."
            )


def _check_filters(line: Mapping[str, Any]) -> None:
    found = ((line.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
    names = []
    for rule in found:
        name = str(rule.get("Name", "")).lower()
        if name not in {"prefix", "suffix"}:
            raise InvalidArgumentError(
                "filter rule name must be either prefix or suffix", "FilterRule.Name", str(rule.get("Name"))
            )
        if len(rule.get("Value", "").encode()) > 1024:
            raise InvalidArgumentError("Filter rule value cannot be greater than 1024 bytes", "FilterRule.Value", "")
        names.append(name)
    for name in set(names):
        if names.count(name) > 1:
            raise InvalidArgumentError(f"Cannot specify more than one {name} rule in a filter.")


class Notifier:
    """Puts what is to be told into the outbox, in the transaction of what happened."""

    def __init__(self, kit: Kit) -> None:
        self._delivery = kit.delivery
        self._clock = kit.clock
        self._ids = kit.ids

    async def tell(self, tx: Tx, call: Call, bucket: Bucket, version: ObjectVersion, event: str) -> None:
        """Tell whoever wants to know of an event of a bucket that `notifies`."""
        configuration = await rows.setting(tx, bucket.id, SETTING)
        if not configuration:
            return
        for rule in rules_of(configuration):
            if rule.meets(event, version.key):
                payload = _encode({"Records": [self._record(call, bucket, version, event, rule.id)]})
                await self._delivery.enqueue(tx, self._message(call, bucket, rule.destination, payload))
        if "EventBridgeConfiguration" in configuration:
            await self._publish(tx, call, bucket, version, event)

    async def _publish(self, tx: Tx, call: Call, bucket: Bucket, version: ObjectVersion, event: str) -> None:
        """Put the event on the default bus, if a rule may want it."""
        if not self._delivery.heard(bucket.scope, "aws.s3"):
            return
        kind, detail = bus_event(call, bucket, version, event)
        parameters = {
            "Source": "aws.s3",
            "DetailType": kind,
            "Resources": [bucket.arn],
            "Time": self._clock.millis() // 1000,
        }
        target = bucket.scope.arn("events", "event-bus/default")
        await self._delivery.enqueue(tx, self._message(call, bucket, target, _encode(detail), parameters))

    def _message(
        self, call: Call, bucket: Bucket, target: str, payload: bytes, parameters: Mapping[str, Any] | None = None
    ) -> Message:
        return Message(
            target=target,
            payload=payload,
            scope=bucket.scope,
            trace=call.trace,
            source=PRINCIPAL,
            policy=POLICY,
            parameters=parameters or {},
        )

    def _record(self, call: Call, bucket: Bucket, version: ObjectVersion, event: str, rule: str) -> dict[str, Any]:
        """A record of version 2.1."""
        thing: dict[str, Any] = {"key": quote_plus(version.key, safe="/")}
        if event.startswith(("ObjectCreated", "ObjectTagging")):
            thing |= (
                {"size": version.size, "eTag": version.etag} if event.startswith("ObjectC") else {"eTag": version.etag}
            )
        elif version.marker:
            thing["eTag"] = "d41d8cd98f00b204e9800998ecf8427e"
        if bucket.versioning is not Versioning.OFF and version.version != NULL:
            thing["versionId"] = version.version
        if not event.startswith("ObjectTagging"):
            thing["sequencer"] = sequencer(version, self._clock.millis())
        who = call.principal.access_key or call.scope.account
        return {
            "eventVersion": "2.3" if event.startswith(("ObjectTagging", "Lifecycle")) else "2.1",
            "eventSource": "aws:s3",
            "awsRegion": bucket.scope.region,
            "eventTime": moment(self._clock.millis()),
            "eventName": event,
            "userIdentity": {"principalId": call.principal.service or f"AWS:{who}"},
            "requestParameters": {"sourceIPAddress": call.principal.service or _ADDRESS},
            "responseElements": {"x-amz-request-id": call.request_id, "x-amz-id-2": call.request_id},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": rule,
                "bucket": {
                    "name": bucket.name,
                    "ownerIdentity": {"principalId": bucket.scope.account},
                    "arn": bucket.arn,
                },
                "object": thing,
            },
        }


def sequencer(version: ObjectVersion, now: int) -> str:
    """Hexadecimal digits that grow from one event of a key to the next."""
    return f"00{now:014X}{version.seq & 0xFFFF:04X}"[:18]


def moment(millis: int) -> str:
    """A time as records have it."""
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03d}Z"


def test_event(call: Call, bucket: Bucket, millis: int) -> bytes:
    """What a queue or topic is sent when it is made a destination."""
    return _encode(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": moment(millis),
            "Bucket": bucket.name,
            "RequestId": call.request_id,
            "HostId": call.request_id,
        }
    )


_REASONS = {
    "Put": "PutObject",
    "Post": "POST Object",
    "Copy": "CopyObject",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
}


def bus_event(call: Call, bucket: Bucket, version: ObjectVersion, event: str) -> tuple[str, dict[str, Any]]:
    """The detail type and the detail of an event for EventBridge."""
    family, _, how = event.partition(":")
    thing: dict[str, Any] = {"key": version.key}
    if family in {"ObjectCreated", "LifecycleTransition"}:
        thing["size"] = version.size
    if family in {"ObjectCreated", "LifecycleTransition", "ObjectTagging"}:
        thing["etag"] = version.etag
    elif version.marker:
        thing["etag"] = "d41d8cd98f00b204e9800998ecf8427e"
    if bucket.versioning is not Versioning.OFF:
        thing["version-id"] = version.version
    if family != "ObjectTagging":
        thing["sequencer"] = sequencer(version, version.modified)
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": thing,
        "request-id": call.request_id,
        "requester": call.principal.service or call.scope.account,
    }
    if family == "LifecycleTransition":
        return "Object Storage Class Changed", {
            **detail,
            "destination-storage-class": version.attributes.storage_class,
        }
    if family == "LifecycleExpiration":
        gone = "Permanently Deleted" if how == "Delete" else "Delete Marker Created"
        return "Object Deleted", {**detail, "reason": "Lifecycle Expiration", "deletion-type": gone}
    detail["source-ip-address"] = _ADDRESS
    if family == "ObjectCreated":
        return "Object Created", {**detail, "reason": _REASONS[how]}
    if family == "ObjectRemoved":
        gone = "Permanently Deleted" if how == "Delete" else "Delete Marker Created"
        return "Object Deleted", {**detail, "reason": "DeleteObject", "deletion-type": gone}
    return f"Object Tags {'Added' if how == 'Put' else 'Deleted'}", detail

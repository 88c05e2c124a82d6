"""AWS::S3: buckets and their policies.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_S3.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, moment, tag_list

_HOME = "us-east-1"


class BucketTakenError(ApiError):
    """A bucket of the name is there, and not this stack's."""

    code = "AlreadyExists"


_LISTS = (
    ("LambdaConfigurations", "LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
    ("QueueConfigurations", "QueueConfigurations", "Queue", "QueueArn"),
    ("TopicConfigurations", "TopicConfigurations", "Topic", "TopicArn"),
)
"""Notifications: the template's list, the API's, and what each calls the destination."""


class Bucket(ResourceType):
    """A bucket; `Ref` gives its name. It is deleted only when it is empty."""

    type = "AWS::S3::Bucket"
    service = "s3"
    name = Name("BucketName", 63, lower=True)
    attributes = ("Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL")
    missing = frozenset({"NoSuchBucket"})
    taken = frozenset({"BucketAlreadyOwnedByYou"})
    lacking = frozenset(
        {
            "AbacStatus",
            "AccelerateConfiguration",
            "AnalyticsConfigurations",
            "BucketNamePrefix",
            "BucketNamespace",
            "IntelligentTieringConfigurations",
            "InventoryConfigurations",
            "LoggingConfiguration",
            "MetadataConfiguration",
            "MetadataTableConfiguration",
            "MetricsConfigurations",
            "ObjectLockConfiguration",
            "ReplicationConfiguration",
            "WebsiteConfiguration",
        }
    )

    def lacks(self, properties: Mapping[str, Any]) -> str | None:
        """Canned ACLs other than the owner's own, locks, and keys other than S3's."""
        if properties.get("AccessControl") not in {None, "Private", "BucketOwnerFullControl"}:
            return f"AccessControl {properties['AccessControl']}"
        if properties.get("ObjectLockEnabled") in {True, "true"}:
            return "ObjectLockEnabled"
        for rule in (properties.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration") or ():
            chosen = rule.get("ServerSideEncryptionByDefault") or {}
            if chosen.get("SSEAlgorithm") not in {None, "AES256"}:
                return f"SSEAlgorithm {chosen['SSEAlgorithm']}"
        return None

    async def make(self, work: Work) -> Standing:
        region = work.scope.region
        where = None if region == _HOME else {"LocationConstraint": region}
        if region == _HOME:  # where a repetition is no error
            await self._refuse_taken(work)
        await work.call("CreateBucket", {"Bucket": work.name, "CreateBucketConfiguration": where})
        return await self._bring(work)

    async def _refuse_taken(self, work: Work) -> None:
        """A bucket that is there already is not this stack's, unless an earlier attempt made it."""
        if not work.resuming and await self.exists(work):
            raise BucketTakenError(f"{work.name} already exists")

    async def adopt(self, work: Work) -> Standing:
        return await self._bring(work)

    async def update(self, work: Work) -> Standing:
        return await self._bring(work)

    async def _bring(self, work: Work) -> Standing:
        """Bring every setting that the template names, or named, to what it says."""
        bucket = {"Bucket": work.name or work.physical_id}
        for name, configure in _SETTINGS.items():
            if work.changed(name) and (name in work.properties or name in work.previous):
                operation, request = configure(work.properties.get(name))
                await work.call(operation, {**bucket, **request})
        if work.tags() != work.tags(previous=True):
            tags = tag_list(work.tags())
            if tags:
                await work.call("PutBucketTagging", {**bucket, "Tagging": {"TagSet": tags}})
            else:
                await work.call("DeleteBucketTagging", bucket)
        return _standing(bucket["Bucket"], work)

    async def read(self, work: Work) -> Reply:
        return await work.call("HeadBucket", {"Bucket": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteBucket", {"Bucket": work.physical_id or work.name})


def _standing(name: str, work: Work) -> Standing:
    region = work.scope.region
    return Standing(
        name,
        {
            "Arn": f"arn:{work.scope.partition}:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{region}.amazonaws.com",
        },
    )


Request = tuple[str, dict[str, Any]]


def _versioning(value: Any) -> Request:
    status = value["Status"] if value else "Suspended"
    return "PutBucketVersioning", {"VersioningConfiguration": {"Status": status}}


def _encryption(value: Any) -> Request:
    if not value:
        return "DeleteBucketEncryption", {}
    rules = [
        {"ApplyServerSideEncryptionByDefault": rule.get("ServerSideEncryptionByDefault")}
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    return "PutBucketEncryption", {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _public(value: Any) -> Request:
    if value is None:
        return "DeletePublicAccessBlock", {}
    return "PutPublicAccessBlock", {"PublicAccessBlockConfiguration": value}


def _ownership(value: Any) -> Request:
    if not value:
        return "DeleteBucketOwnershipControls", {}
    return "PutBucketOwnershipControls", {"OwnershipControls": {"Rules": value["Rules"]}}


def _cors(value: Any) -> Request:
    if not value:
        return "DeleteBucketCors", {}
    names = {"Id": "ID", "ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds"}
    rules = [{names.get(name, name): item for name, item in rule.items()} for rule in value["CorsRules"]]
    return "PutBucketCors", {"CORSConfiguration": {"CORSRules": rules}}


def _notifications(value: Any) -> Request:
    found: dict[str, Any] = {}
    for source, target, short, long in _LISTS:
        lines = [_line(line, short, long) for line in (value or {}).get(source) or ()]
        if lines:
            found[target] = lines
    if ((value or {}).get("EventBridgeConfiguration") or {}).get("EventBridgeEnabled") in {True, "true"}:
        found["EventBridgeConfiguration"] = {}
    return "PutBucketNotificationConfiguration", {"NotificationConfiguration": found}


def _line(line: Mapping[str, Any], short: str, long: str) -> dict[str, Any]:
    kept: dict[str, Any] = {long: line[short], "Events": [line["Event"]]}
    if line.get("Filter"):
        kept["Filter"] = {"Key": {"FilterRules": line["Filter"]["S3Key"]["Rules"]}}
    return kept


def _lifecycle(value: Any) -> Request:
    if not value:
        return "DeleteBucketLifecycle", {}
    rules = [_lifecycle_rule(rule) for rule in value["Rules"]]
    request: dict[str, Any] = {"LifecycleConfiguration": {"Rules": rules}}
    if value.get("TransitionDefaultMinimumObjectSize"):
        request["TransitionDefaultMinimumObjectSize"] = value["TransitionDefaultMinimumObjectSize"]
    return "PutBucketLifecycleConfiguration", request


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as the API has it: in a template its filter and its moments stand beside each other."""
    parts: dict[str, Any] = {
        name: int(rule[name]) for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan") if rule.get(name) is not None
    }
    if rule.get("Prefix") is not None:
        parts["Prefix"] = rule["Prefix"]
    if rule.get("TagFilters"):
        parts["Tags"] = rule["TagFilters"]
    if len(parts) > 1 or len(parts.get("Tags", ())) > 1:
        chosen: dict[str, Any] = {"And": parts}
    elif "Tags" in parts:
        chosen = {"Tag": parts["Tags"][0]}
    else:
        chosen = parts or {"Prefix": ""}
    noncurrent = rule.get("NoncurrentVersionExpiration")
    if rule.get("NoncurrentVersionExpirationInDays") is not None:
        noncurrent = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    moves = [*rule.get("Transitions", ()), *([rule["Transition"]] if rule.get("Transition") else ())]
    old = rule.get("NoncurrentVersionTransition")
    found = {
        "ID": rule.get("Id"),
        "Status": rule["Status"],
        "Filter": chosen,
        "Expiration": _expiration(rule),
        "NoncurrentVersionExpiration": noncurrent,
        "Transitions": [_transition(move) for move in moves] or None,
        "NoncurrentVersionTransitions": [
            {_NONCURRENT.get(name, name): item for name, item in move.items()}
            for move in [*rule.get("NoncurrentVersionTransitions", ()), *([old] if old else ())]
        ]
        or None,
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"),
    }
    return {name: item for name, item in found.items() if item is not None}


_NONCURRENT = {"TransitionInDays": "NoncurrentDays"}


def _expiration(rule: Mapping[str, Any]) -> dict[str, Any] | None:
    if rule.get("ExpirationInDays") is not None:
        return {"Days": rule["ExpirationInDays"]}
    if rule.get("ExpirationDate") is not None:
        return {"Date": moment("ExpirationDate", rule["ExpirationDate"])}
    marker = rule.get("ExpiredObjectDeleteMarker")
    return None if marker is None else {"ExpiredObjectDeleteMarker": marker}


def _transition(move: Mapping[str, Any]) -> dict[str, Any]:
    if move.get("TransitionDate") is not None:
        return {"StorageClass": move["StorageClass"], "Date": moment("TransitionDate", move["TransitionDate"])}
    return {"StorageClass": move["StorageClass"], "Days": move["TransitionInDays"]}


_SETTINGS = {
    "OwnershipControls": _ownership,
    "PublicAccessBlockConfiguration": _public,
    "VersioningConfiguration": _versioning,
    "BucketEncryption": _encryption,
    "CorsConfiguration": _cors,
    "LifecycleConfiguration": _lifecycle,
    "NotificationConfiguration": _notifications,
}
"""The call that brings each setting to what a template says of it; `None` where it says nothing any more."""


class BucketPolicy(ResourceType):
    """A policy put on a bucket; `Ref` gives the bucket's name."""

    type = "AWS::S3::BucketPolicy"
    service = "s3"
    attributes = ()
    missing = frozenset({"NoSuchBucket"})
    replaced_by = frozenset({"Bucket"})

    async def make(self, work: Work) -> Standing:
        bucket = work.properties["Bucket"]
        await work.call("PutBucketPolicy", {"Bucket": bucket, "Policy": json_text(work.properties["PolicyDocument"])})
        return Standing(bucket, {})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        await work.call("DeleteBucketPolicy", {"Bucket": work.properties["Bucket"]})


TYPES = (Bucket, BucketPolicy)

"""What is configured of a bucket: tags, policy, public access, ownership, encryption, CORS; and what never is.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.frame import S3Base, need_bucket, need_version, owner_id, refuse_members
from fogbank.services.s3._api.objects import ownership
from fogbank.services.s3._attributes import MAX_BUCKET_TAGS, check_access, read_tag_set
from fogbank.services.s3._cors import check_rules
from fogbank.services.s3._policies import is_public, read_policy
from fogbank.services.s3.errors import AccessDeniedError, MalformedXmlError, MissingConfigurationError
from fogbank.services.s3.model import Bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_PUBLIC = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
_MISSING = {
    "tagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "public": ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
    "ownership": ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "website": ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
    "replication": ("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    "lock": ("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket"),
}


class SettingOperations(S3Base):
    """The operations on what a bucket is configured with."""

    def read_bucket_tags(self, call: Call, tags: Any) -> list[dict[str, str]]:
        """A bucket's tags, if they keep to the rules."""
        found = read_tag_set(tags, MAX_BUCKET_TAGS, by_service=bool(call.principal.service))
        return [{"Key": key, "Value": value} for key, value in found.items()]

    # Tags

    async def put_bucket_tagging(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Replace a bucket's tags."""
        return await self._put_setting(
            call, request, "tagging", {"TagSet": self.read_bucket_tags(call, request["Tagging"]["TagSet"])}
        )

    async def get_bucket_tagging(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """A bucket's tags."""
        return await self._setting(call, request, "tagging")

    async def delete_bucket_tagging(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Remove a bucket's tags."""
        return await self._delete_setting(call, request, "tagging")

    # Policy

    async def put_bucket_policy(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Store a bucket's policy; a public one only where that is not blocked."""

        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            policy = read_policy(request["Policy"], bucket.arn)
            blocks = await rows.setting(tx, bucket.id, "public") or {}
            if is_public(policy) and blocks.get("BlockPublicPolicy"):
                raise AccessDeniedError(
                    f"User: arn:aws:iam::{call.scope.account}:root is not authorized to perform: s3:PutBucketPolicy "
                    f'on resource: "{bucket.arn}" because public policies are prevented by the BlockPublicPolicy '
                    "setting in S3 Block Public Access."
                )
            await rows.put_setting(tx, bucket.id, "policy", {"Policy": request["Policy"]})

        await self.storage.transact(body)
        return {}

    async def get_bucket_policy(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """A bucket's policy, as it was put."""
        return await self._setting(call, request, "policy")

    async def get_bucket_policy_status(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Whether a bucket's policy is public."""
        policy = (await self._setting(call, request, "policy"))["Policy"]
        return {"PolicyStatus": {"IsPublic": is_public(msgspec.json.decode(policy))}}

    async def delete_bucket_policy(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Remove a bucket's policy."""
        return await self._delete_setting(call, request, "policy")

    # Public access, ownership, encryption

    async def put_public_access_block(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Say which public access is blocked; what is not named is not."""
        given = request["PublicAccessBlockConfiguration"]
        return await self._put_setting(call, request, "public", {name: given.get(name, False) for name in _PUBLIC})

    async def get_public_access_block(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Which public access is blocked."""
        return {"PublicAccessBlockConfiguration": await self._setting(call, request, "public")}

    async def delete_public_access_block(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Block no public access."""
        return await self._delete_setting(call, request, "public")

    async def put_bucket_ownership_controls(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Say whose the bucket's objects are."""
        rules = request["OwnershipControls"]["Rules"]
        if len(rules) != 1:
            raise MalformedXmlError
        return await self._put_setting(call, request, "ownership", {"Rules": rules})

    async def get_bucket_ownership_controls(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Whose the bucket's objects are."""
        return {"OwnershipControls": await self._setting(call, request, "ownership")}

    async def delete_bucket_ownership_controls(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Leave open whose the bucket's objects are."""
        return await self._delete_setting(call, request, "ownership")

    async def put_bucket_encryption(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Say how new objects are encrypted; S3's own keys are what there is."""
        rules = request["ServerSideEncryptionConfiguration"]["Rules"]
        if len(rules) != 1:
            raise MalformedXmlError
        refuse_members(call, rules[0], ("BucketKeyEnabled", "BlockedEncryptionTypes"))
        chosen = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
        if chosen.get("SSEAlgorithm") != "AES256" or chosen.get("KMSMasterKeyID"):
            kind = chosen.get("SSEAlgorithm")
            raise NotImplementedByFogbank(f"Fogbank does not implement SSEAlgorithm {kind} of s3.{call.operation} yet")
        return await self._put_setting(call, request, "encryption", _ENCRYPTION)

    async def get_bucket_encryption(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """How new objects are encrypted."""
        await self.storage.read(lambda tx: need_bucket(tx, call, request))
        return {"ServerSideEncryptionConfiguration": _ENCRYPTION}

    async def delete_bucket_encryption(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Go back to S3's own keys."""
        return await self._delete_setting(call, request, "encryption")

    # CORS

    async def put_bucket_cors(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Say which pages may read a bucket."""
        rules = request["CORSConfiguration"]["CORSRules"]
        check_rules(rules)
        return await self._put_setting(call, request, "cors", {"CORSRules": rules})

    async def get_bucket_cors(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Which pages may read a bucket."""
        return await self._setting(call, request, "cors")

    async def delete_bucket_cors(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Let no page read a bucket."""
        return await self._delete_setting(call, request, "cors")

    # ACLs: everything is its bucket owner's

    async def get_bucket_acl(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """The owner's full control."""
        bucket = await self.storage.read(lambda tx: need_bucket(tx, call, request))
        return _owners(bucket)

    async def put_bucket_acl(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Accept what is so anyway: a private bucket; everything else is refused."""
        refuse_members(call, request, ("AccessControlPolicy",))

        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            check_access(call, request, await ownership(tx, bucket))

        await self.storage.read(body)
        return {}

    async def get_object_acl(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """The owner's full control."""

        async def body(tx: Tx) -> Bucket:
            bucket = await need_bucket(tx, call, request)
            await need_version(tx, bucket, request["Key"], request.get("VersionId"))
            return bucket

        return _owners(await self.storage.read(body))

    async def put_object_acl(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Accept what is so anyway: a private object; everything else is refused."""
        refuse_members(call, request, ("AccessControlPolicy",))

        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            await need_version(tx, bucket, request["Key"], request.get("VersionId"))
            check_access(call, request, await ownership(tx, bucket))

        await self.storage.read(body)
        return {}

    # What no bucket has here, since it cannot be set: infrastructure tools ask for it

    async def get_bucket_website(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """No bucket is a website here."""
        return await self._setting(call, request, "website")

    async def get_bucket_replication(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """No bucket is replicated here."""
        return await self._setting(call, request, "replication")

    async def get_object_lock_configuration(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """No bucket locks its objects here."""
        return await self._setting(call, request, "lock")

    async def get_bucket_logging(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """No bucket logs accesses here."""
        await self.storage.read(lambda tx: need_bucket(tx, call, request))
        return {}

    async def get_bucket_accelerate_configuration(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """No bucket is accelerated here."""
        await self.storage.read(lambda tx: need_bucket(tx, call, request))
        return {}

    async def get_bucket_request_payment(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """The owner pays."""
        await self.storage.read(lambda tx: need_bucket(tx, call, request))
        return {"Payer": "BucketOwner"}

    # What they share

    async def _put_setting(
        self, call: Call, request: Mapping[str, Any], kind: str, document: Mapping[str, Any]
    ) -> Reply:
        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            await rows.put_setting(tx, bucket.id, kind, document)

        await self.storage.transact(body)
        return {}

    async def _setting(self, call: Call, request: Mapping[str, Any], kind: str) -> dict[str, Any]:
        async def body(tx: Tx) -> dict[str, Any]:
            bucket = await need_bucket(tx, call, request)
            found = await rows.setting(tx, bucket.id, kind)
            if found is None:
                raise MissingConfigurationError(*_MISSING[kind], bucket.name)
            return found

        return await self.storage.read(body)

    async def _delete_setting(self, call: Call, request: Mapping[str, Any], kind: str) -> Reply:
        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            await rows.delete_setting(tx, bucket.id, kind)

        await self.storage.transact(body)
        return {}


def _owners(bucket: Bucket) -> dict[str, Any]:
    owner = {"ID": owner_id(bucket.scope.account)}
    return {"Owner": owner, "Grants": [{"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]}

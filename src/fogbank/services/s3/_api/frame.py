"""What the operations share: the service's parts, and the questions that many of them ask."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fogbank.core import paging
from fogbank.core.call import Call
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.models import OperationModel
from fogbank.core.validation import Constraint, Problem
from fogbank.services.kit import Kit, Service
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._notifications import Notifier
from fogbank.services.s3._pieces import Pieces
from fogbank.services.s3._writing import VERSION_LENGTH, Writer
from fogbank.services.s3.errors import (
    AccessDeniedError,
    InvalidArgumentError,
    InvalidEncryptionError,
    InvalidLocationConstraintError,
    InvalidStorageClassError,
    MalformedXmlError,
    MethodNotAllowedError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchVersionError,
)
from fogbank.services.s3.model import NULL, Bucket, ObjectVersion
from fogbank.storage import Tx

_VERSION = re.compile(rf"[A-Za-z0-9._]{{{VERSION_LENGTH}}}")
MARKED = ("x-amz-delete-marker", "true")


class S3Base(Service):
    """The service's parts."""

    name: ClassVar[str] = "s3"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.storage = kit.storage
        self.clock = kit.clock
        self.pieces = Pieces(kit.ids, kit.config.data / "objects")
        self.notifier = Notifier(kit)
        self.writer = Writer(self.pieces, self.notifier, kit.clock, kit.ids)

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError | None:
        """S3 knows few codes for requests that break the model: what is in a document makes it malformed."""
        problem = problems[0]
        name = str(problem.path[0]) if problem.path else ""
        member = operation.input.members.get(name) if operation.input is not None else None
        if problem.member == "LocationConstraint":
            return InvalidLocationConstraintError(str(problem.value))
        if problem.member == "Events" and problem.constraint in {Constraint.ENUM, Constraint.ELEMENT}:
            return InvalidArgumentError("A specified event is not supported for notifications.", "Event")
        if member is None or member.location is None:
            return MalformedXmlError()
        if name == "StorageClass":
            return InvalidStorageClassError(str(problem.value))
        if name == "ServerSideEncryption":
            return InvalidEncryptionError("The encryption request you specified is not valid. Supported value: AES256.")
        if problem.constraint is Constraint.REQUIRED:
            return InvalidArgumentError(f"Missing required parameter: {member.wire_name}", member.wire_name)
        if name == "ChecksumAlgorithm":
            return InvalidArgumentError(f"Value for {member.wire_name} header is invalid.")
        return InvalidArgumentError("Invalid Argument", member.wire_name, str(problem.value))


async def need_bucket(tx: Tx, call: Call, request: Mapping[str, Any], member: str = "Bucket") -> Bucket:
    """The bucket of a request, if there is one and the caller may use it."""
    found = await rows.bucket(tx, request[member])
    if found is None:
        raise NoSuchBucketError(request[member])
    expected = request.get("ExpectedBucketOwner")
    if call.scope.account != found.scope.account or (expected is not None and expected != found.scope.account):
        raise AccessDeniedError
    return found


async def need_version(
    tx: Tx, bucket: Bucket, key: str, version_id: str | None, *, method: str = "GET"
) -> ObjectVersion:
    """A version that can be read: the named one, else the current one; a delete marker is an error that says so."""
    if version_id is None:
        found = await rows.current(tx, bucket.id, key)
        if found is None:
            raise NoSuchKeyError(key)
        if found.marker:
            raise NoSuchKeyError(key, headers=(MARKED, ("x-amz-version-id", found.version)))
        return found
    check_version_id(version_id)
    found = await rows.version(tx, bucket.id, key, version_id)
    if found is None:
        raise NoSuchVersionError(key, version_id)
    if found.marker:
        headers = (MARKED, ("x-amz-version-id", version_id), ("allow", "DELETE"))
        raise MethodNotAllowedError(headers=headers, Method=method, ResourceType="DeleteMarker")
    return found


def check_version_id(text: str) -> None:
    """Refuse what cannot be a version's id."""
    if text == "":
        raise InvalidArgumentError("Version id cannot be the empty string", "versionId", "")
    if text != NULL and not _VERSION.fullmatch(text):
        raise InvalidArgumentError("Invalid version id specified", "versionId", text)


def refuse_members(call: Call, request: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse by name what is not here yet."""
    for name in names:
        if request.get(name):
            raise NotImplementedByFogbank(f"Fogbank does not implement {name} of s3.{call.operation} yet")


def owner_id(account: str) -> str:
    """The canonical user id of an account: 64 hexadecimal digits, always the same."""
    return hashlib.sha256(f"canonical user {account}".encode()).hexdigest()


def position_of(token: str) -> str:
    """The key or name after which a page begins."""
    try:
        return paging.decode_token(token, str)
    except paging.InvalidTokenError:
        raise InvalidArgumentError(
            "The continuation token provided is incorrect", "continuation-token", token
        ) from None

"""Errors of S3.

    ApiError
    └── S3Error                       an error with headers of its own
        ├── NoSuchBucketError         404      ├── PreconditionFailedError   412
        ├── NoSuchKeyError            404      ├── NotModifiedError          304
        ├── NoSuchVersionError        404      ├── InvalidRangeError         416
        ├── NoSuchUploadError         404      ├── MethodNotAllowedError     405
        ├── InvalidObjectStateError   403      ├── BucketNotEmptyError       409
        ├── MissingConfigurationError 404      ├── BucketAlreadyExistsError, …OwnedByYouError 409
        └── AccessDeniedError         403      └── 400: InvalidArgument, InvalidRequest, InvalidBucketName, InvalidTag,
                                                        BadDigest, InvalidPart, InvalidPartOrder, EntityTooSmall, …

Codes, statuses and texts: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from typing import Any

from fogbank.core.errors import ApiError


class S3Error(ApiError):
    """An error of S3. `members` are further elements of its document, `headers` go with the answer."""

    message_text = ""

    def __init__(self, message: str = "", *, headers: tuple[tuple[str, str], ...] = (), **members: Any) -> None:
        super().__init__(message or self.message_text, **members)
        self.headers = headers


class NoSuchBucketError(S3Error):
    """No such bucket."""

    code = "NoSuchBucket"
    status = 404
    message_text = "The specified bucket does not exist"

    def __init__(self, bucket: str) -> None:
        super().__init__(BucketName=bucket)


class NoSuchKeyError(S3Error):
    """No such object."""

    code = "NoSuchKey"
    status = 404
    message_text = "The specified key does not exist."

    def __init__(self, key: str, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(headers=headers, Key=key)


class NoSuchVersionError(S3Error):
    """The object has no such version."""

    code = "NoSuchVersion"
    status = 404
    message_text = "The specified version does not exist."

    def __init__(self, key: str, version: str) -> None:
        super().__init__(Key=key, VersionId=version)


class NoSuchUploadError(S3Error):
    """No such multipart upload."""

    code = "NoSuchUpload"
    status = 404
    message_text = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed."
    )

    def __init__(self, upload: str) -> None:
        super().__init__(UploadId=upload)


class MissingConfigurationError(S3Error):
    """The bucket has no configuration of this kind."""

    status = 404

    def __init__(self, code: str, message: str, bucket: str) -> None:
        super().__init__(message, BucketName=bucket)
        self.code = code  # type: ignore[misc]


class AccessDeniedError(S3Error):
    """The caller may not."""

    code = "AccessDenied"
    status = 403
    message_text = "Access Denied"


class BucketAlreadyExistsError(S3Error):
    """The name is another account's."""

    code = "BucketAlreadyExists"
    status = 409
    message_text = (
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please "
        "select a different name and try again."
    )

    def __init__(self, bucket: str) -> None:
        super().__init__(BucketName=bucket)


class BucketAlreadyOwnedByYouError(S3Error):
    """The name is the caller's already."""

    code = "BucketAlreadyOwnedByYou"
    status = 409
    message_text = "Your previous request to create the named bucket succeeded and you already own it."

    def __init__(self, bucket: str) -> None:
        super().__init__(BucketName=bucket)


class BucketNotEmptyError(S3Error):
    """The bucket still holds objects, versions or delete markers."""

    code = "BucketNotEmpty"
    status = 409

    def __init__(self, bucket: str, *, versioned: bool) -> None:
        text = "The bucket you tried to delete is not empty"
        if versioned:
            text += ". You must delete all versions in the bucket."
        super().__init__(text, BucketName=bucket)


class TooManyBucketsError(S3Error):
    """An account's quota of buckets."""

    code = "TooManyBuckets"
    message_text = "You have attempted to create more buckets than allowed"


class InvalidBucketNameError(S3Error):
    """The name breaks the rules of names."""

    code = "InvalidBucketName"
    message_text = "The specified bucket is not valid."

    def __init__(self, bucket: str) -> None:
        super().__init__(BucketName=bucket)


class InvalidLocationConstraintError(S3Error):
    """No such region."""

    code = "InvalidLocationConstraint"
    message_text = "The specified location-constraint is not valid"

    def __init__(self, location: str) -> None:
        super().__init__(LocationConstraint=location)


class IllegalLocationConstraintError(S3Error):
    """The region is not the one that the request was sent to."""

    code = "IllegalLocationConstraintException"


class InvalidArgumentError(S3Error):
    """A parameter has a value that it cannot have."""

    code = "InvalidArgument"

    def __init__(self, message: str, name: str = "", value: str = "", **members: Any) -> None:
        named: dict[str, Any] = {"ArgumentName": name, "ArgumentValue": value} if name else {}
        super().__init__(message, **named, **members)


class InvalidRequestError(S3Error):
    """The request as a whole makes no sense."""

    code = "InvalidRequest"


class InvalidTagError(S3Error):
    """A tag breaks the rules of tags."""

    code = "InvalidTag"


class InvalidStorageClassError(S3Error):
    """No such storage class, or none that can be written to."""

    code = "InvalidStorageClass"
    message_text = "The storage class you specified is not valid"

    def __init__(self, asked: str) -> None:
        super().__init__(StorageClassRequested=asked)


class InvalidEncryptionError(S3Error):
    """No such encryption."""

    code = "InvalidEncryptionAlgorithmError"


class MalformedPolicyError(S3Error):
    """A bucket policy that is none."""

    code = "MalformedPolicy"


class MalformedXmlError(S3Error):
    """The document does not have the form that the operation wants."""

    code = "MalformedXML"
    message_text = "The XML you provided was not well-formed or did not validate against our published schema"


class KeyTooLongError(S3Error):
    """A key of more than 1,024 bytes."""

    code = "KeyTooLongError"
    message_text = "Your key is too long"

    def __init__(self, size: int) -> None:
        super().__init__(Size=size, MaxSizeAllowed=1024)


class MetadataTooLargeError(S3Error):
    """More than 2 KB of user-defined metadata."""

    code = "MetadataTooLarge"
    message_text = "Your metadata headers exceed the maximum allowed metadata size"

    def __init__(self, size: int) -> None:
        super().__init__(Size=size, MaxSizeAllowed=2048)


class BadDigestError(S3Error):
    """The body does not have the checksum that was sent with it."""

    code = "BadDigest"


class EntityTooSmallError(S3Error):
    """A part, not the last, of less than 5 MiB."""

    code = "EntityTooSmall"
    message_text = "Your proposed upload is smaller than the minimum allowed size"


class EntityTooLargeError(S3Error):
    """More than an object, or one request, can hold."""

    code = "EntityTooLarge"
    message_text = "Your proposed upload exceeds the maximum allowed size"


class InvalidPartError(S3Error):
    """A part that is to be in the object was not uploaded, or has another ETag."""

    code = "InvalidPart"
    message_text = (
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag."
    )


class InvalidPartOrderError(S3Error):
    """The parts are not in ascending order."""

    code = "InvalidPartOrder"
    message_text = "The list of parts was not in ascending order. Parts must be ordered by part number."


class PreconditionFailedError(S3Error):
    """A condition of the request does not hold; `Condition` says which."""

    code = "PreconditionFailed"
    status = 412
    message_text = "At least one of the pre-conditions you specified did not hold"

    def __init__(self, condition: str) -> None:
        super().__init__(Condition=condition)


class NotModifiedError(S3Error):
    """The caller's copy is still right."""

    code = "304"
    status = 304
    message_text = "Not Modified"


class InvalidRangeError(S3Error):
    """The range lies outside the object."""

    code = "InvalidRange"
    status = 416
    message_text = "The requested range is not satisfiable"

    def __init__(self, asked: str, size: int) -> None:
        super().__init__(headers=(("content-range", f"bytes */{size}"),), RangeRequested=asked, ActualObjectSize=size)


class InvalidPartNumberError(S3Error):
    """The object has no part of this number."""

    code = "InvalidPartNumber"
    status = 416
    message_text = "The requested partnumber is not satisfiable"

    def __init__(self, asked: int, actual: int) -> None:
        super().__init__(PartNumberRequested=asked, ActualPartCount=actual)


class MethodNotAllowedError(S3Error):
    """A delete marker cannot be read."""

    code = "MethodNotAllowed"
    status = 405
    message_text = "The specified method is not allowed against this resource."


class InvalidObjectStateError(S3Error):
    """The object lies in an archive."""

    code = "InvalidObjectState"
    status = 403
    message_text = "The operation is not valid for the object's storage class"

"""What a decoder raises."""

from __future__ import annotations

from fogbank.core.errors import ApiError


class SerializationError(ApiError):
    """The request cannot be read: malformed, or a value of another type than the model's.

    The messages for wrong types are those of AWS's JSON services.
    """

    code = "SerializationException"


class MalformedInputError(SerializationError):
    """The same in the query protocol."""

    code = "MalformedInput"


class MalformedXmlError(SerializationError):
    """The same in S3 and other services that take XML."""

    code = "MalformedXML"


class BadDigestError(ApiError):
    """A body does not have the checksum that was sent with it."""

    code = "BadDigest"

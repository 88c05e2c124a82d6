"""S3's own ways within REST with XML: names of documents, statuses of ranges, the form of its errors.

Source: the examples of https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import Member, OperationModel, StructureShape
from fogbank.gateway.protocols.codec import Encode, output_body
from fogbank.gateway.protocols.faults import SerializationError
from fogbank.gateway.protocols.http_bindings import HeaderPairs
from fogbank.gateway.protocols.rest import Body
from fogbank.gateway.protocols.rest_xml import DECLARATION, RestXmlCodec
from fogbank.gateway.protocols.xml_tree import escape

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_ROOTS = {
    "CompleteMultipartUploadOutput": "CompleteMultipartUploadResult",
    "CreateMultipartUploadOutput": "InitiateMultipartUploadResult",
    "DeleteObjectsOutput": "DeleteResult",
    "GetBucketAccelerateConfigurationOutput": "AccelerateConfiguration",
    "GetBucketAclOutput": "AccessControlPolicy",
    "GetBucketCorsOutput": "CORSConfiguration",
    "GetBucketLifecycleConfigurationOutput": "LifecycleConfiguration",
    "GetBucketLoggingOutput": "BucketLoggingStatus",
    "GetBucketRequestPaymentOutput": "RequestPaymentConfiguration",
    "GetBucketTaggingOutput": "Tagging",
    "GetBucketVersioningOutput": "VersioningConfiguration",
    "GetBucketWebsiteOutput": "WebsiteConfiguration",
    "GetObjectAclOutput": "AccessControlPolicy",
    "GetObjectAttributesOutput": "GetObjectAttributesResponse",
    "GetObjectTaggingOutput": "Tagging",
    "ListBucketsOutput": "ListAllMyBucketsResult",
    "ListMultipartUploadsOutput": "ListMultipartUploadsResult",
    "ListObjectVersionsOutput": "ListVersionsResult",
    "ListObjectsOutput": "ListBucketResult",
    "ListObjectsV2Output": "ListBucketResult",
    "ListPartsOutput": "ListPartsResult",
}
"""What the documents of outputs are called, where the model does not say."""


class InvalidArgumentError(ApiError):
    """A header or parameter that cannot be read as what it is to be."""

    code = "InvalidArgument"


class S3Codec(RestXmlCodec):
    """S3."""

    request_id_header = "x-amz-request-id"

    def answer(
        self, status: int, headers: HeaderPairs, content_type: str | None, body: Body, request_id: str
    ) -> HttpResponse:
        """Every answer of S3 has a second id."""
        headers.append(("x-amz-id-2", request_id))
        return super().answer(status, headers, content_type, body, request_id)

    def document_writer(
        self, shape: StructureShape, members: Mapping[str, Member], reference: Member | None
    ) -> Callable[[Mapping[str, Any]], bytes]:
        if shape.name == "GetBucketLocationOutput":
            return _write_location
        root = reference.location_name if reference is not None and reference.location_name else None
        return self.named_writer(shape, members, root or _ROOTS.get(shape.name) or shape.name, NAMESPACE)

    def encoder(self, operation: OperationModel) -> Encode:
        encode = super().encoder(operation)
        if operation.output is None or "ContentRange" not in operation.output.members:
            return encode

        def encode_part(reply: Reply, request_id: str) -> HttpResponse:
            response = encode(reply, request_id)
            return response if reply.get("ContentRange") is None else replace(response, status=206)

        return encode_part

    def encode_error(self, error: ApiError, request: HttpRequest, request_id: str) -> HttpResponse:
        """An error stands alone; to HEAD, and of what is not modified, it is its status and headers."""
        if error.code == SerializationError.code:
            error = InvalidArgumentError(error.message)
        facts = self.facts(error)
        headers = list(error.headers)
        if request.method == "HEAD" or facts.status == 304:
            return self.answer(facts.status, headers, None, b"", request_id)
        fields = [f"<Code>{escape(facts.code)}</Code><Message>{escape(error.message)}</Message>"]
        known = output_body(facts.shape) if facts.shape is not None else {}
        self._writers.members(known)(error.members, fields)
        fields += [
            f"<{name}>{escape(str(value))}</{name}>"
            for name, value in error.members.items()
            if value is not None and name not in known
        ]
        inner = "".join(fields)
        text = f"{DECLARATION}<Error>{inner}<RequestId>{request_id}</RequestId><HostId>{request_id}</HostId></Error>"
        return self.answer(facts.status, headers, self.document_type, text.encode(), request_id)


def _write_location(values: Mapping[str, Any]) -> bytes:
    """GetBucketLocation's document is its one value."""
    location = values.get("LocationConstraint")
    return f"{DECLARATION}<LocationConstraint{NAMESPACE}>{escape(location or '')}</LocationConstraint>".encode()

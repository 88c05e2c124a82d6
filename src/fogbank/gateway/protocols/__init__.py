"""The wire protocols: for each a `ProtocolCodec`, which compiles operations into decoders and encoders.

    aws_json     JSON 1.0 and 1.1              json_values
    aws_query    query, and EC2's variant      query_values in, xml_values out
    rest_json    REST with JSON                http_routes, http_bindings, json_values
    rest_xml     REST with XML                 http_routes, http_bindings, xml_values
    s3           S3's own ways within that
    rpc_cbor     Smithy RPC v2 CBOR            cbor, cbor_values

Everything is driven by the service model; no operation has a parser of its own.
"""

from fogbank.core.models import Protocol, ServiceModel
from fogbank.gateway.protocols.aws_json import AwsJsonCodec
from fogbank.gateway.protocols.aws_query import AwsQueryCodec, Ec2QueryCodec
from fogbank.gateway.protocols.codec import Decode, Encode, OperationCodec, ProtocolCodec
from fogbank.gateway.protocols.rest import RestCodec
from fogbank.gateway.protocols.rest_json import RestJsonCodec
from fogbank.gateway.protocols.rest_xml import RestXmlCodec
from fogbank.gateway.protocols.rpc_cbor import RpcCborCodec
from fogbank.gateway.protocols.s3 import S3Codec

__all__ = [
    "AwsJsonCodec",
    "AwsQueryCodec",
    "Decode",
    "Ec2QueryCodec",
    "Encode",
    "OperationCodec",
    "ProtocolCodec",
    "RestCodec",
    "RestJsonCodec",
    "RestXmlCodec",
    "RpcCborCodec",
    "S3Codec",
    "make_codec",
]

_CODECS: dict[Protocol, type[ProtocolCodec]] = {
    Protocol.JSON: AwsJsonCodec,
    Protocol.QUERY: AwsQueryCodec,
    Protocol.EC2: Ec2QueryCodec,
    Protocol.REST_JSON: RestJsonCodec,
    Protocol.REST_XML: RestXmlCodec,
    Protocol.CBOR: RpcCborCodec,
}


def make_codec(model: ServiceModel, protocol: Protocol | None = None) -> ProtocolCodec:
    """A service's codec for a protocol; for the model's own if none is given."""
    if model.name == "s3":
        return S3Codec(model)
    return _CODECS[protocol or model.protocol](model)

"""Service models: what AWS documents of each service's operations, shapes, constraints and errors.

They are botocore's, stripped of prose by `tools/strip_models.py` and shipped in `data/`. A model is loaded on
first use (0.4 to 2.4 ms) and kept; shapes within it are built as they are asked for.

    model = service_model("sqs")
    operation = model.operation("SendMessage")
    operation.method_name          # "send_message"
    operation.input.members["QueueUrl"].shape.type
"""

from fogbank.core.models.names import snake_case
from fogbank.core.models.registry import (
    ServiceCard,
    UnknownServiceError,
    service_cards,
    service_model,
    service_names,
    wire_model,
)
from fogbank.core.models.service import (
    HttpBinding,
    OperationModel,
    Protocol,
    ServiceModel,
    UnknownOperationNameError,
)
from fogbank.core.models.shapes import (
    BlobShape,
    BooleanShape,
    ErrorTraits,
    ListShape,
    Location,
    MapShape,
    Member,
    NumberShape,
    Shape,
    ShapeType,
    StringShape,
    StructureShape,
    TimestampFormat,
    TimestampShape,
    XmlNamespace,
)

__all__ = [
    "BlobShape",
    "BooleanShape",
    "ErrorTraits",
    "HttpBinding",
    "ListShape",
    "Location",
    "MapShape",
    "Member",
    "NumberShape",
    "OperationModel",
    "Protocol",
    "ServiceCard",
    "ServiceModel",
    "Shape",
    "ShapeType",
    "StringShape",
    "StructureShape",
    "TimestampFormat",
    "TimestampShape",
    "UnknownOperationNameError",
    "UnknownServiceError",
    "XmlNamespace",
    "service_cards",
    "service_model",
    "service_names",
    "snake_case",
    "wire_model",
]

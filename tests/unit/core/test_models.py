"""Service models: loading, shapes, names."""

from __future__ import annotations

import botocore
import botocore.loaders
import botocore.model
import pytest

from fogbank.core.models import (
    ListShape,
    MapShape,
    NumberShape,
    Protocol,
    ServiceModel,
    ShapeType,
    StringShape,
    StructureShape,
    UnknownOperationNameError,
    UnknownServiceError,
    service_cards,
    service_model,
    service_names,
    snake_case,
)

SERVICES = sorted(service_names())


def reference(service: str) -> botocore.model.ServiceModel:
    loader = botocore.loaders.Loader()
    return botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service)


def test_the_issue_s_services_are_shipped() -> None:
    assert {"sqs", "events", "scheduler", "lambda", "dynamodb", "logs", "iam", "sts", "ssm"} <= set(SERVICES)
    assert len(SERVICES) == 24


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_agrees_with_botocore_s_model(service: str) -> None:
    """Names, methods, URIs, inputs, outputs and errors are what botocore reads from its own model."""
    ours, theirs = service_model(service), reference(service)
    assert list(ours.operation_names) == theirs.operation_names
    for name in ours.operation_names:
        mine, other = ours.operation(name), theirs.operation_model(name)
        assert mine.method_name == botocore.xform_name(name)
        assert mine.http.method == other.http["method"]
        assert mine.http.uri == other.http["requestUri"]
        assert (mine.input.name if mine.input else None) == (other.input_shape.name if other.input_shape else None)
        assert (mine.output.name if mine.output else None) == (other.output_shape.name if other.output_shape else None)
        assert list(mine.errors) == [shape.name for shape in other.error_shapes]


@pytest.mark.parametrize("service", SERVICES)
def test_every_shape_can_be_built(service: str) -> None:
    """Every shape and every member of it resolves, recursive ones too."""
    model = service_model(service)
    for name in reference(service).shape_names:
        shape = model.shape(name)
        if isinstance(shape, StructureShape):
            assert all(member.shape.name == member.shape_name for member in shape.members.values())
            assert set(shape.required) <= set(shape.members)
        elif isinstance(shape, ListShape):
            assert shape.member.shape.type in ShapeType
        elif isinstance(shape, MapShape):
            assert shape.key.shape.type is ShapeType.STRING


def test_recursive_shapes_meet_themselves() -> None:
    shape = service_model("dynamodb").shape("AttributeValue")
    assert isinstance(shape, StructureShape)
    inner = shape.members["L"].shape
    assert isinstance(inner, ListShape)
    assert inner.member.shape is shape


def test_constraints_and_traits_are_typed() -> None:
    queues = service_model("sqs").operation("ListQueues")
    assert queues.input is not None
    assert queues.input.members["MaxResults"].shape.type is ShapeType.INTEGER
    name = service_model("scheduler").shape("Name")
    assert isinstance(name, StringShape)
    assert (name.minimum, name.maximum) == (1, 64)
    timeout = service_model("lambda").shape("Timeout")
    assert isinstance(timeout, NumberShape)
    assert timeout.whole
    assert timeout.minimum == 1


def test_errors_are_found_by_shape_name_and_by_wire_code() -> None:
    iam = service_model("iam")
    by_name, by_code = iam.error("NoSuchEntityException"), iam.error("NoSuchEntity")
    assert by_name is not None
    assert by_name is by_code
    assert (by_name.error.code, by_name.error.status) == ("NoSuchEntity", 404)
    assert by_name.error.sender_fault
    assert iam.error("Nonsense") is None


def test_protocols_and_cards() -> None:
    assert service_model("sqs").protocol is Protocol.JSON
    assert service_model("sqs").query_compatible
    assert service_model("cloudwatch").protocols == (Protocol.CBOR, Protocol.JSON, Protocol.QUERY)
    card = service_cards()["dynamodbstreams"]
    assert (card.signing_name, card.target_prefix) == ("dynamodb", "DynamoDBStreams_20120810")


def test_a_model_is_loaded_once() -> None:
    assert service_model("sts") is service_model("sts")


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownServiceError):
        service_model("nonsense")
    with pytest.raises(UnknownOperationNameError):
        service_model("sqs").operation("Nonsense")


def test_a_model_can_be_made_of_any_document() -> None:
    model = ServiceModel(
        "made-up",
        {
            "metadata": {"protocol": "query", "endpointPrefix": "x", "xmlNamespace": "urn:x"},
            "operations": {"Do": {"name": "Do"}},
            "shapes": {},
        },
    )
    assert model.operation("Do").http.status == 200
    assert model.operation("Do").input is None


def test_names_follow_boto3() -> None:
    assert snake_case("SendMessage") == "send_message"
    assert snake_case("ListGatewayARNs") == "list_gateway_arns"
    assert snake_case("already_there") == "already_there"

"""Every operation that has required members refuses a request without them, in its service's own way.

Source: botocore model. What is sent goes over the wire; members that would be part of the path cannot be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from fogbank.cloud import SERVICES
from fogbank.core.models import Location, OperationModel, service_model

LOOSE = BotoConfig(parameter_validation=False, inject_host_prefix=False, retries={"max_attempts": 0})


def needs_more_than_a_path(operation: OperationModel) -> bool:
    """Whether an operation can be called without something that it requires."""
    if operation.input is None or not operation.input.required:
        return False
    members = operation.input.members
    return all(member.location is not Location.URI for member in members.values())


OPERATIONS = [
    (name, operation)
    for name, service in SERVICES.items()
    for operation in service_model(name).operation_names
    if hasattr(service, service_model(name).operation(operation).method_name)
    and needs_more_than_a_path(service_model(name).operation(operation))
]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nothing_that_is_required_may_be_missing(name: str, aws: Callable[..., Any]) -> None:
    """The answer is the caller's fault, with a code that is not ours."""
    client = aws(name, config=LOOSE)
    for service, operation in OPERATIONS:
        if service != name:
            continue
        method = getattr(client, service_model(name).operation(operation).method_name)
        with pytest.raises((ClientError, ValueError)) as caught:
            method()
        if not isinstance(caught.value, ClientError):
            continue  # boto3 itself looks into the member (JMESPathTypeError) and does not find it
        answer = caught.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400, operation
        assert answer["Error"]["Code"] not in {"InternalFailure", "NotImplemented"}, operation
        assert answer["Error"]["Message"], operation

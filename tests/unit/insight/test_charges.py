"""No operation that AWS bills goes unnoticed."""

from __future__ import annotations

import pytest

from fogbank.cloud.registry import SERVICES
from fogbank.core.models import service_model
from fogbank.insight.charges import Charge, charge_of, source_of


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_operation_is_metered_or_is_free_by_a_source(name: str) -> None:
    """A service's operation is metered, or listed in `free_operations.toml`; what is not metered is not there."""
    model = service_model(name)
    unknown, unmetered = [], []
    for operation in model.operation_names:
        charge = charge_of(name, operation)
        if charge is Charge.UNKNOWN:
            unknown.append(operation)
        if charge is Charge.NOT_METERED and hasattr(SERVICES[name], model.operation(operation).method_name):
            unmetered.append(operation)
        if charge is Charge.FREE:
            assert source_of(name).startswith("https://aws.amazon.com/"), f"{name}: which page says that it is free?"
    assert not unknown, f"{name}: meter these in insight/, or list them as free with their source: {unknown}"
    assert not unmetered, f"{name}: AWS bills these, and they are here now: meter them: {unmetered}"


def test_what_is_billed_how() -> None:
    """One of each kind."""
    assert charge_of("sqs", "CreateQueue") is Charge.REQUEST
    assert charge_of("dynamodb", "PutItem") is Charge.INSIDE
    assert charge_of("cloudwatch", "PutDashboard") is Charge.STANDING
    assert charge_of("iam", "CreateRole") is Charge.FREE
    assert charge_of("logs", "CreateLogAnomalyDetector") is Charge.NOT_METERED
    assert charge_of("events", "NoSuchThing") is Charge.UNKNOWN

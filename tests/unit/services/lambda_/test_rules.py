"""What is allowed of a function: settings, policies, concurrency."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.scope import Scope
from fogbank.services.lambda_ import _policy, _rules
from fogbank.services.lambda_._concurrency import AccountLoad, Concurrency, FunctionLoad
from fogbank.services.lambda_._names import FunctionRef
from fogbank.services.lambda_._warm.model import shares
from fogbank.services.lambda_.errors import (
    InvalidParameterValueError,
    PolicyLengthExceededError,
    ResourceConflictError,
    TooManyRequestsError,
)
from fogbank.services.lambda_.model import Alias

GOOD = {"Runtime": "python3.13", "Handler": "a.b", "Role": "r"}


def test_settings_are_kept_in_the_shape_of_the_api() -> None:
    request = {
        **GOOD,
        "Environment": {"Variables": {"A": "1"}},
        "TracingConfig": {"Mode": "Active"},
        "Tags": {"x": "y"},
    }
    assert _rules.settings(request, creating=True) == {
        **GOOD,
        "Environment": {"A": "1"},
        "TracingConfig": {"Mode": "Active"},
    }


def test_an_update_changes_what_it_names_and_removes_what_it_empties() -> None:
    before = {**GOOD, "Environment": {"A": "1"}, "Timeout": 5, "DeadLetterConfig": {"TargetArn": "x"}}
    changes = _rules.settings(
        {"Environment": {"Variables": {}}, "MemorySize": 256, "DeadLetterConfig": {"TargetArn": ""}}, creating=False
    )
    assert _rules.merge(before, changes) == {**GOOD, "Environment": {}, "Timeout": 5, "MemorySize": 256}


@pytest.mark.parametrize("runtime", ["python3.8", "python3.14", "nodejs22.x", "provided.al2", "provided.al2023"])
def test_runtimes_that_run(runtime: str) -> None:
    _rules.check_runtime(runtime)


@pytest.mark.parametrize("runtime", ["python3.7", "nodejs12.x", "go1.x", "provided"])
def test_runtimes_that_aws_has_retired(runtime: str) -> None:
    with pytest.raises(InvalidParameterValueError, match="is no longer supported for creating or updating"):
        _rules.check_runtime(runtime)


@pytest.mark.parametrize("runtime", ["java21", "dotnet8", "ruby3.3"])
def test_runtimes_that_come_later(runtime: str) -> None:
    with pytest.raises(NotImplementedByFogbank, match=runtime):
        _rules.check_runtime(runtime)


@pytest.mark.parametrize(
    "change",
    [
        {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
        {"DurableConfig": {"ExecutionTimeout": 1}},
        {"PublishTo": "LATEST_PUBLISHED"},
        {"PackageType": "Image"},
    ],
)
def test_what_would_be_ignored_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedByFogbank):
        _rules.settings({**GOOD, **change}, creating=True)


@pytest.mark.parametrize(
    "change",
    [
        {"VpcConfig": {"SubnetIds": ["subnet-1"]}},
        {"LoggingConfig": {"LogFormat": "Text", "SystemLogLevel": "WARN"}},
        {"EphemeralStorage": {"Size": 20_000}},
        {"Environment": {"Variables": {"LAMBDA_TASK_ROOT": "x"}}},
    ],
)
def test_settings_that_cannot_be(change: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as raised:
        _rules.settings({**GOOD, **change}, creating=True)
    assert raised.value.status == 400


def test_snapstart_none_is_no_setting() -> None:
    given = _rules.settings({**GOOD, "SnapStart": {"ApplyOn": "None"}}, creating=True)
    assert "SnapStart" not in _rules.merge({"SnapStart": {"ApplyOn": "PublishedVersions"}}, given)


def statement(**more: Any) -> _policy.Statement:
    request = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", **more}
    return _policy.function_statement(request, "arn", "aws")


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("*", "*"),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:user/u", {"AWS": "arn:aws:iam::123456789012:user/u"}),
        ("events.amazonaws.com", {"Service": "events.amazonaws.com"}),
    ],
)
def test_principals(principal: str, shown: object) -> None:
    assert statement(Principal=principal)["Principal"] == shown


def test_conditions() -> None:
    found = statement(PrincipalOrgID="o-1234567890", EventSourceToken="t", FunctionUrlAuthType="NONE")
    assert found["Condition"] == {
        "StringEquals": {
            "lambda:FunctionUrlAuthType": "NONE",
            "lambda:EventSourceToken": "t",
            "aws:PrincipalOrgID": "o-1234567890",
        }
    }
    assert "Condition" not in statement()


def test_a_policy_has_its_bounds() -> None:
    with pytest.raises(ResourceConflictError):
        _policy.add([statement()], statement())
    with pytest.raises(InvalidParameterValueError):
        statement(Principal="nobody")
    many = [statement(StatementId=f"s{number}") for number in range(200)]
    with pytest.raises(PolicyLengthExceededError):
        _policy.add(many, statement())
    assert json.loads(_policy.document(many))["Id"] == "default"


def concurrency(limit: int = 10) -> Concurrency:
    return Concurrency(None, limit)  # type: ignore[arg-type]


def test_a_reservation_bounds_a_function_and_leaves_the_rest_to_the_others() -> None:
    counts = concurrency()
    account = AccountLoad(reserved=4)
    one, other = FunctionLoad(account), FunctionLoad(account)
    for _ in range(4):
        counts.enter(one, 4)
    with pytest.raises(TooManyRequestsError) as raised:
        counts.enter(one, 4)
    assert raised.value.members["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    for _ in range(6):
        counts.enter(other, None)
    with pytest.raises(TooManyRequestsError) as raised:
        counts.enter(other, None)
    assert raised.value.members["Reason"] == "ConcurrentInvocationLimitExceeded"
    counts.leave(one, shared=False)
    assert not counts.enter(one, 4)
    counts.leave(other, shared=True)
    assert counts.enter(other, None)


def test_provisioned_concurrency_is_a_functions_own_and_the_rest_spills_over() -> None:
    counts = concurrency()
    account = AccountLoad(reserved=8)
    load = FunctionLoad(account, provisioned=8)
    shared = [counts.enter(load, None) for _ in range(10)]
    assert shared == [False] * 8 + [True] * 2
    with pytest.raises(TooManyRequestsError) as raised:
        counts.enter(load, None)
    assert raised.value.members["Reason"] == "ConcurrentInvocationLimitExceeded"
    counts.leave(load, shared=False)
    assert not counts.enter(load, None), "a place of its own became free"
    counts.leave(load, shared=True)
    assert counts.enter(load, None)
    for one in shared:
        counts.leave(load, shared=one)
    assert (load.running, load.spilled, account.running) == (0, 0, 0)


@pytest.mark.parametrize(
    ("count", "weight", "expected"),
    [(10, 0.25, {"2": 2, "1": 8}), (1, 0.5, {"2": 0, "1": 1}), (3, 1.0, {"2": 3, "1": 0})],
)
def test_an_alias_divides_what_is_provisioned_by_its_weights(
    count: int, weight: float, expected: dict[str, int]
) -> None:
    ref = FunctionRef(Scope(), "f")
    assert shares(Alias(ref, "live", "1", "", {"2": weight}, "r"), "live", count) == expected
    assert shares(None, "7", count) == {"7": count}


def test_a_function_has_one_load() -> None:
    counts = concurrency()
    load = counts.load(Scope(), "f")
    assert counts.load(Scope(), "f") is load
    assert counts.load(Scope(), "g").account is load.account

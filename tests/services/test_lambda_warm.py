"""SnapStart and provisioned concurrency, as boto3 asks for them.

Those that take snapshots are slow where Python 3.12 is not the interpreter of the tests: `test_lambda_snapshots.py` has
what snapshots do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ServerProcess
from tests.services.lambda_code import ECHO, create, package

pytestmark = pytest.mark.slow

SNAP: dict[str, Any] = {"Runtime": "python3.12", "SnapStart": {"ApplyOn": "PublishedVersions"}}
HOW = """
import os, uuid
made = str(uuid.uuid4())
def handler(event, context):
    return [made, str(uuid.uuid4()), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


@pytest.fixture
def lam(aws: Callable[..., Any]) -> Any:
    return aws("lambda")


def until(holds: Callable[[], Any]) -> Any:
    """Ask until the answer is yes; the answer."""
    while not (found := holds()):
        pass
    return found


def refused(code: str, call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**request)
    assert raised.value.response["Error"]["Code"] == code
    return str(raised.value.response["Error"]["Message"])


def settled(lam: Any, version: str = "1") -> Any:
    """A version's configuration when it is no longer pending."""

    def look() -> Any:
        found = lam.get_function_configuration(FunctionName="f", Qualifier=version)
        return found if found["State"] != "Pending" else None

    return until(look)


def invoke(lam: Any, qualifier: str) -> Any:
    return json.loads(lam.invoke(FunctionName="f", Qualifier=qualifier)["Payload"].read())


def ready(lam: Any, qualifier: str) -> Any:
    """A provisioned concurrency configuration when its allocation is over."""

    def look() -> Any:
        found = lam.get_provisioned_concurrency_config(FunctionName="f", Qualifier=qualifier)
        return found if found["Status"] != "IN_PROGRESS" else None

    return until(look)


# -- SnapStart ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_version_with_snapstart_is_pending_then_active(lam: Any) -> None:
    create(lam, HOW, **SNAP)
    assert lam.get_function_configuration(FunctionName="f")["SnapStart"] == {
        "ApplyOn": "PublishedVersions",
        "OptimizationStatus": "Off",
    }
    made = lam.publish_version(FunctionName="f")
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    found = settled(lam)
    assert found["State"] == "Active"
    assert found["LastUpdateStatus"] == "Successful"
    assert found["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    lam.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="1")
    snapped, latest = invoke(lam, "1"), invoke(lam, "$LATEST")
    assert (snapped[2], latest[2]) == ("snap-start", "on-demand")
    assert snapped[0] != latest[0]
    assert lam.publish_version(FunctionName="f")["Version"] == "1", "nothing has changed"


@pytest.mark.slow
def test_init_code_that_fails_makes_the_version_fail(lam: Any) -> None:
    create(lam, "raise RuntimeError('no')\n", Publish=True, **SNAP)
    found = settled(lam)
    assert found["State"] == found["LastUpdateStatus"] == "Failed"
    assert found["StateReasonCode"] == found["LastUpdateStatusReasonCode"] == "FunctionError"
    assert found["StateReason"] == "An error occurred during function initialization."
    assert refused("ResourceConflictException", lam.invoke, FunctionName="f", Qualifier="1").endswith("state: Failed")
    refused("ResourceConflictException", lam.create_alias, FunctionName="f", Name="live", FunctionVersion="1")


@pytest.mark.slow
def test_a_version_cannot_be_invoked_before_its_snapshot_is_taken(lam: Any) -> None:
    create(lam, f"import time\ntime.sleep(0.5)\n{ECHO}", Publish=True, **SNAP)
    message = refused("SnapStartNotReadyException", lam.invoke, FunctionName="f", Qualifier="1")
    assert message.startswith("Lambda is initializing your function.")
    assert settled(lam)["State"] == "Active"


@pytest.mark.slow
def test_a_restore_that_fails(lam: Any) -> None:
    source = "from snapshot_restore_py import *\n@register_after_restore\ndef f():\n    raise ValueError('not so')\n"
    create(lam, f"{source}{ECHO}", Publish=True, **SNAP)
    assert settled(lam)["State"] == "Active"
    assert refused("SnapStartException", lam.invoke, FunctionName="f", Qualifier="1") == "not so"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Runtime": "python3.11"}, "python3.11 is not supported for SnapStart enabled functions."),
        ({"Runtime": "nodejs22.x"}, "nodejs22.x is not supported for SnapStart enabled functions."),
        ({"Runtime": "provided.al2023"}, "provided.al2023 is not supported for SnapStart enabled functions."),
        ({"EphemeralStorage": {"Size": 513}}, "Ephemeral storage of more than 512 MB is not supported"),
    ],
)
def test_what_snapstart_does_not_go_with(lam: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError) as raised:
        create(lam, **{**SNAP, **change})
    assert raised.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert raised.value.response["Error"]["Message"].startswith(message)


def test_a_later_change_is_checked_as_well(lam: Any) -> None:
    create(lam, **SNAP)
    change = lam.update_function_configuration
    refused("InvalidParameterValueException", change, FunctionName="f", EphemeralStorage={"Size": 1024})
    change(FunctionName="f", SnapStart={"ApplyOn": "None"})
    change(FunctionName="f", EphemeralStorage={"Size": 1024})
    refused("InvalidParameterValueException", change, FunctionName="f", SnapStart={"ApplyOn": "PublishedVersions"})


@pytest.mark.slow
def test_snapshots_and_provisioned_environments_after_a_crash(new_server: Callable[..., ServerProcess]) -> None:
    """What was pending is taken, what was taken is taken again when it is needed, what was provisioned is there."""
    server = new_server()
    lam = server.client("lambda")
    create(lam, HOW, Publish=True, **SNAP)
    assert settled(lam)["State"] == "Active"
    first = invoke(lam, "1")
    lam.update_function_code(FunctionName="f", ZipFile=package(app=f"import time\ntime.sleep(0.3)\n{HOW}"))
    lam.publish_version(FunctionName="f")
    lam.update_function_configuration(FunctionName="f", SnapStart={"ApplyOn": "None"})
    lam.publish_version(FunctionName="f")
    lam.put_provisioned_concurrency_config(FunctionName="f", Qualifier="3", ProvisionedConcurrentExecutions=2)
    server.kill()
    server.start()
    lam = server.client("lambda")
    assert settled(lam, "2")["State"] == "Active"
    again = invoke(lam, "1")
    assert (again[2], again[0] != first[0]) == ("snap-start", True)
    found = ready(lam, "3")
    assert (found["Status"], found["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 2)
    assert invoke(lam, "3")[2] == "provisioned-concurrency"


# -- provisioned concurrency ----------------------------------------------------------------------------------------


def test_provisioned_concurrency_of_a_version(lam: Any) -> None:
    create(lam, HOW, Publish=True)
    put = lam.put_provisioned_concurrency_config(FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=2)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (put["Status"], put["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
    found = ready(lam, "1")
    assert found["Status"] == "READY"
    assert found["AllocatedProvisionedConcurrentExecutions"] == found["AvailableProvisionedConcurrentExecutions"] == 2
    assert invoke(lam, "1")[2] == "provisioned-concurrency"
    listed = lam.list_provisioned_concurrency_configs(FunctionName="f")["ProvisionedConcurrencyConfigs"]
    assert [one["FunctionArn"].rpartition(":")[2] for one in listed] == ["1"]
    assert listed[0]["Status"] == "READY"
    lam.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
    assert lam.list_provisioned_concurrency_configs(FunctionName="f")["ProvisionedConcurrencyConfigs"] == []
    until(lambda: invoke(lam, "1")[2] == "on-demand")


def test_provisioned_concurrency_follows_an_alias(lam: Any) -> None:
    create(lam, HOW, Publish=True)
    lam.update_function_code(FunctionName="f", ZipFile=package(app=f"# other\n{HOW}"), Publish=True)
    lam.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    lam.put_provisioned_concurrency_config(FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=1)
    assert ready(lam, "live")["Status"] == "READY"
    assert invoke(lam, "live")[2] == "provisioned-concurrency"
    lam.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    until(lambda: invoke(lam, "live")[2] == "provisioned-concurrency")
    lam.delete_alias(FunctionName="f", Name="live")
    assert lam.list_provisioned_concurrency_configs(FunctionName="f")["ProvisionedConcurrencyConfigs"] == []


def test_an_allocation_that_fails_says_why(lam: Any) -> None:
    create(lam, "raise RuntimeError('no')\n", Publish=True)
    lam.put_provisioned_concurrency_config(FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1)
    found = ready(lam, "1")
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")


def test_what_cannot_be_provisioned(lam: Any) -> None:
    create(lam, Publish=True)
    lam.update_function_code(FunctionName="f", ZipFile=package(app=f"# other\n{ECHO}"), Publish=True)

    def put(code: str, qualifier: str, count: int = 1) -> str:
        wanted = {"FunctionName": "f", "Qualifier": qualifier, "ProvisionedConcurrentExecutions": count}
        return refused(code, lam.put_provisioned_concurrency_config, **wanted)

    invalid = "InvalidParameterValueException"
    unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    assert put(invalid, "$LATEST") == unpublished
    lam.create_alias(FunctionName="f", Name="latest", FunctionVersion="$LATEST")
    assert put(invalid, "latest") == unpublished
    assert put("ResourceNotFoundException", "9").startswith("Function not found: ")
    assert put("ResourceNotFoundException", "nowhere").startswith("Cannot find alias arn: ")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    lam.create_alias(FunctionName="f", Name="both", FunctionVersion="1", RoutingConfig=weights)
    assert put(invalid, "both") == "Alias with weights can not be used with Provisioned Concurrency"
    lam.create_alias(FunctionName="f", Name="one", FunctionVersion="1")
    lam.put_provisioned_concurrency_config(FunctionName="f", Qualifier="one", ProvisionedConcurrentExecutions=1)
    assert put("ResourceConflictException", "1") == "Version is pointed by a Provisioned Concurrency alias"
    lam.put_provisioned_concurrency_config(FunctionName="f", Qualifier="2", ProvisionedConcurrentExecutions=1)
    lam.create_alias(FunctionName="f", Name="two", FunctionVersion="2")
    conflict = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    assert put("ResourceConflictException", "two") == conflict
    move = {"FunctionName": "f", "Name": "one", "FunctionVersion": "2"}
    assert refused("ResourceConflictException", lam.update_alias, **move) == conflict


def test_snapstart_and_provisioned_concurrency_exclude_each_other(lam: Any) -> None:
    create(lam, Publish=True, **SNAP)
    wanted = {"FunctionName": "f", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1}
    message = refused("InvalidParameterValueException", lam.put_provisioned_concurrency_config, **wanted)
    assert message == "Provisioned Concurrency is not supported for SnapStart enabled functions."


def test_provisioned_concurrency_counts_against_what_is_reserved_and_what_is_left(lam: Any) -> None:
    create(lam, Publish=True)
    wanted = {"FunctionName": "f", "Qualifier": "1"}
    put, invalid = lam.put_provisioned_concurrency_config, "InvalidParameterValueException"
    message = refused(invalid, put, **wanted, ProvisionedConcurrentExecutions=901)
    assert message.endswith("below its minimum value of [100].")
    before = lam.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    put(**wanted, ProvisionedConcurrentExecutions=2)
    assert lam.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == before - 2
    message = refused(invalid, lam.put_function_concurrency, FunctionName="f", ReservedConcurrentExecutions=1)
    assert message.endswith("should not be lower than function's total provisioned concurrency [2].")
    lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=3)
    assert lam.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == before - 3
    message = refused(invalid, put, **wanted, ProvisionedConcurrentExecutions=4)
    assert message.startswith("Requested Provisioned Concurrency should not be greater than the reservedConcurrent")
    lam.delete_function(FunctionName="f")
    assert lam.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == before


@pytest.mark.slow
def test_events_past_the_provisioned_ones_spill_over(lam: Any, server: ServerProcess) -> None:
    create(
        lam, f"import time\n{HOW}".replace("    return", "    time.sleep(0.5)\n    return"), Publish=True, Timeout=10
    )
    lam.put_provisioned_concurrency_config(FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1)
    assert ready(lam, "1")["Status"] == "READY"
    clients = [server.client("lambda") for _ in range(2)]
    began = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        found = sorted(threads.map(lambda client: invoke(client, "1")[2], clients))
    assert time.monotonic() > began
    assert found == ["on-demand", "provisioned-concurrency"]

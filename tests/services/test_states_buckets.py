"""Distributed Maps over objects, and tasks on them: boto3 against a server."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.test_states import ROLE, ended, machine, run

Aws = Callable[..., Any]
READ = "arn:aws:states:::s3:getObject"
LIST = "arn:aws:states:::s3:listObjectsV2"
PROCESSOR = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
    "StartAt": "P",
    "States": {"P": {"Type": "Pass", "End": True}},
}


@pytest.fixture
def states(aws: Aws) -> Any:
    return aws("stepfunctions")


@pytest.fixture
def s3(aws: Aws) -> Any:
    found = aws("s3")
    found.create_bucket(Bucket="data")
    return found


def a_map(states: Any, config: dict[str, Any], resource: str = READ, **more: Any) -> str:
    parameters = {"Bucket": "data", **({"Key": "set"} if resource == READ else {})}
    reader = {"Resource": resource, "ReaderConfig": config, "Parameters": parameters | more.pop("Parameters", {})}
    body = {"Type": "Map", "ItemReader": reader, "ItemProcessor": PROCESSOR, "End": True} | more
    return machine(states, {"M": body}, name=f"m{abs(hash(json.dumps(body)))}")


def test_each_format_gives_its_items(states: Any, s3: Any) -> None:
    given = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "CSVDelimiter": "PIPE"}
    cases: list[tuple[bytes, dict[str, Any], Any]] = [
        (b"a,b\n1,2\n3\n", {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}, [["1", "2"], ["3", ""]]),
        (b"1|2\n", given, [{"a": "1"}]),
        (b'{"n":{"x":[1,2,3]}}', {"InputType": "JSON", "ItemsPointer": "/n/x", "MaxItems": 2}, [1, 2]),
        (b'{"a":1}\n\n"b"\n', {"InputType": "JSONL"}, [{"a": 1}, "b"]),
    ]
    for body, config, wanted in cases:
        s3.put_object(Bucket="data", Key="set", Body=body)
        found = run(states, a_map(states, config))
        assert found["status"] == "SUCCEEDED", found
        output = json.loads(found["output"])
        assert output == wanted or [[row["a"], row["b"]] for row in output] == wanted


def test_the_items_of_a_json_object_are_where_items_path_says(states: Any, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="set", Body=b'{"a":[1,2]}')
    assert run(states, a_map(states, {"InputType": "JSON"}, ItemsPath="$.a"))["output"] == "[1,2]"
    found = run(states, a_map(states, {"InputType": "JSON"}, ItemsPath="$.b"))
    assert (found["error"], found["cause"]) == ("States.ItemReaderFailed", "Attempting to map over non-iterable node.")


def test_objects_of_a_bucket_are_items_or_hold_them(states: Any, s3: Any) -> None:
    for key in ("in/1", "in/2", "out/3"):
        s3.put_object(Bucket="data", Key=key, Body=f'["{key}"]'.encode())
    s3.put_object(Bucket="data", Key="in/", Body=b"")
    prefix = {"Parameters": {"Prefix": "in/"}}
    listed = json.loads(run(states, a_map(states, {}, LIST, **prefix))["output"])
    assert [(item["Key"], item["Size"]) for item in listed] == [("in/", 0), ("in/1", 8), ("in/2", 8)]
    assert set(listed[0]) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}
    config = {"InputType": "JSON", "Transformation": "LOAD_AND_FLATTEN"}
    assert json.loads(run(states, a_map(states, config, LIST, **prefix))["output"]) == ["in/1", "in/2"]


def test_manifests_lead_to_items(states: Any, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="l/1.csv.gz", Body=gzip.compress(b'"data","k1","3"\n"data","k2","4"\n'))
    manifest = {
        "destinationBucket": "arn:aws:s3:::data",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "l/1.csv.gz"}],
    }
    s3.put_object(Bucket="data", Key="set", Body=json.dumps(manifest))
    found = json.loads(run(states, a_map(states, {"InputType": "MANIFEST", "MaxItems": 1}))["output"])
    assert found == [{"Bucket": "data", "Key": "k1", "Size": "3"}]
    s3.put_object(Bucket="data", Key="j", Body=b"1\n2\n")
    s3.put_object(Bucket="data", Key="set", Body=b"s3://data/j\n")
    found = run(states, a_map(states, {"InputType": "JSONL", "ManifestType": "ATHENA_DATA"}))
    assert found["output"] == "[1,2]"


def test_what_cannot_be_read_fails_the_map(states: Any, s3: Any) -> None:
    found = run(states, a_map(states, {"InputType": "JSON"}))
    assert (found["status"], found["error"]) == ("FAILED", "States.ItemReaderFailed")
    assert (
        "The specified key does not exist. (Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey"
        in found["cause"]
    )
    s3.put_object(Bucket="data", Key="set", Body=b"PAR1")
    assert "PARQUET" in run(states, a_map(states, {"InputType": "PARQUET"}))["cause"]


def test_results_are_exported(states: Any, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="set", Body=b"[1,[2,3]]")
    s3.create_bucket(Bucket="results")
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "results", "Prefix": "jobs"},
        "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"},
    }
    output = json.loads(run(states, a_map(states, {"InputType": "JSON"}, ResultWriter=writer))["output"])
    details = output["ResultWriterDetails"]
    assert details["Bucket"] == "results"
    manifest = json.loads(s3.get_object(**details)["Body"].read())
    assert manifest["MapRunArn"] == output["MapRunArn"]
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    found = s3.get_object(Bucket="results", Key=file["Key"])
    assert (found["Body"].read(), found["ContentLength"]) == (b"1\n2\n3\n", file["Size"])
    assert states.describe_map_run(mapRunArn=output["MapRunArn"])["itemCounts"]["succeeded"] == 2
    writer["Parameters"] = {"Bucket": "nowhere"}
    failed = run(states, a_map(states, {"InputType": "JSON"}, ResultWriter=writer))
    assert failed["error"] == "States.ResultWriterFailed"
    assert "The specified bucket does not exist" in failed["cause"]


def test_tasks_put_and_get_objects(states: Any, s3: Any) -> None:
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
        "Parameters": {"Bucket": "data", "Key": "k", "Body.$": "$.body"},
        "ResultPath": "$.put",
        "Next": "Get",
    }
    get = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": "data", "Key.$": "$.key"},
        "ResultSelector": {"Body.$": "$.Body"},
        "End": True,
    }
    arn = machine(states, {"Put": put, "Get": get})
    assert json.loads(run(states, arn, {"body": {"a": 1}, "key": "k"})["output"]) == {"Body": '{"a":1}'}
    assert json.loads(run(states, arn, {"body": "text", "key": "k"})["output"]) == {"Body": '"text"'}
    failed = run(states, arn, {"body": "text", "key": "none"})
    assert failed["error"] == "S3.NoSuchKeyException"
    s3.put_object(Bucket="data", Key="large", Body=b"a" * 5_000_000)
    assert run(states, arn, {"body": 1, "key": "large"})["error"] == "States.DataLimitExceeded"


@pytest.mark.slow
def test_a_map_over_objects_goes_on_after_a_kill(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    s3, states = server.client("s3"), server.client("stepfunctions")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="set", Body=json.dumps(list(range(50))))
    work = {"Type": "Wait", "Seconds": 5, "End": True}
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "W",
        "States": {"W": work},
    }
    body = {
        "Type": "Map",
        "ItemReader": {
            "Resource": READ,
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": "data", "Key": "set"},
        },
        "ItemProcessor": processor,
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "data", "Prefix": "r"}},
        "End": True,
    }
    definition = json.dumps({"StartAt": "M", "States": {"M": body}})
    arn = states.create_state_machine(name="m", definition=definition, roleArn=ROLE)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    while not states.list_map_runs(executionArn=execution)["mapRuns"]:
        pass
    server.kill()
    server.start()
    s3, states = server.client("s3"), server.client("stepfunctions")
    (run,) = states.list_map_runs(executionArn=execution)["mapRuns"]
    while states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]["running"] < 50:
        pass
    s3.delete_object(Bucket="data", Key="set")
    server.kill()
    server.start()
    server.post("/_fogbank/clock", {"seconds": 6})
    s3, states = server.client("s3"), server.client("stepfunctions")
    found = ended(states, execution)
    assert found["status"] == "SUCCEEDED", found
    details = json.loads(found["output"])["ResultWriterDetails"]
    manifest = json.loads(s3.get_object(**details)["Body"].read())
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    entries = json.loads(s3.get_object(Bucket="data", Key=file["Key"])["Body"].read())
    assert sorted(int(entry["Output"]) for entry in entries) == list(range(50))
    assert len(s3.list_objects_v2(Bucket="data")["Contents"]) == 2

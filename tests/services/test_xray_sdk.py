"""The X-Ray SDK and Powertools' Tracer in functions, as they come from PyPI; active tracing and PassThrough."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aws_xray_sdk
import pytest
from tests.services.lambda_code import create

pytestmark = pytest.mark.slow

Aws = Callable[..., Any]
SITE = str(Path(aws_xray_sdk.__file__).parent.parent)
TRACER = f"""
import json, os, sys
sys.path.append({SITE!r})
from aws_lambda_powertools import Tracer
import boto3
tracer = Tracer(service="checkout")
sqs = boto3.client("sqs")

@tracer.capture_method
def pay(order):
    tracer.put_annotation("order", order)
    if order == "bad":
        raise ValueError("no such card")
    sqs.send_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/000000000000/paid", MessageBody=order)

@tracer.capture_lambda_handler
def handler(event, context):
    pay(event["order"])
    return os.environ["_X_AMZN_TRACE_ID"]
"""
PLAIN = "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n"


def context(lam: Any, name: str, **event: Any) -> dict[str, str]:
    """What a function found in _X_AMZN_TRACE_ID."""
    reply = lam.invoke(FunctionName=name, Payload=json.dumps(event))
    assert "FunctionError" not in reply, reply["Payload"].read()
    return dict(part.split("=") for part in json.loads(reply["Payload"].read()).split(";"))


def subsegments(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in document.get("subsegments", ()):
        yield each
        yield from subsegments(each)


def trace(xray: Any, name: str, wanted: str) -> list[dict[str, Any]]:
    """A trace's segments, as soon as a subsegment of some name is in them."""
    deadline = time.monotonic() + 30
    while True:
        for found in xray.batch_get_traces(TraceIds=[name])["Traces"]:
            documents = [json.loads(each["Document"]) for each in found["Segments"]]
            if any(each["name"] == wanted for document in documents for each in subsegments(document)):
                return documents
        assert time.monotonic() < deadline


def test_the_tracer_of_powertools_works_unmodified(aws: Aws) -> None:
    """Its subsegments stand in the function's segment, with annotations; what it calls stands under them."""
    lam, xray = aws("lambda"), aws("xray")
    aws("sqs").create_queue(QueueName="paid")
    create(lam, TRACER, "checkout", TracingConfig={"Mode": "Active"}, Timeout=30, MemorySize=512)
    found = context(lam, "checkout", order="o-7")
    assert found["Sampled"] == "1"
    documents = trace(xray, found["Root"], "## app.pay")
    function = next(d for d in documents if d.get("origin") == "AWS::Lambda::Function")
    assert function["id"] == found["Parent"]
    named = {each["name"]: each for each in subsegments(function)}
    assert {"## handler", "## app.pay", "Initialization"} <= named.keys()
    assert named["## app.pay"]["annotations"] == {"order": "o-7"}
    assert named["## handler"]["annotations"]["ColdStart"] is True
    queue = next(d for d in documents if d["name"] == "paid")
    assert queue["parent_id"] in {each["id"] for each in named.values()}
    now = time.time()
    (summary,) = xray.get_trace_summaries(
        StartTime=now - 60, EndTime=now + 60, FilterExpression='annotation[order] = "o-7"'
    )["TraceSummaries"]
    assert summary["Id"] == found["Root"]
    reply = lam.invoke(FunctionName="checkout", Payload=json.dumps({"order": "bad"}))
    assert reply["FunctionError"] == "Unhandled"


def test_tracing_is_active_or_passes_through(aws: Aws) -> None:
    """PassThrough leaves the decision to who calls: where nobody decided, the function's SDK sends nothing."""
    lam = aws("lambda")
    create(lam, PLAIN, "active", TracingConfig={"Mode": "Active"})
    create(lam, PLAIN, "passing")
    assert context(lam, "active")["Sampled"] == "1"
    assert context(lam, "passing")["Sampled"] == "0"
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled={}"
    sampled = "1"

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header.format(sampled)

    lam.meta.events.register("before-sign.lambda.Invoke", add)
    assert context(lam, "passing")["Sampled"] == "1"
    sampled = "0"
    found = context(lam, "active")
    assert (found["Sampled"], found["Root"]) == ("0", "1-5759e988-bd862e3fe1be46a994272793")

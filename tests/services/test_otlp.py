"""OTLP over real sockets: OpenTelemetry's own SDK in a client and in a function; out to a collector."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from tests.conftest import ServerProcess
from tests.services.lambda_code import create

Aws = Callable[..., Any]
SITE = str(Path(pytest.__file__).parent.parent)
FUNCTION = f"""
import os, sys
sys.path.append({SITE!r})
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("app")

def handler(event, context):
    fields = dict(part.split("=") for part in os.environ["_X_AMZN_TRACE_ID"].split(";"))
    parent = trace.SpanContext(
        int(fields["Root"].replace("-", "")[1:], 16), int(fields["Parent"], 16), True, trace.TraceFlags(1)
    )
    with tracer.start_as_current_span("charge", trace.set_span_in_context(trace.NonRecordingSpan(parent))):
        return fields["Root"]
"""


def shown(server: ServerProcess, name: str) -> Any:
    """A trace, as the server's own path shows it."""
    with urllib.request.urlopen(f"{server.endpoint}/_fogbank/traces/{name}", timeout=30) as reply:
        return json.loads(reply.read())


def post(server: ServerProcess, body: bytes, **headers: str) -> tuple[int, bytes]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{server.endpoint}/v1/traces", data=body, headers=names, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_opentelemetrys_sdk_sends_its_spans(server: ServerProcess) -> None:
    """They are there when it has been answered."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPSpanExporter(endpoint=f"{server.endpoint}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("app")
    with tracer.start_as_current_span("order") as outer, tracer.start_as_current_span("pay"):
        name = f"{outer.get_span_context().trace_id:032x}"
    found = {span["name"]: span for span in shown(server, name)["spans"]}
    assert found["pay"]["parent"] == found["order"]["id"]
    assert found["order"]["service"] == "shop"
    provider.shutdown()


def test_json_is_taken_and_what_is_malformed_is_refused(server: ServerProcess) -> None:
    """In the form that the request came in."""
    now = time.time_ns()
    span = {
        "traceId": "5759e988bd862e3fe1be46a994272793", "spanId": "53995c3f42cd8ad8", "name": "x",
        "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1000),
    }  # fmt: skip
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span, {"traceId": "1"}]}]}]}
    status, body = post(server, json.dumps(document).encode(), content_type="application/json")
    assert status == 200
    assert json.loads(body)["partialSuccess"]["rejectedSpans"] == "1"
    assert shown(server, span["traceId"])["spans"][0]["name"] == "x"
    assert post(server, b"{", content_type="application/json")[0] == 400
    assert post(server, b"\xff\xff", content_type="application/x-protobuf")[0] == 400
    assert post(server, b"not gzip", content_type="application/json", content_encoding="gzip")[0] == 400
    assert post(server, b"x", content_type="text/plain")[0] == 415


@pytest.mark.slow
def test_a_functions_own_spans_join_its_trace(server: ServerProcess, aws: Aws) -> None:
    """Its exporter finds Fogbank by the environment."""
    lam = aws("lambda")
    create(lam, FUNCTION, "charge", Timeout=30, MemorySize=512)
    reply = lam.invoke(FunctionName="charge")
    root = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, root
    runs = [span for span in shown(server, root)["spans"] if span["kind"] == "invocation"]
    own = [span for span in shown(server, root)["spans"] if span["kind"] == "span"]
    assert [span["parent"] for span in own] == [run["id"] for run in runs]


@pytest.mark.slow
def test_spans_go_out_to_a_collector(
    server: ServerProcess, new_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """The collector is another Fogbank."""
    first = new_server("--otlp-endpoint", server.endpoint, "--xray-port", "0", data=tmp_path / "first")
    sqs = first.client("sqs")
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header

    sqs.meta.events.register("before-sign.sqs", add)
    sqs.create_queue(QueueName="orders")
    deadline = time.monotonic() + 30
    while True:
        try:
            (span,) = shown(server, "1-5759e988-bd862e3fe1be46a994272793")["spans"]
            break
        except urllib.error.HTTPError:
            assert time.monotonic() < deadline
    assert (span["name"], span["service"], span["kind"]) == ("CreateQueue", "orders", "span")
    assert span["attributes"]["rpc.method"] == "CreateQueue"

"""Extensions: external ones are processes of their own, internal ones live in the runtime's; what they are told."""

from __future__ import annotations

import asyncio
import json
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.services.environments import ECHO, IDS, Make, event, fail, lines, needs_sandbox, run, until

from fogbank.runtime import FunctionVersion, Interpreters, Runtime

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXTENSION = f"""#!{Interpreters().own.path} -S
import http.client, json, os, sys
api, name = os.environ["AWS_LAMBDA_RUNTIME_API"], os.path.basename(sys.argv[0])
def call(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(api)
    connection.request(method, path, body, {{key.replace("_", "-"): value for key, value in headers.items()}})
    reply = connection.getresponse()
    text = reply.read().decode()
    if text[:1] in ("{{", "["):
        text = json.loads(text)
    return reply.status, dict(reply.headers), text
def say(*words):
    print(*words, flush=True)
def register(*events, path="/2020-01-01/extension/register", **headers):
    status, found, body = call("POST", path, json.dumps({{"events": events}}), Lambda_Extension_Name=name, **headers)
    return found.get("Lambda-Extension-Identifier"), status, body
def next(identifier):
    return call("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=identifier)[2]
def report(identifier, what, kind):
    return call("POST", "/2020-01-01/extension/" + what + "/error", "{{}}", Lambda_Extension_Identifier=identifier,
        Lambda_Extension_Function_Error_Type=kind)
"""


@pytest.fixture
def layered(tmp_path: Path, make: Make) -> Callable[..., FunctionVersion]:
    """Makes versions whose layers have extensions: `layered(source, name=body, …)`."""

    def layered(source: str, /, *, more: dict[str, Any] | None = None, **extensions: str) -> FunctionVersion:
        layers = tmp_path / "layers" / IDS.hex(8)
        (layers / "extensions" / "folder").mkdir(parents=True)
        for name, body in extensions.items():
            place = layers / "extensions" / name
            place.write_text(EXTENSION + body)
            place.chmod(0o755)
        return make(source, layers=layers, **(more or {}))

    return layered


FOLLOW = """
identifier, status, body = register("INVOKE", "SHUTDOWN", Lambda_Extension_Accept_Feature="accountId")
say("registered", status, json.dumps(body, sort_keys=True), "_HANDLER" in os.environ, "AWS_REGION" in os.environ)
while True:
    told = next(identifier)
    say("told", json.dumps(told, sort_keys=True))
    if told["eventType"] == "SHUTDOWN":
        say("bye")
        break
"""


@pytest.mark.slow
async def test_an_extension_is_told_of_events_and_of_the_end(
    runtime: Runtime, layered: Callable[..., FunctionVersion]
) -> None:
    version = layered(ECHO, follower=FOLLOW)
    sent = event(7)
    outcome = await runtime.invoke(version, sent)
    assert json.loads(outcome.payload) == 7
    await until(lambda: any(line.startswith("REPORT") for line in lines(runtime)))
    assert await run(runtime, version, 8) == 8
    runtime.retire(version.key)
    await until(lambda: "bye" in lines(runtime))
    await until(lambda: runtime.alive == 0)
    said = lines(runtime)
    assert said[1] == (
        'registered 200 {"accountId": "000000000000", "functionName": "f", "functionVersion": "$LATEST", '
        '"handler": "app.handler"} False True'
    )
    assert "EXTENSION\tName: follower\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in said
    told = [json.loads(line[5:]) for line in said if line.startswith("told ")]
    assert [document["eventType"] for document in told] == ["INVOKE", "INVOKE", "SHUTDOWN"]
    assert told[0]["requestId"] == sent.request_id
    assert told[0]["invokedFunctionArn"] == sent.function_arn
    assert told[0]["tracing"]["type"] == "X-Amzn-Trace-Id"
    assert told[0]["tracing"]["value"].startswith("Root=1-5759e988-bd862e3fe1be46a994272793;")
    assert told[2]["shutdownReason"] == "spindown"
    reports = [line for line in said if line.startswith("REPORT")]
    assert len(reports) == 2
    assert "Init Duration" in reports[0]


@pytest.mark.slow
async def test_the_event_is_over_when_the_extension_is_ready_too(
    runtime: Runtime, layered: Callable[..., FunctionVersion], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    body = f"""
import time
identifier, *_ = register("INVOKE")
next(identifier)
while not os.path.exists({str(gate)!r}): time.sleep(0.01)
next(identifier)
"""
    version = layered(ECHO, slow=body)
    assert await run(runtime, version, 1) == 1  # the caller has the answer before the extension is done
    assert not [line for line in lines(runtime) if line.startswith("REPORT")]
    gate.touch()
    await until(lambda: any(line.startswith("REPORT") for line in lines(runtime)))


@pytest.mark.slow
async def test_an_extension_that_takes_too_long_times_the_event_out(
    runtime: Runtime, layered: Callable[..., FunctionVersion]
) -> None:
    body = """
identifier, *_ = register("INVOKE", "SHUTDOWN")
told = next(identifier)
import time
time.sleep(0.6)
say("told", json.dumps(next(identifier)))
"""
    version = layered(ECHO, slow=body, more={"timeout": 0.3})
    assert await run(runtime, version, 1) == 1
    await until(lambda: any(line.startswith("told") for line in lines(runtime)))
    said = lines(runtime)
    assert any("Task timed out after 0.30 seconds" in line for line in said)
    assert json.loads(next(line for line in said if line.startswith("told"))[5:])["shutdownReason"] == "timeout"
    await until(lambda: runtime.alive == 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "reason", "kind"),
    [
        ("import os\ndef handler(event, context):\n    os._exit(3)\n", "failure", "Runtime.ExitError"),
        ("import time\ndef handler(event, context):\n    time.sleep(9)\n", "timeout", "Sandbox.Timedout"),
    ],
)
async def test_extensions_survive_the_runtime_and_hear_why(
    runtime: Runtime, layered: Callable[..., FunctionVersion], source: str, reason: str, kind: str
) -> None:
    version = layered(source, follower=FOLLOW, more={"timeout": 0.5})
    found = await fail(runtime, version)
    assert found["errorType"] == kind
    await until(lambda: "bye" in lines(runtime))
    told = [json.loads(line[5:]) for line in lines(runtime) if line.startswith("told ")]
    assert told[-1]["shutdownReason"] == reason
    await until(lambda: runtime.alive == 0)


@pytest.mark.parametrize(
    ("body", "kind", "message", "state"),
    [
        ("sys.exit(0)", "Extension.Crash", "exit code 0", "State: Started\tEvents: []"),
        (
            "register('INVOKE'); sys.exit(4)",
            "Extension.Crash",
            "exit status 4",
            "State: Registered\tEvents: [INVOKE]",
        ),
        (
            "identifier, *_ = register('INVOKE'); report(identifier, 'init', 'Mine.Broke'); sys.exit(1)",
            "Extension.InitError",
            "exit status 1",
            "State: InitError\tEvents: [INVOKE]\tError Type: Mine.Broke",
        ),
    ],
)
async def test_an_extension_that_fails_to_begin(
    runtime: Runtime, layered: Callable[..., FunctionVersion], body: str, kind: str, message: str, state: str
) -> None:
    found = await fail(runtime, layered(ECHO, broken=body))
    assert found["errorType"] == kind
    assert found["errorMessage"].endswith(f" Error: {message}")
    assert f"EXTENSION\tName: broken\t{state}" in lines(runtime)
    assert any(f"Status: error\tError Type: {kind}" in line for line in lines(runtime))


async def test_an_extension_that_cannot_be_started(runtime: Runtime, layered: Callable[..., FunctionVersion]) -> None:
    version = layered(ECHO, plain="")
    assert version.layers is not None
    (version.layers / "extensions" / "plain").chmod(0o644)
    found = await fail(runtime, version)
    assert found["errorType"] == "Extension.LaunchError"
    assert found["errorMessage"].endswith("Error: fork/exec /opt/extensions/plain: permission denied")
    assert "EXTENSION\tName: plain\tState: LaunchError\tEvents: []\tError Type: PermissionDenied" in lines(runtime)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "kind"),
    [("os._exit(5)", "Extension.Crash"), ("report(identifier, 'exit', 'Mine'); os._exit(5)", "Extension.ExitError")],
)
async def test_an_extension_that_ends_takes_the_event_with_it(
    runtime: Runtime, layered: Callable[..., FunctionVersion], body: str, kind: str
) -> None:
    source = "import time\ndef handler(event, context):\n    time.sleep(9)\n"
    found = await fail(
        runtime, layered(source, broken=f"identifier, *_ = register('INVOKE'); next(identifier); {body}")
    )
    assert found["errorType"] == kind
    assert found["errorMessage"].endswith(" Error: exit status 5")
    await until(lambda: runtime.alive == 0)


@pytest.mark.slow
async def test_requests_that_are_refused(runtime: Runtime, layered: Callable[..., FunctionVersion]) -> None:
    body = """
def kind(found):
    return found[0], found[2]["errorType"]
base = "/2020-01-01/extension/"
say("no name", *kind(call("POST", base + "register", "{}")))
say("no json", *kind(call("POST", base + "register", "{", Lambda_Extension_Name=name)))
say("no such event", *kind(call("POST", base + "register", '{"events": ["X"]}', Lambda_Extension_Name=name)))
say("shutdown inside", *kind(call("POST", base + "register", '{"events": ["SHUTDOWN"]}', Lambda_Extension_Name="in")))
say("nobody", *kind(call("GET", base + "event/next")))
say("no uuid", *kind(call("GET", base + "event/next", Lambda_Extension_Identifier="x")))
unknown = "00000000-0000-0000-0000-000000000000"
say("unknown", *kind(call("GET", base + "event/next", Lambda_Extension_Identifier=unknown)))
say("no method", *kind(call("PUT", base + "event/next")))
say("no path", *kind(call("GET", base + "event/previous")))
say("logs", *kind(call("PUT", "/2020-08-15/logs", "{}")))
say("logs by get", *kind(call("GET", "/2020-08-15/logs")))
for number in range(9):
    call("POST", base + "register", '{"events": ["INVOKE"]}', Lambda_Extension_Name="more%d" % number)
identifier, status, _ = register()
say("mine", status)
say("again", *kind(call("POST", base + "register", '{}', Lambda_Extension_Name=name)))
say("too many", *kind(call("POST", base + "register", '{}', Lambda_Extension_Name="eleventh")))
say("no type", *kind(call("POST", base + "init/error", "{}", Lambda_Extension_Identifier=identifier)))
def subscribe(document, path="/2022-07-01/telemetry"):
    found = call("PUT", path, json.dumps(document), Lambda_Extension_Identifier=identifier)
    return found[0], found[2]
say("empty", *subscribe({}))
say("wrong", *subscribe({"schemaVersion": "2022-07-01", "types": ["x"], "destination": {"protocol": "UDP",
    "URI": "http://example.com:1"}, "buffering": {"maxItems": 1, "maxBytes": 1, "timeoutMs": 1}}))
say("port", *subscribe({"schemaVersion": "2022-07-01", "types": ["function"], "destination": {"protocol": "HTTP",
    "URI": "http://sandbox.localdomain"}}))
say("old", *subscribe({"types": ["function"], "destination": {"protocol": "HTTP", "method": "GET",
    "URI": "http://sandbox.localdomain:1"}}, "/2020-08-15/logs"))
say("one", *subscribe({"types": ["function"], "destination": {"protocol": "TCP", "port": 1}}, "/2020-08-15/logs"))
say("both", *subscribe({"schemaVersion": "2022-07-01", "types": ["function"],
    "destination": {"protocol": "TCP", "port": 1}}))
say("done")
import time
time.sleep(9)
"""
    task = asyncio.ensure_future(runtime.invoke(layered(ECHO, strange=body), event()))
    await until(lambda: "done" in lines(runtime))
    await runtime.reset()
    await asyncio.wait({task})
    task.exception()
    said = dict.fromkeys(lines(runtime))
    for line in (
        "no name 400 Extension.MissingHeader",
        "no json 400 InvalidRequestFormat",
        "no such event 400 Extension.InvalidEventType",
        "shutdown inside 400 ShutdownEventNotSupportedForInternalExtension",
        "nobody 403 Extension.MissingExtensionIdentifier",
        "no uuid 403 Extension.InvalidExtensionIdentifier",
        "unknown 403 Extension.UnknownExtensionIdentifier",
        "no method 405 MethodNotAllowed",
        "no path 404 NotFound",
        "logs 403 Extension.MissingExtensionIdentifier",
        "logs by get 405 MethodNotAllowed",
        "mine 200",
        "again 403 Extension.AlreadyRegistered",
        "too many 403 Extension.TooManyExtensions",
        "no type 400 Extension.MissingHeader",
    ):
        assert line in said
    problems = [line for line in said if line.startswith(("empty", "wrong", "port"))]
    assert problems[0] == (
        "empty 400 {'errorType': 'ValidationError', 'errorMessage': 'schemaVersion should be one of 2022-07-01, "
        "2022-12-13, 2025-01-29; types should not be empty; destination is not provided'}"
    )
    assert "protocol should be HTTP or TCP" in problems[1]
    assert "maxItems should be between 1000 and 10000" in problems[1]
    assert "URI host should be sandbox.localdomain" in problems[1]
    assert "URI port is not provided" in problems[2]
    assert "old 400 {'errorType': 'Logs.ValidationError', 'errorMessage': 'method should be POST or PUT'}" in said
    assert 'one 200 "OK"' in said
    assert "LOGS\tName: strange\tState: Subscribed\tTypes: [Function]" in said
    already = "strange has subscribed through the Logs API already"
    assert f"both 400 {{'errorType': 'ValidationError', 'errorMessage': '{already}'}}" in said


# -- internal extensions ------------------------------------------------------------------------------------------


INTERNAL = """
import http.client, json, os, signal, sys, threading
def call(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    connection.request(method, "/2020-01-01/extension/" + path, body, headers)
    reply = connection.getresponse()
    return reply.headers.get("Lambda-Extension-Identifier"), json.loads(reply.read())
identifier, _ = call("POST", "register", '{"events": ["INVOKE"]}', Lambda_Extension_Name="inside")
told = []
def follow():
    while True:
        told.append(call("GET", "event/next", Lambda_Extension_Identifier=identifier)[1]["requestId"])
threading.Thread(target=follow, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: (print("terminated", flush=True), sys.exit(0)))
def handler(event, context):
    while not told: pass
    return told.pop() == context.aws_request_id
"""


@pytest.mark.slow
async def test_an_internal_extension_follows_events_and_has_time_to_end(runtime: Runtime, make: Make) -> None:
    version = make(INTERNAL)
    assert await run(runtime, version) is True
    await until(lambda: any(line.startswith("REPORT") for line in lines(runtime)))
    assert await run(runtime, version) is True
    runtime.retire(version.key)
    await until(lambda: runtime.alive == 0)
    assert "terminated" in lines(runtime)
    assert "EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]" in lines(runtime)


async def test_nobody_registers_when_the_init_phase_is_over(runtime: Runtime, make: Make) -> None:
    source = INTERNAL.partition("identifier, _")[0] + (
        "def handler(event, context):\n    return call('POST', 'register', '{}', Lambda_Extension_Name='late')[1]\n"
    )
    assert (await run(runtime, make(source)))["errorType"] == "Extension.RegistrationClosed"


# -- telemetry ----------------------------------------------------------------------------------------------------


LISTEN = """
import socketserver, threading, http.server
identifier, *_ = register("INVOKE", "SHUTDOWN")
heard = open(os.environ["HEARD"], "a")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        heard.write(self.rfile.read(int(self.headers["Content-Length"])).decode() + "\\n")
        heard.flush()
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer((os.environ.get("BIND", "127.0.0.1"), 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
document = {"schemaVersion": "2022-12-13", "types": ["platform", "function", "extension"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d/there" % server.server_port},
    "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25}}
say("subscribed", *call("PUT", "/2022-07-01/telemetry", json.dumps(document),
    Lambda_Extension_Identifier=identifier)[::2])
while next(identifier)["eventType"] != "SHUTDOWN":
    pass
import time
time.sleep(0.2)
"""


@pytest.mark.slow
async def test_the_older_logs_api(runtime: Runtime, layered: Callable[..., FunctionVersion], tmp_path: Path) -> None:
    """The same streams in its own records, by PUT; a process that ends is a fault."""
    heard = tmp_path / "heard"
    listen = (
        LISTEN.replace("2022-12-13", "2021-03-18").replace("/2022-07-01/telemetry", "/2020-08-15/logs")
        .replace("do_POST", "do_PUT").replace('"protocol": "HTTP"', '"protocol": "HTTP", "method": "PUT"')
    )  # fmt: skip
    source = "import os\ndef handler(event, context):\n    print('said', event)\n    event or os._exit(3)\n"
    version = layered(source, listener=listen, more={"environment": {"HEARD": str(heard)}})
    good, bad = event(7), event(0)
    await runtime.invoke(version, good)
    await until(lambda: any(line.startswith("REPORT") for line in lines(runtime)))
    await runtime.invoke(version, bad)
    await until(lambda: runtime.alive == 0)
    events = [item for line in heard.read_text().splitlines() for item in json.loads(line)]
    told = [(item["type"], item["record"]) for item in events]
    kinds = [kind for kind, _ in told if kind.startswith("platform.") and kind != "platform.extension"]
    one = ["platform.start", "platform.runtimeDone", "platform.end", "platform.report"]
    other = ["platform.start", "platform.fault", "platform.runtimeDone", "platform.end", "platform.report"]
    assert kinds == ["platform.logsSubscription", *one, *other]
    assert ("platform.start", {"requestId": good.request_id, "version": "$LATEST"}) in told
    assert ("platform.end", {"requestId": good.request_id}) in told
    assert ("platform.runtimeDone", {"requestId": good.request_id, "status": "success"}) in told
    assert ("platform.runtimeDone", {"requestId": bad.request_id, "status": "failure"}) in told
    text = f"RequestId: {bad.request_id} Error: Runtime exited with error: exit status 3\nRuntime.ExitError"
    assert ("platform.fault", text) in told
    assert [record for kind, record in told if kind == "function"] == ["said 7", "said 0"]
    report = next(record for kind, record in told if kind == "platform.report")
    assert report.keys() == {"requestId", "metrics", "tracing"}


@pytest.mark.slow
async def test_telemetry_of_platform_function_and_extension(
    runtime: Runtime, layered: Callable[..., FunctionVersion], tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    source = "print('loading')\ndef handler(event, context):\n    print('said', event)\n    return event\n"
    version = layered(source, listener=LISTEN, more={"environment": {"HEARD": str(heard)}})
    sent = event(7)
    outcome = await runtime.invoke(version, sent)
    assert outcome.error is None
    await until(lambda: any(line.startswith("REPORT") for line in lines(runtime)))
    runtime.retire(version.key)
    await until(lambda: runtime.alive == 0)
    assert "subscribed 200 OK" in [line.replace('"', "") for line in lines(runtime)]
    assert "TELEMETRY\tName: listener\tState: Subscribed\tTypes: [Platform, Function, Extension]" in lines(runtime)
    events = [item for line in heard.read_text().splitlines() for item in json.loads(line)]
    by_type: dict[str, list[Any]] = {}
    for item in events:
        by_type.setdefault(item["type"], []).append(item["record"])
    assert by_type["function"] == ["loading", "said 7"]
    assert by_type["extension"] == ['subscribed 200 "OK"']
    (start,) = by_type["platform.initStart"]
    assert (start["initializationType"], start["phase"], start["functionName"]) == ("on-demand", "init", "f")
    assert by_type["platform.initRuntimeDone"][0]["status"] == "success"
    assert by_type["platform.initReport"][0]["metrics"]["durationMs"] > 0
    assert by_type["platform.extension"] == [{"name": "listener", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}]
    assert by_type["platform.telemetrySubscription"] == [
        {"name": "listener", "state": "Subscribed", "types": ["platform", "function", "extension"]}
    ]
    (start,) = by_type["platform.start"]
    assert (start["requestId"], start["version"]) == (sent.request_id, "$LATEST")
    assert start["tracing"]["value"].startswith("Root=1-5759e988-bd862e3fe1be46a994272793;")
    (done,) = by_type["platform.runtimeDone"]
    assert (done["requestId"], done["status"], done["metrics"]["producedBytes"]) == (sent.request_id, "success", 1)
    assert [span["name"] for span in done["spans"]] == ["responseLatency", "responseDuration"]
    (report,) = by_type["platform.report"]
    assert report["status"] == "success"
    assert report["metrics"].keys() == {
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    }
    order = [item["type"] for item in events if item["type"].startswith("platform.")]
    assert order.index("platform.start") < order.index("platform.runtimeDone") < order.index("platform.report")


@needs_sandbox
@pytest.mark.slow
async def test_telemetry_reaches_an_extension_in_a_network_of_its_own(
    sandbox: Runtime, layered: Callable[..., FunctionVersion]
) -> None:
    """It listens at the name that the environment has for itself, and another environment may use the same port."""
    source = """
def handler(event, context):
    print("said")
    text = ""
    while event and "platform.report" not in text:
        with open("/tmp/heard") as heard: text = heard.read()
    return text
"""
    environment = {"HEARD": "/tmp/heard", "BIND": "sandbox.localdomain"}
    version = layered(source, listener=LISTEN, more={"environment": environment})
    await run(sandbox, version)
    await until(lambda: any(line.startswith("REPORT") for line in lines(sandbox)))
    heard = await run(sandbox, version, "read")
    kinds = [item["type"] for line in heard.splitlines() for item in json.loads(line)]
    assert {"platform.initStart", "platform.start", "function", "platform.report"} <= set(kinds)


# -- OpenTelemetry ------------------------------------------------------------------------------------------------


OTEL = """
import os
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:" + open(os.environ["PORT"]).read()
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider(resource=Resource.create({"service.name": "orders"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("t")
def handler(event, context):
    with tracer.start_as_current_span("handle") as span:
        span.set_attribute("faas.invocation_id", context.aws_request_id)
        with tracer.start_as_current_span("inner"):
            pass
    provider.force_flush()
    return "ok"
"""

COLLECT = """
import threading, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(os.environ["HEARD"], "ab") as heard: heard.write(body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(os.environ["PORT"], "w") as port: port.write(str(server.server_port))
identifier, *_ = register("INVOKE", "SHUTDOWN")
while next(identifier)["eventType"] != "SHUTDOWN":
    pass
"""


@pytest.mark.slow
async def test_the_opentelemetry_sdk_exports_to_a_collector_in_an_extension(
    runtime: Runtime, layered: Callable[..., FunctionVersion], tmp_path: Path
) -> None:
    """The SDK as it is on PyPI, its OTLP exporter, and a collector beside the function: the set-up of AWS's layer."""
    heard = tmp_path / "heard"
    environment = {
        "HEARD": str(heard),
        "PORT": str(tmp_path / "port"),
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "PYTHONPATH": sysconfig.get_path("purelib"),
    }
    version = layered(OTEL, collector=COLLECT, more={"environment": environment, "memory": 512})
    sent = event()
    outcome = await runtime.invoke(version, sent)
    assert outcome.payload == b'"ok"', outcome.payload
    found = ExportTraceServiceRequest.FromString(heard.read_bytes())
    (resource,) = found.resource_spans
    assert {pair.key: pair.value.string_value for pair in resource.resource.attributes}["service.name"] == "orders"
    spans = {span.name: span for span in resource.scope_spans[0].spans}
    assert spans["inner"].parent_span_id == spans["handle"].span_id
    assert spans["handle"].attributes[0].value.string_value == sent.request_id

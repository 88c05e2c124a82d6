"""What a request or an invocation uses, in the units that AWS bills. Pure functions.

`rule_of(service, operation)` is the function that meters an operation from its request and its reply. What cannot be
told from them is metered where it happens, in the same units: invocations in the runtime (`invocation`), capacity in
DynamoDB, transitions in the state machines (`express`).

Sources: the pricing pages of the services, https://aws.amazon.com/<service>/pricing/; what they say is quoted at each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from fogbank.telemetry.usage import Use

PIECE = 64 * 1024
"""Bytes that SQS, EventBridge, Pipes, SNS and asynchronous Lambda bill as one."""
_SAFE = PIECE // 4
"""Characters that are surely no more than a piece, whatever they are in UTF-8."""
GIGABYTE = 1024**3
LARGE = 192 * 1024
"""Bytes of a payload that comes close to 256 KB, the limit of much along its way."""
EVENT_OVERHEAD = 26
"""Bytes that CloudWatch Logs adds to each log event."""
FREE_STORAGE = 512
"""MB of ephemeral storage that every function has."""
FREE_STREAM = 6 * 1024 * 1024
"""Bytes of each streamed response that are not billed."""
FREE_ASYNC = 256 * 1024
"""Bytes of an asynchronous event that are one request."""

Rule = Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[Use]]
"""Request and reply to uses."""
NOTHING: tuple[Use, ...] = ()


def size(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def pieces(size: int, piece: int = PIECE) -> int:
    """Pieces of 64 KB that are begun; nothing is one."""
    return max(1, -(-size // piece))


# -- SQS: "Every 64 KB chunk of a payload is billed as 1 request"; every API action is a request ------------------


def _queue_unit(url: str) -> str:
    return "sqs.requests.fifo" if url.endswith(".fifo") else "sqs.requests.standard"


def _message_size(message: Mapping[str, Any]) -> int:
    """Bytes of a message's body and attributes: names, types and values count."""
    total = size(message.get("MessageBody") or message.get("Body") or "")
    for name, value in (message.get("MessageAttributes") or {}).items():
        total += size(name) + size(value.get("DataType", ""))
        total += size(value.get("StringValue") or "") + len(value.get("BinaryValue") or b"")
    return total


@lru_cache(maxsize=1000)
def _one_request(url: str) -> Sequence[Use]:
    return (Use(_queue_unit(url), url, 1),)


def _sqs_any(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    url = request.get("QueueUrl") or request.get("QueueName") or request.get("SourceArn") or ""
    return _one_request(url)


def _sqs_send(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    url = request["QueueUrl"]
    if len(request["MessageBody"]) <= _SAFE and "MessageAttributes" not in request:
        return _one_request(url)
    return _sized(_queue_unit(url), url, _message_size(request))


def _sized(unit: str, resource: str, size: int) -> Sequence[Use]:
    """One payload, by its pieces; that it is large is noted."""
    use = Use(unit, resource, pieces(size))
    return (use,) if size < LARGE else (use, Use("observed.large-payloads", resource, 1))


def _sqs_batch(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    url = request["QueueUrl"]
    return (Use(_queue_unit(url), url, pieces(sum(_message_size(one) for one in request["Entries"]))),)


def _sqs_receive(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:
    url = request["QueueUrl"]
    messages = reply.get("Messages") or ()
    return (Use(_queue_unit(url), url, pieces(sum(_message_size(one) for one in messages))),)


# -- EventBridge: "a 64 KB chunk of a payload is billed as 1 event" -------------------------------------------------


def event_size(entry: Mapping[str, Any]) -> int:
    """Bytes of an entry of PutEvents: 14 for Time, and the text of the other fields (the PutEvents guide)."""
    total = 14 if entry.get("Time") is not None else 0
    total += size(entry.get("Source") or "") + size(entry.get("DetailType") or "") + size(entry.get("Detail") or "")
    return total + sum(size(resource) for resource in entry.get("Resources") or ())


@lru_cache(maxsize=1000)
def _one_event(bus: str) -> Sequence[Use]:
    return (Use("events.custom", bus, 1),)


def _put_events(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:
    entries = request["Entries"]
    if len(entries) == 1:
        (entry,) = entries
        length = len(entry.get("Detail") or "") + len(entry.get("Source") or "") + len(entry.get("DetailType") or "")
        if length <= _SAFE and "Resources" not in entry:
            return _one_event(entry.get("EventBusName") or "default") if "EventId" in reply["Entries"][0] else NOTHING
    buses: dict[str, int] = {}
    large: dict[str, int] = {}
    for entry, result in zip(request["Entries"], reply.get("Entries") or (), strict=False):
        if "EventId" not in result:
            continue  # refused entries are not billed
        bus = entry.get("EventBusName") or "default"
        size = event_size(entry)
        buses[bus] = buses.get(bus, 0) + pieces(size)
        if size >= LARGE:
            large[bus] = large.get(bus, 0) + 1
    uses = [Use("events.custom", bus, count) for bus, count in buses.items()]
    uses += [Use("observed.large-payloads", bus, count) for bus, count in large.items()]
    return uses


# -- Lambda: what an asynchronous event adds to its request; the rest is metered as it runs -------------------------


def _invoke(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    """Quoted: "1 request per each asynchronous event for the first 256 KB, 1 additional for each 64 KB"."""
    payload = request.get("Payload") or request.get("InvokeArgs") or b""
    if len(payload) <= FREE_ASYNC or request.get("InvocationType", "Event") != "Event":
        return NOTHING
    return (Use("lambda.requests", request["FunctionName"], pieces(len(payload) - FREE_ASYNC)),)


def invocation(
    function: str,
    *,
    memory: int,
    billed: int,
    architecture: str = "x86_64",
    ephemeral: int = FREE_STORAGE,
    provisioned: bool = False,
    restored: bool = False,
    streamed: int = 0,
) -> Sequence[Use]:
    """What one invocation used.

    `memory` and `ephemeral` in MB, `billed` in whole milliseconds as the REPORT line says, `streamed` in bytes.
    `restored`: whether its environment came from a snapshot.
    """
    seconds = billed / 1000
    kind = "provisioned-duration" if provisioned else "gb-seconds"
    uses = [
        Use("lambda.requests", function, 1),
        Use(f"lambda.{kind}.{architecture}", function, seconds * memory / 1024),
    ]
    if ephemeral > FREE_STORAGE:
        uses.append(Use("lambda.storage-gb-seconds", function, seconds * (ephemeral - FREE_STORAGE) / 1024))
    if restored:
        uses.append(Use("lambda.snapstart-restored-gb", function, memory / 1024))
    if streamed > FREE_STREAM:
        uses.append(Use("lambda.streamed-gb", function, (streamed - FREE_STREAM) / GIGABYTE))
    return uses


def _start(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    """Executions are billed as they run; that an input is large is noted."""
    given = request.get("input") or ""
    if len(given) <= PIECE // 2 or size(given) < LARGE:
        return NOTHING
    return (Use("observed.large-payloads", request["stateMachineArn"], 1),)


# -- Step Functions -------------------------------------------------------------------------------------------------


def express(machine: str, *, duration: float, definition: int, payload: int, parallel: int = 1) -> Sequence[Use]:
    """What an Express execution used.

    `duration` in seconds, rounded up to 100 ms; memory is 50 MB + the definition + the execution's data for each
    parallel branch or Map iteration (bytes), "billed in 64-MB chunks".
    """
    memory = 50 * 1024 * 1024 + definition + payload * max(1, parallel)
    chunks = math.ceil(memory / (64 * 1024 * 1024))
    seconds = max(1, math.ceil(round(duration * 10, 6))) / 10
    return (
        Use("stepfunctions.express-requests", machine, 1),
        Use("stepfunctions.express-gb-seconds", machine, seconds * chunks * 64 / 1024),
    )


# -- CloudWatch, X-Ray, SNS -----------------------------------------------------------------------------------------


def _put_log_events(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    """Bytes of the messages in UTF-8, and 26 for each."""
    events = request["logEvents"]
    total = sum([size(event["message"]) for event in events]) + EVENT_OVERHEAD * len(events)
    return (Use("logs.ingested-gb", request["logGroupName"], total / GIGABYTE),)


def _query_results(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    if reply.get("status") != "Complete":
        return NOTHING
    scanned = (reply.get("statistics") or {}).get("bytesScanned") or 0.0
    return (Use("logs.scanned-gb", "", scanned / GIGABYTE),)


def _metric_request(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    return (Use("cloudwatch.requests", request.get("Namespace") or "", 1),)


def _metric_data(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    """Billed by metrics requested; expressions over them cost nothing."""
    asked = sum(1 for query in request["MetricDataQueries"] if "MetricStat" in query)
    return (Use("cloudwatch.metrics-read", "", asked),)


def _segments(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    """A trace is recorded once, however many segments it has: segments without a parent begin one."""
    begun = sum(1 for document in request["TraceSegmentDocuments"] if '"parent_id"' not in document)
    return (Use("xray.traces-recorded", "", begun),) if begun else NOTHING


def _traces_read(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:
    read = reply.get("TracesProcessedCount") or len(reply.get("Traces") or ()) or len(request.get("TraceIds") or ())
    return (Use("xray.traces-read", "", read),) if read else NOTHING


def _publish(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    """Quoted: "each 64KB chunk of published data is billed as 1 request"."""
    entries = request.get("PublishBatchRequestEntries") or (request,)
    total = sum(size(entry.get("Message") or "") + _message_size(entry) for entry in entries)
    topic = request.get("TopicArn") or request.get("TargetArn") or ""
    if topic.endswith(".fifo"):
        return (Use("sns.requests.fifo", topic, 1), Use("sns.fifo-published-gb", topic, total / GIGABYTE))
    return (Use("sns.requests", topic, pieces(total)),)


def _stream_records(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
    """Quoted: "each GetRecords call is billed as a streams read request unit and returns up to 1 MB"."""
    return (Use("dynamodb.stream-reads", "", 1),)


def _simple(unit: str, *names: str) -> Rule:
    """One of a unit for each request; the resource is the first of `names` that the request has."""

    def rule(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Sequence[Use]:  # noqa: ARG001
        resource = next((request[name] for name in names if request.get(name)), "")
        return (Use(unit, str(resource), 1),)

    return rule


_RULES: dict[tuple[str, str], Rule] = {
    ("sqs", "SendMessage"): _sqs_send,
    ("sqs", "SendMessageBatch"): _sqs_batch,
    ("sqs", "ReceiveMessage"): _sqs_receive,
    ("events", "PutEvents"): _put_events,
    ("stepfunctions", "StartExecution"): _start,
    ("stepfunctions", "StartSyncExecution"): _start,
    ("lambda", "Invoke"): _invoke,
    ("lambda", "InvokeAsync"): _invoke,
    ("logs", "PutLogEvents"): _put_log_events,
    ("logs", "GetQueryResults"): _query_results,
    ("cloudwatch", "PutMetricData"): _metric_request,
    ("cloudwatch", "GetMetricStatistics"): _metric_request,
    ("cloudwatch", "ListMetrics"): _metric_request,
    ("cloudwatch", "GetMetricData"): _metric_data,
    ("xray", "PutTraceSegments"): _segments,
    ("xray", "BatchGetTraces"): _traces_read,
    ("xray", "GetTraceSummaries"): _traces_read,
    ("sns", "Publish"): _publish,
    ("sns", "PublishBatch"): _publish,
    ("dynamodbstreams", "GetRecords"): _stream_records,
}
_EVERY: dict[str, Rule] = {
    "sqs": _sqs_any,
    "kms": _simple("kms.requests", "KeyId"),
    "secretsmanager": _simple("secretsmanager.requests", "SecretId"),
}
"""Services that bill every request alike."""


_S3_WRITES = _simple("s3.requests.write", "Bucket")
_S3_READS = _simple("s3.requests.read", "Bucket")


def _s3_rule(operation: str) -> Rule | None:
    """Quoted: "PUT, COPY, POST, LIST requests", "GET, SELECT, and all other requests"; "DELETE … requests are free"."""
    if operation.startswith(("Delete", "Abort")):
        return None
    if operation.startswith(("Get", "Head", "Select")):
        return _S3_READS
    return _S3_WRITES


def rule_of(service: str, operation: str) -> Rule | None:
    """What meters an operation at the door; `None` if it is free there, or metered where it happens."""
    if service == "s3":
        return _s3_rule(operation)
    return _RULES.get((service, operation)) or _EVERY.get(service)


def has_rule(service: str, operation: str) -> bool:
    """Whether an operation is metered at the door."""
    return rule_of(service, operation) is not None

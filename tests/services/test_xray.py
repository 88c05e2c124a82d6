"""X-Ray through boto3: segments in, traces, summaries and graphs out; groups and sampling rules; the daemon's port."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ServerProcess

Aws = Callable[..., Any]


@pytest.fixture
def xray(aws: Aws) -> Any:
    return aws("xray")


def new_trace() -> str:
    return f"1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"


def segment(trace: str, **more: Any) -> dict[str, Any]:
    now = time.time()
    return {
        "id": uuid.uuid4().hex[:16], "trace_id": trace, "name": "shop", "start_time": now - 1, "end_time": now, **more,
    }  # fmt: skip


def put(xray: Any, *segments: dict[str, Any]) -> list[Any]:
    reply = xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(each) for each in segments])
    refused: list[Any] = reply["UnprocessedTraceSegments"]
    return refused


def summaries(xray: Any, expression: str = "", **more: Any) -> list[Any]:
    now = time.time()
    filters = {"FilterExpression": expression} if expression else {}
    found: list[Any] = xray.get_trace_summaries(StartTime=now - 600, EndTime=now + 60, **filters, **more)[
        "TraceSummaries"
    ]
    return found


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    code: str = error.value.response["Error"]["Code"]
    return code


def test_segments_come_back_as_they_were_put(xray: Any) -> None:
    """Those that are not in order are refused one by one."""
    trace = new_trace()
    root = segment(trace, annotations={"order": "7"}, http={"request": {"method": "GET", "url": "http://shop/"}})
    wrong = put(xray, root, segment(trace, name="bad*name"), segment("1-2-3"))
    assert [(each["ErrorCode"], each["Message"]) for each in wrong] == [
        ("InvalidName", "Invalid segment. ErrorCode: InvalidName"),
        ("InvalidTraceId", "Invalid segment. ErrorCode: InvalidTraceId"),
    ]
    (found,) = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    assert [json.loads(each["Document"]) for each in found["Segments"]] == [root]
    assert found["Duration"] == pytest.approx(1.0, abs=0.01)
    assert xray.batch_get_traces(TraceIds=[new_trace()])["Traces"] == []
    assert refused(lambda: xray.batch_get_traces(TraceIds=[new_trace() for _ in range(6)])) == "InvalidRequestException"


def test_summaries_are_found_by_filter_expressions(xray: Any) -> None:
    """With what the segments say of them."""
    good, bad = new_trace(), new_trace()
    put(xray, segment(good, user="ada", annotations={"items": 3}))
    put(xray, segment(bad, fault=True, name="pay", http={"response": {"status": 502}}))
    (summary,) = summaries(xray, "fault")
    assert (summary["Id"], summary["HasFault"], summary["Http"]["HttpStatus"]) == (bad, True, 502)
    (summary,) = summaries(xray, 'annotation[items] = 3 AND service("shop")')
    assert summary["Id"] == good
    assert summary["Annotations"]["items"][0]["AnnotationValue"] == {"NumberValue": 3.0}
    assert [user["UserName"] for user in summary["Users"]] == ["ada"]
    xray.create_group(GroupName="payments", FilterExpression='service("pay")')
    assert [s["Id"] for s in summaries(xray, 'group.name = "payments"')] == [bad]
    assert refused(lambda: summaries(xray, "sideways")) == "InvalidRequestException"
    now = time.time()
    assert refused(lambda: xray.get_trace_summaries(StartTime=now, EndTime=now - 1)) == "InvalidRequestException"


def test_summaries_come_in_pages(xray: Any) -> None:
    """Each trace once, the newest first."""
    now = time.time()
    traces = [new_trace() for _ in range(150)]
    for at in range(0, 150, 50):
        put(xray, *(segment(t, start_time=now - 300 + n, end_time=now) for n, t in enumerate(traces[at : at + 50], at)))
    pages = xray.get_paginator("get_trace_summaries").paginate(StartTime=now - 600, EndTime=now)
    found = [[s["Id"] for s in page["TraceSummaries"] if s["EntryPoint"]["Name"] == "shop"] for page in pages]
    assert [name for page in found for name in page] == traces[::-1]
    assert len(found) == 2


def test_own_spans_are_there_as_segments(aws: Aws, xray: Any) -> None:
    """A request of a client that names a trace is a segment under the client's."""
    trace = new_trace()
    root = segment(trace)
    put(xray, root)
    sqs = aws("sqs")

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = f"Root={trace};Parent={root['id']};Sampled=1"

    sqs.meta.events.register("before-sign.sqs", add)
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    graph = xray.get_trace_graph(TraceIds=[trace])["Services"]
    names = {service["ReferenceId"]: (service["Name"], service.get("Type")) for service in graph}
    shop = next(service for service in graph if service["Name"] == "shop" and service.get("Type") != "client")
    assert shop["Root"]
    assert [names[edge["ReferenceId"]] for edge in shop["Edges"]] == [("orders", "AWS::SQS::Queue")]
    (edge,) = shop["Edges"]
    assert edge["SummaryStatistics"]["OkCount"] == 2
    now = time.time()
    whole = xray.get_service_graph(StartTime=now - 60, EndTime=now + 60)["Services"]
    assert {"shop", "orders"} <= {service["Name"] for service in whole}


def test_groups(xray: Any) -> None:
    """Created, shown, changed, deleted; the default one is always there."""
    made = xray.create_group(GroupName="slow", FilterExpression="responsetime > 5", Tags=[{"Key": "a", "Value": "b"}])
    arn = made["Group"]["GroupARN"]
    assert arn.startswith("arn:aws:xray:us-east-1:000000000000:group/slow/")
    assert [group["GroupName"] for group in xray.get_groups()["Groups"]] == ["Default", "slow"]
    assert xray.get_group(GroupARN=arn)["Group"]["FilterExpression"] == "responsetime > 5"
    assert xray.update_group(GroupName="slow", FilterExpression="fault")["Group"]["FilterExpression"] == "fault"
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    xray.tag_resource(ResourceARN=arn, Tags=[{"Key": "c", "Value": "d"}])
    xray.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    for call in (
        lambda: xray.create_group(GroupName="slow"),
        lambda: xray.create_group(GroupName="bad", FilterExpression="sideways"),
        lambda: xray.update_group(GroupName="gone", FilterExpression="ok"),
        lambda: xray.delete_group(GroupName="Default"),
        xray.get_group,
    ):
        assert refused(call) == "InvalidRequestException"
    insights = {"InsightsEnabled": True}
    assert refused(lambda: xray.create_group(GroupName="i", InsightsConfiguration=insights)) == "NotImplemented"
    assert refused(lambda: xray.list_tags_for_resource(ResourceARN=arn + "x")) == "ResourceNotFoundException"
    xray.delete_group(GroupName="slow")
    assert refused(lambda: xray.get_group(GroupName="slow")) == "InvalidRequestException"


RULE = {
    "RuleName": "checkout", "ResourceARN": "*", "Priority": 10, "FixedRate": 0.5, "ReservoirSize": 3,
    "ServiceName": "shop",
    "ServiceType": "*", "Host": "*", "HTTPMethod": "POST", "URLPath": "/orders", "Version": 1,
}  # fmt: skip


def test_sampling_rules_and_targets(xray: Any) -> None:
    """The default rule comes last; clients are told of rules that are there."""
    (default,) = xray.get_sampling_rules()["SamplingRuleRecords"]
    assert default["SamplingRule"]["RuleName"] == "Default"
    assert (default["SamplingRule"]["FixedRate"], default["SamplingRule"]["ReservoirSize"]) == (0.05, 1)
    made = xray.create_sampling_rule(SamplingRule=RULE)["SamplingRuleRecord"]["SamplingRule"]
    assert made["RuleARN"] == "arn:aws:xray:us-east-1:000000000000:sampling-rule/checkout"
    names = [record["SamplingRule"]["RuleName"] for record in xray.get_sampling_rules()["SamplingRuleRecords"]]
    assert names == ["checkout", "Default"]
    changed = xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "checkout", "FixedRate": 0.1})
    assert changed["SamplingRuleRecord"]["SamplingRule"]["FixedRate"] == 0.1
    told = [
        {"RuleName": name, "ClientID": "a" * 24, "Timestamp": time.time(), "RequestCount": 5, "SampledCount": 2}
        for name in ("checkout", "gone")
    ]
    reply = xray.get_sampling_targets(SamplingStatisticsDocuments=told)
    (target,) = reply["SamplingTargetDocuments"]
    assert (target["RuleName"], target["FixedRate"], target["ReservoirQuota"]) == ("checkout", 0.1, 3)
    assert [each["RuleName"] for each in reply["UnprocessedStatistics"]] == ["gone"]
    (seen,) = xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
    assert (seen["RuleName"], seen["RequestCount"], seen["SampledCount"]) == ("checkout", 5, 2)
    for call in (
        lambda: xray.create_sampling_rule(SamplingRule=RULE),
        lambda: xray.create_sampling_rule(SamplingRule={**RULE, "RuleName": "two", "Version": 2}),
        lambda: xray.create_sampling_rule(SamplingRule={**RULE, "RuleName": "two", "FixedRate": 2.0}),
        lambda: xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "checkout", "FixedRate": 2.0}),
        lambda: xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "Default", "Host": "x"}),
        lambda: xray.delete_sampling_rule(RuleName="Default"),
        lambda: xray.delete_sampling_rule(RuleName="gone"),
    ):
        assert refused(call) == "InvalidRequestException"
    xray.delete_sampling_rule(RuleARN=made["RuleARN"])
    assert len(xray.get_sampling_rules()["SamplingRuleRecords"]) == 1


@pytest.mark.slow
def test_the_daemons_port_takes_datagrams_and_a_kill_loses_no_segment_that_was_put(
    new_server: Callable[..., ServerProcess],
) -> None:
    """What is no segment is dropped; a segment that was acknowledged is there after kill -9."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = new_server("--xray-port", str(port))
    trace, other = new_trace(), new_trace()
    header = b'{"format": "json", "version": 1}\n'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for data in (b"junk", header + b"{}", header + json.dumps(segment(trace)).encode()):
            sender.sendto(data, ("127.0.0.1", port))
    xray = server.client("xray")
    deadline = time.monotonic() + 30
    while not xray.batch_get_traces(TraceIds=[trace])["Traces"]:
        assert time.monotonic() < deadline
    put(xray, segment(other))
    server.kill()
    server.start()
    assert len(server.client("xray").batch_get_traces(TraceIds=[trace, other])["Traces"]) == 2

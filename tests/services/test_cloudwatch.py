"""CloudWatch over the wire: metrics and dashboards, in each protocol that the model names."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.conftest import ServerProcess
from tests.services.stacks import create, settle, update

Aws = Callable[..., Any]
STAT = {"Metric": {"Namespace": "Shop", "MetricName": "orders"}, "Period": 60, "Stat": "Sum"}


def span(minutes: int = 10) -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=minutes), "EndTime": now + timedelta(minutes=2)}


def refused(code: str, text: str, call: Callable[..., Any], **request: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**request)
    assert caught.value.response["Error"]["Code"] == code
    assert text in caught.value.response["Error"]["Message"]


def put(client: Any, **datum: Any) -> None:
    client.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "orders", **datum}])


def test_what_is_put_can_be_read(aws: Aws) -> None:
    """Values with counts, single values and statistic sets are put together by minute and unit."""
    client = aws("cloudwatch")
    moment = datetime.now(UTC).replace(second=1, microsecond=0) - timedelta(minutes=3)
    put(client, Timestamp=moment, Values=[1.0, 5.0, 10.0], Counts=[2.0, 3.0, 1.0], Unit="Count")
    put(client, Timestamp=moment, Value=3.0, Unit="Count")
    put(
        client, Timestamp=moment, StatisticValues={"SampleCount": 2, "Sum": 8, "Minimum": 4, "Maximum": 4}, Unit="Count"
    )
    put(client, Timestamp=moment, Value=0.5, Unit="Seconds")
    reply = client.get_metric_statistics(
        Namespace="Shop", MetricName="orders", Period=60, Unit="Count", ExtendedStatistics=["p50", "tm90"],
        Statistics=["SampleCount", "Sum", "Average", "Minimum", "Maximum"], **span(),
    )  # fmt: skip
    (point,) = reply["Datapoints"]
    assert reply["Label"] == "orders"
    assert point.pop("Timestamp") == moment.replace(second=0)
    assert point == {
        "SampleCount": 9.0, "Sum": 38.0, "Average": 38 / 9, "Minimum": 1.0, "Maximum": 10.0, "Unit": "Count",
        "ExtendedStatistics": {"p50": 4.0, "tm90": 38 / 9},
    }  # fmt: skip
    every = client.get_metric_statistics(
        Namespace="Shop", MetricName="orders", Period=60, Statistics=["Sum"], **span()
    )["Datapoints"]
    assert sorted(each["Unit"] for each in every) == ["Count", "Seconds"]


def test_metrics_are_listed_by_what_they_are(aws: Aws) -> None:
    """Names match exactly; a dimension may be given with or without its value."""
    client = aws("cloudwatch")
    for shop in ("a", "b"):
        put(client, Value=1.0, Dimensions=[{"Name": "Shop", "Value": shop}, {"Name": "Kind", "Value": "x"}])
    client.put_metric_data(Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1.0}])
    assert len(client.list_metrics(Namespace="Shop")["Metrics"]) == 2
    (one,) = client.list_metrics(Dimensions=[{"Name": "Shop", "Value": "b"}])["Metrics"]
    assert one["Dimensions"] == [{"Name": "Kind", "Value": "x"}, {"Name": "Shop", "Value": "b"}]
    assert len(client.list_metrics(Dimensions=[{"Name": "Kind"}], RecentlyActive="PT3H")["Metrics"]) == 2
    assert client.list_metrics(MetricName="order")["Metrics"] == []
    assert client.list_metrics(Namespace="Other", MetricName="m")["Metrics"][0]["Dimensions"] == []


def test_a_thousand_metrics_come_in_pages(aws: Aws) -> None:
    """Five hundred to a page, none twice."""
    client = aws("cloudwatch")
    data = [{"MetricName": f"m{n}", "Value": 1.0} for n in range(1000)]
    client.put_metric_data(Namespace="Many", MetricData=data)
    pages = list(client.get_paginator("list_metrics").paginate(Namespace="Many"))
    assert [len(page["Metrics"]) for page in pages] == [500, 500]
    assert len({metric["MetricName"] for page in pages for metric in page["Metrics"]}) == 1000


def test_many_metrics_are_read_at_once(aws: Aws) -> None:
    """Statistics and math over them; what is not to be returned is not."""
    client = aws("cloudwatch")
    base = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    for minute, value in enumerate((1.0, 2.0, 4.0)):
        put(client, Timestamp=base + timedelta(minutes=minute), Value=value)
    queries = [
        {"Id": "m1", "MetricStat": STAT, "ReturnData": False},
        {"Id": "double", "Expression": "m1 * 2", "Label": "twice: ${MAX}"},
        {"Id": "found", "Expression": "SEARCH('{Shop} MetricName=\"orders\"', 'Sum', 60)"},
    ]
    results = client.get_metric_data(MetricDataQueries=queries, ScanBy="TimestampAscending", **span())[
        "MetricDataResults"
    ]
    assert [(each["Id"], each["Label"], each["Values"]) for each in results] == [
        ("double", "twice: 8", [2.0, 4.0, 8.0]),
        ("found", "orders", [1.0, 2.0, 4.0]),
    ]
    assert results[0]["Timestamps"] == [base + timedelta(minutes=n) for n in range(3)]
    newest = client.get_metric_data(MetricDataQueries=[{"Id": "m1", "MetricStat": STAT}], **span())
    assert newest["MetricDataResults"][0]["Values"] == [4.0, 2.0, 1.0]


def test_datapoints_come_in_pages(aws: Aws) -> None:
    """Of all results together so many a page, and the page says that it is a part."""
    client = aws("cloudwatch")
    base = datetime.now(UTC) - timedelta(minutes=5)
    for minute in range(3):
        put(client, Timestamp=base + timedelta(minutes=minute), Value=float(minute))
    queries = [{"Id": name, "MetricStat": STAT} for name in ("one", "two")]
    pages = list(client.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, MaxDatapoints=4, **span()))
    assert [[r["Values"] for r in page["MetricDataResults"]] for page in pages] == [
        [[2.0, 1.0, 0.0], [2.0]],
        [[], [1.0, 0.0]],
    ]
    assert [r["StatusCode"] for r in pages[0]["MetricDataResults"]] == ["Complete", "PartialData"]


@pytest.mark.parametrize("protocol", ["json", "query", "smithy-rpc-v2-cbor"])
def test_every_protocol_of_the_model_is_spoken(server: ServerProcess, protocol: str) -> None:
    """JSON and CBOR as newer clients send them, the query protocol as older ones do."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    later = (datetime.now(UTC) + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    early = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if protocol == "smithy-rpc-v2-cbor":
        client = server.client("cloudwatch")
        assert client.meta.service_model.metadata["protocol"] == protocol
        put(client, Value=2.5)
        found = client.get_metric_statistics(
            Namespace="Shop", MetricName="orders", Period=60, Statistics=["Sum"], **span()
        )
        assert found["Datapoints"][0]["Sum"] == 2.5
        return
    answers = []
    requests: list[dict[str, Any]] = [
        {
            "Action": "PutMetricData",
            "Namespace": "Shop",
            "MetricData": [{"MetricName": "orders", "Value": 2.5, "Timestamp": now}],
        },
        {
            "Action": "GetMetricStatistics",
            "Namespace": "Shop",
            "MetricName": "orders",
            "Period": 60,
            "StartTime": early,
            "EndTime": later,
            "Statistics": ["Sum"],
        },
    ]
    for request in requests:
        answers.append(_post(server, protocol, request))
    text = answers[1].decode()
    assert '"Sum":2.5' in text.replace(" ", "") or "<Sum>2.5</Sum>" in text


def _post(server: ServerProcess, protocol: str, request: dict[str, Any]) -> bytes:
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/monitoring/aws4_request, "
        "SignedHeaders=host, Signature=0"
    }
    if protocol == "json":
        action = request.pop("Action")
        headers |= {
            "X-Amz-Target": f"GraniteServiceVersion20100801.{action}",
            "Content-Type": "application/x-amz-json-1.0",
        }
        for name in ("StartTime", "EndTime"):
            if name in request:
                request[name] = datetime.fromisoformat(request[name]).timestamp()
        for datum in request.get("MetricData", ()):
            datum["Timestamp"] = datetime.fromisoformat(datum["Timestamp"]).timestamp()
        body = json.dumps(request).encode()
    else:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urllib.parse.urlencode({"Version": "2010-08-01", **_flat(request)}).encode()
    call = urllib.request.Request(server.endpoint + "/", data=body, headers=headers)
    with urllib.request.urlopen(call, timeout=30) as reply:
        answer: bytes = reply.read()
        return answer


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {k: v for name, each in value.items() for k, v in _flat(each, f"{prefix}{name}.").items()}
    if isinstance(value, list):
        return {k: v for n, each in enumerate(value, 1) for k, v in _flat(each, f"{prefix}member.{n}.").items()}
    return {prefix.rstrip("."): str(value)}


def test_dashboards_live_and_are_checked(aws: Aws) -> None:
    """Stored as they are, in the account's every region; a body that is wrong is told where."""
    client = aws("cloudwatch")
    widget = {"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6, "properties": {"metrics": [["N", "m"]]}}
    body = json.dumps({"widgets": [widget]})
    assert client.put_dashboard(DashboardName="d", DashboardBody=body)["DashboardValidationMessages"] == []
    other = aws("cloudwatch", region_name="eu-west-1")
    found = other.get_dashboard(DashboardName="d")
    assert found["DashboardBody"] == body
    assert found["DashboardArn"] == "arn:aws:cloudwatch::000000000000:dashboard/d"
    (entry,) = client.list_dashboards(DashboardNamePrefix="d")["DashboardEntries"]
    assert entry["Size"] == len(body)
    with pytest.raises(client.exceptions.DashboardInvalidInputError) as caught:
        client.put_dashboard(DashboardName="d", DashboardBody=json.dumps({"widgets": [{"type": "nope"}]}))
    paths = [each["DataPath"] for each in caught.value.response["dashboardValidationMessages"]]
    assert paths == ["/widgets/0/type", "/widgets/0"]
    client.delete_dashboards(DashboardNames=["d"])
    refused("ResourceNotFound", "Dashboard d does not exist", client.get_dashboard, DashboardName="d")
    assert client.list_dashboards()["DashboardEntries"] == []


def test_what_is_lacking_is_refused_by_name(aws: Aws) -> None:
    """No success for nothing."""
    client = aws("cloudwatch")
    refused(
        "NotImplemented",
        "PutAnomalyDetector",
        client.put_anomaly_detector,
        SingleMetricAnomalyDetector={"Namespace": "N", "MetricName": "m", "Stat": "Sum"},
    )
    refused(
        "NotImplemented",
        "EntityMetricData",
        client.put_metric_data,
        Namespace="N",
        EntityMetricData=[{"MetricData": [{"MetricName": "m", "Value": 1.0}]}],
    )


@pytest.mark.slow
def test_acknowledged_data_survives_a_kill(new_server: Callable[..., ServerProcess]) -> None:
    """What was put is there after kill -9, and so are alarms and dashboards."""
    server = new_server()
    client = server.client("cloudwatch")
    put(client, Value=7.0)
    client.put_metric_alarm(
        AlarmName="a", Namespace="Shop", MetricName="orders", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    client.put_dashboard(DashboardName="d", DashboardBody='{"widgets": []}')
    server.kill()
    client = server.start().client("cloudwatch")
    found = client.get_metric_statistics(Namespace="Shop", MetricName="orders", Period=60, Statistics=["Sum"], **span())
    assert [point["Sum"] for point in found["Datapoints"]] == [7.0]
    assert client.describe_alarms()["MetricAlarms"][0]["AlarmName"] == "a"
    assert client.get_dashboard(DashboardName="d")["DashboardBody"] == '{"widgets": []}'


def test_boto3s_resource_works(server: ServerProcess) -> None:
    """The resource API, as older code uses it."""
    resource = boto3.resource(
        "cloudwatch",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id="t",
        aws_secret_access_key="t",
    )
    resource.Metric("Shop", "orders").put_data(MetricData=[{"MetricName": "orders", "Value": 1.0}])  # type: ignore[call-arg]
    assert [metric.name for metric in resource.metrics.filter(Namespace="Shop")] == ["orders"]


STACK = """
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: N
      MetricName: m
      Dimensions: [{Name: D, Value: v}]
      Statistic: Sum
      Period: '60'
      EvaluationPeriods: 1
      Threshold: LIMIT
      ComparisonOperator: GreaterThanThreshold
      Tags: [{Key: limit, Value: 'LIMIT'}]
  Composite:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties: {AlarmName: all, AlarmRule: !Sub 'ALARM("${Alarm}")', ActionsEnabled: false}
  Board:
    Type: AWS::CloudWatch::Dashboard
    Properties: {DashboardBody: '{"widgets": [{"type": "text", "properties": {"markdown": "LIMIT"}}]}'}
Outputs:
  Alarm: {Value: !Ref Alarm}
  Arn: {Value: !GetAtt Alarm.Arn}
  Board: {Value: !Ref Board}
"""


def test_templates_make_alarms_and_dashboards(aws: Aws) -> None:
    """Created, updated in place, deleted."""
    client, stacks = aws("cloudwatch"), aws("cloudformation")
    stack = create(stacks, "s", STACK.replace("LIMIT", "5"))
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    stack = update(stacks, "s", STACK.replace("LIMIT", "7"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    (alarm,) = client.describe_alarms(AlarmNames=[outputs["Alarm"]])["MetricAlarms"]
    assert (alarm["Threshold"], alarm["Period"], alarm["AlarmArn"]) == (7.0, 60, outputs["Arn"])
    tags = {tag["Key"]: tag["Value"] for tag in client.list_tags_for_resource(ResourceARN=outputs["Arn"])["Tags"]}
    assert (tags["limit"], tags["aws:cloudformation:stack-name"]) == ("7", "s")
    (composite,) = client.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert composite["AlarmRule"] == f'ALARM("{outputs["Alarm"]}")'
    assert '"7"' in client.get_dashboard(DashboardName=outputs["Board"])["DashboardBody"]
    stacks.delete_stack(StackName="s")
    settle(stacks, stack["StackId"])
    assert client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])["MetricAlarms"] == []
    assert client.list_dashboards()["DashboardEntries"] == []

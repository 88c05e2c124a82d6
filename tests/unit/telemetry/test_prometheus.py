"""The page for Prometheus, read by the parser of its own client."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from fogbank.core.clock import VirtualClock
from fogbank.core.scope import Scope
from fogbank.telemetry.metrics import Metrics
from fogbank.telemetry.prometheus import expose, snake

SCOPE = Scope()


def read(metrics: Metrics) -> dict[str, dict[str, tuple[dict[str, str], float]]]:
    """The samples of a page, by family and name."""
    page = expose(metrics, version="1.0", started=5.0)
    return {
        family.name: {sample.name: (sample.labels, sample.value) for sample in family.samples}
        for family in text_string_to_metric_families(page)
    }


def test_counts_are_summaries_and_samples_are_gauges() -> None:
    """With account, region and dimensions as labels; over the whole life of the process."""
    metrics = Metrics(VirtualClock())
    queue = (("QueueName", "q"),)
    sent = metrics.series(SCOPE, "AWS/SQS", "NumberOfMessagesSent", queue)
    sent.add(2.0)
    metrics.drain()
    sent.add(3.0)
    metrics.gauge(SCOPE, "AWS/SQS", "ApproximateNumberOfMessagesVisible", queue).level(7.0)
    found = read(metrics)
    labels = {"account": "000000000000", "region": "us-east-1", "queue_name": "q"}
    assert found["aws_sqs_number_of_messages_sent"] == {
        "aws_sqs_number_of_messages_sent_count": (labels, 2.0),
        "aws_sqs_number_of_messages_sent_sum": (labels, 5.0),
    }
    assert found["aws_sqs_approximate_number_of_messages_visible"][
        "aws_sqs_approximate_number_of_messages_visible"
    ] == (
        labels,
        7.0,
    )
    assert found["process_start_time_seconds"]["process_start_time_seconds"][1] == 5.0
    assert found["process_resident_memory_bytes"]["process_resident_memory_bytes"][1] > 1e6
    assert found["fogbank_build_info"]["fogbank_build_info"][0] == {"version": "1.0"}


def test_nothing_is_told_twice() -> None:
    """The sum over all functions, and a function's aliases, are PromQL's to make."""
    metrics = Metrics(VirtualClock())
    function = ("FunctionName", "f")
    panel = metrics.panel(SCOPE, "AWS/Lambda", (), (function,), (function, ("Resource", "f:live")))
    panel.add("Invocations")
    page = expose(metrics, version="1", started=0.0)
    assert page.count("aws_lambda_invocations_sum") == 1
    assert 'function_name="f"' in page


@given(st.dictionaries(st.text(max_size=30), st.floats(-1e300, 1e300), max_size=8))
def test_any_value_of_a_label_comes_through(values: dict[str, float]) -> None:
    """Quotes, backslashes, line ends and every other character."""
    metrics = Metrics(VirtualClock())
    for text, number in values.items():
        metrics.gauge(SCOPE, "Shop", "level", (("Name", text),)).level(number)
    page = expose(metrics, version="1", started=0.0)
    families = {family.name: family for family in text_string_to_metric_families(page)}
    found = {s.labels["name"]: s.value for s in families["shop_level"].samples} if values else {}
    assert found == values


def test_names_are_written_as_prometheus_writes_them() -> None:
    """Small, with underscores between the words."""
    names = {"AWS/SQS": "aws_sqs", "NumberOfMessagesSent": "number_of_messages_sent", "QueueName": "queue_name"}
    assert {name: snake(name) for name in names} == names
    assert snake("TTLDeletedItems") == "ttl_deleted_items"

"""CloudWatch Logs over the wire, as boto3 sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError
from tests.services.lambda_code import create

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def logs(aws: Callable[..., Any]) -> Any:
    """A client that leaves it to the server to refuse bad requests."""
    config = BotoConfig(
        parameter_validation=False, retries={"max_attempts": 0}, inject_host_prefix=False, read_timeout=30
    )
    return aws("logs", config=config)


@pytest.fixture
def stream(logs: Any) -> tuple[str, str]:
    """A group `g` with a stream `s`."""
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    return "g", "s"


def now() -> int:
    return int(time.time() * 1000)


def put(logs: Any, *messages: str, at: int | None = None, group: str = "g", stream: str = "s", step: int = 1) -> Any:
    start = now() if at is None else at
    events = [{"timestamp": start + i * step, "message": message} for i, message in enumerate(messages)]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def messages(page: Any) -> list[str]:
    return [event["message"] for event in page["events"]]


def error(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """The code and text of the error that a call is answered with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


class TestGroups:
    """Log groups."""

    def test_life(self, logs: Any) -> None:
        """A group is created, told with all that is known of it, and deleted."""
        logs.create_log_group(logGroupName="/aws/lambda/f", tags={"team": "a"})
        (group,) = logs.describe_log_groups()["logGroups"]
        arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f"
        assert group.pop("creationTime") <= now()
        assert group == {
            "logGroupName": "/aws/lambda/f",
            "arn": f"{arn}:*",
            "logGroupArn": arn,
            "metricFilterCount": 0,
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
            "deletionProtectionEnabled": False,
        }
        logs.delete_log_group(logGroupName="/aws/lambda/f")
        assert logs.describe_log_groups()["logGroups"] == []

    def test_names(self, logs: Any) -> None:
        """A name is unique, fits the model's pattern and is not AWS's."""
        logs.create_log_group(logGroupName="g")
        assert error(logs.create_log_group, logGroupName="g") == (
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        )
        code, text = error(logs.create_log_group, logGroupName="a b")
        assert code == "InvalidParameterException"
        assert "Value 'a b' at 'logGroupName' failed to satisfy constraint" in text
        assert error(logs.create_log_group, logGroupName="aws/x")[0] == "InvalidParameterException"
        assert error(logs.delete_log_group, logGroupName="none") == (
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        )

    def test_listing(self, logs: Any) -> None:
        """Groups are listed by name, by prefix, by part of the name, page by page."""
        names = [f"app/{i:03d}" for i in range(7)] + ["other"]
        for name in names:
            logs.create_log_group(logGroupName=name)
        pages = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 3})
        assert [group["logGroupName"] for page in pages for group in page["logGroups"]] == names
        found = logs.describe_log_groups(logGroupNamePrefix="app/00")["logGroups"]
        assert [group["logGroupName"] for group in found] == names[:7]
        (found,) = logs.describe_log_groups(logGroupNamePattern="the")["logGroups"]
        assert "storedBytes" not in found
        assert "deletionProtectionEnabled" not in found
        listed = logs.list_log_groups(logGroupNamePattern="^app/001|other")["logGroups"]
        assert [group["logGroupName"] for group in listed] == ["app/001", "other"]
        both = error(logs.describe_log_groups, logGroupNamePrefix="a", logGroupNamePattern="b")
        assert both == (
            "InvalidParameterException",
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        )
        assert error(logs.describe_log_groups, limit=51)[0] == "InvalidParameterException"
        assert error(logs.describe_log_groups, nextToken="???")[1] == "The specified nextToken is invalid."

    def test_retention(self, logs: Any, stream: tuple[str, str]) -> None:
        """Retention is one of the documented numbers of days."""
        logs.put_retention_policy(logGroupName="g", retentionInDays=7)
        assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
        logs.delete_retention_policy(logGroupName="g")
        assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
        code, text = error(logs.put_retention_policy, logGroupName="g", retentionInDays=2)
        assert code == "InvalidParameterException"
        assert text.startswith("1 validation error detected: Value '2' at 'retentionInDays' failed")

    def test_deletion_protection(self, logs: Any) -> None:
        """A protected group cannot be deleted until it is no longer protected."""
        logs.create_log_group(logGroupName="g", deletionProtectionEnabled=True)
        assert error(logs.delete_log_group, logGroupName="g")[0] == "ValidationException"
        logs.put_log_group_deletion_protection(logGroupIdentifier="g", deletionProtectionEnabled=False)
        logs.delete_log_group(logGroupName="g")

    def test_tags(self, logs: Any, stream: tuple[str, str]) -> None:
        """Both families of tag operations see the same tags."""
        arn = "arn:aws:logs:us-east-1:000000000000:log-group:g"
        logs.tag_log_group(logGroupName="g", tags={"a": "1", "b": "2"})
        logs.tag_resource(resourceArn=arn, tags={"b": "3"})
        assert logs.list_tags_log_group(logGroupName="g")["tags"] == {"a": "1", "b": "3"}
        logs.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "3"}
        logs.untag_log_group(logGroupName="g", tags=["b"])
        assert logs.list_tags_log_group(logGroupName="g")["tags"] == {}
        many = {f"k{i}": "" for i in range(50)}
        logs.tag_resource(resourceArn=arn, tags=many)
        assert error(logs.tag_resource, resourceArn=arn, tags={"one": "more"})[0] == "TooManyTagsException"
        assert error(logs.list_tags_for_resource, resourceArn=f"{arn}2")[0] == "ResourceNotFoundException"

    def test_what_is_left_out_says_so(self, logs: Any, stream: tuple[str, str]) -> None:
        """Parameters and operations that Fogbank lacks are refused by name."""
        with pytest.raises(ClientError, match="kmsKeyId"):
            logs.create_log_group(logGroupName="k", kmsKeyId="arn:aws:kms:us-east-1:000000000000:key/a")
        with pytest.raises(ClientError, match="StartQuery"):
            logs.start_query(logGroupName="g", startTime=0, endTime=1, queryString="fields @message")


class TestStreams:
    """Log streams."""

    def test_life(self, logs: Any, stream: tuple[str, str]) -> None:
        """A stream tells the times of its events once it has some."""
        arn = "arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:s"
        (found,) = logs.describe_log_streams(logGroupName="g")["logStreams"]
        assert set(found) == {"logStreamName", "creationTime", "arn", "storedBytes"}
        assert found["arn"] == arn
        start = now()
        put(logs, "b", at=start)
        put(logs, "a", at=start - 5000)
        (found,) = logs.describe_log_streams(logGroupName="g")["logStreams"]
        assert (found["firstEventTimestamp"], found["lastEventTimestamp"]) == (start - 5000, start)
        assert found["lastIngestionTime"] >= start
        logs.delete_log_stream(logGroupName="g", logStreamName="s")
        assert logs.describe_log_streams(logGroupName="g")["logStreams"] == []

    def test_names(self, logs: Any, stream: tuple[str, str]) -> None:
        """A name is unique in its group and has neither colon nor asterisk."""
        assert error(logs.create_log_stream, logGroupName="g", logStreamName="s") == (
            "ResourceAlreadyExistsException",
            "The specified log stream already exists",
        )
        bad = error(logs.create_log_stream, logGroupName="g", logStreamName="a:b")
        assert bad[0] == "InvalidParameterException"
        missing = error(logs.create_log_stream, logGroupName="none", logStreamName="s")
        assert missing == ("ResourceNotFoundException", "The specified log group does not exist.")
        logs.create_log_stream(logGroupName="g", logStreamName="2026/01/01/[$LATEST]abc")

    def test_order(self, logs: Any, stream: tuple[str, str]) -> None:
        """Streams are listed by name or by their last event, either way round, page by page."""
        start = now()
        for index, name in enumerate(["c", "a", "b"]):
            logs.create_log_stream(logGroupName="g", logStreamName=name)
            put(logs, "x", stream=name, at=start + index)

        def names(**arguments: Any) -> list[str]:
            paginator = logs.get_paginator("describe_log_streams")
            pages = paginator.paginate(logGroupName="g", PaginationConfig={"PageSize": 2}, **arguments)
            return [each["logStreamName"] for page in pages for each in page["logStreams"]]

        assert names() == ["a", "b", "c", "s"]
        assert names(descending=True) == ["s", "c", "b", "a"]
        assert names(orderBy="LastEventTime") == ["s", "c", "a", "b"]
        assert names(orderBy="LastEventTime", descending=True) == ["b", "a", "c", "s"]
        assert names(logStreamNamePrefix="b") == ["b"]
        assert names(logStreamNamePrefix="b", descending=True) == ["b"]
        both = error(logs.describe_log_streams, logGroupName="g", orderBy="LastEventTime", logStreamNamePrefix="a")
        assert both == ("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
        by_arn = "arn:aws:logs:us-east-1:000000000000:log-group:g"
        assert len(logs.describe_log_streams(logGroupIdentifier=by_arn)["logStreams"]) == 4
        assert error(logs.describe_log_streams)[0] == "InvalidParameterException"
        twice = error(logs.describe_log_streams, logGroupName="g", logGroupIdentifier="g")
        assert twice == ("ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.")


class TestPut:
    """PutLogEvents."""

    def test_answer(self, logs: Any, stream: tuple[str, str]) -> None:
        """A batch is answered with a token, which nobody needs: any or none is taken."""
        assert put(logs, "a")["nextSequenceToken"]
        event = {"timestamp": now(), "message": "b"}
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[event], sequenceToken="wrong")
        assert messages(logs.get_log_events(logGroupName="g", logStreamName="s")) == ["a", "b"]
        assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == 2 * 27

    def test_missing(self, logs: Any, stream: tuple[str, str]) -> None:
        """Group and stream must be there."""
        events = [{"timestamp": now(), "message": "a"}]
        assert error(logs.put_log_events, logGroupName="g", logStreamName="x", logEvents=events) == (
            "ResourceNotFoundException",
            "The specified log stream does not exist.",
        )
        assert error(logs.put_log_events, logGroupName="x", logStreamName="s", logEvents=events) == (
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        )

    def test_rules(self, logs: Any, stream: tuple[str, str]) -> None:
        """A batch is in order, within 24 hours and a megabyte; else nothing of it is stored."""
        start = now()

        def refused(*events: tuple[int, str]) -> tuple[str, str]:
            batch = [{"timestamp": at, "message": message} for at, message in events]
            return error(logs.put_log_events, logGroupName="g", logStreamName="s", logEvents=batch)

        assert refused((start, "a"), (start - 1, "b")) == (
            "InvalidParameterException",
            "Log events in a single PutLogEvents request must be in chronological order.",
        )
        assert refused((start - DAY - 1, "a"), (start, "b")) == (
            "InvalidParameterException",
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        )
        assert refused((start, "x" * 1_048_551)) == (
            "InvalidParameterException",
            "Log event too large: 1048577 bytes exceeds limit of 1048576",
        )
        assert refused((start, "é" * 300_000), (start, "x" * 500_000)) == (
            "InvalidParameterException",
            "Upload too large: 1100052 bytes exceeds limit of 1048576",
        )
        assert refused((start, ""))[0] == "InvalidParameterException"
        assert messages(logs.get_log_events(logGroupName="g", logStreamName="s")) == []

    def test_rejected_events(self, logs: Any, stream: tuple[str, str]) -> None:
        """Events too old or too new are rejected by their index, the others stored."""
        start = now()
        times = [start - 15 * DAY, start - 14 * DAY - HOUR, start, start + HOUR, start + 3 * HOUR]
        events = [{"timestamp": at, "message": str(i)} for i, at in enumerate(times)]
        reply = logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
        assert reply["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 4}
        assert messages(logs.get_log_events(logGroupName="g", logStreamName="s")) == ["2", "3"]
        logs.put_retention_policy(logGroupName="g", retentionInDays=1)
        reply = put(logs, "old", at=start - 2 * DAY)
        assert reply["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}


class TestGet:
    """GetLogEvents."""

    def test_pages_from_the_end(self, logs: Any, stream: tuple[str, str]) -> None:
        """By default the newest events come first, oldest first within a page."""
        put(logs, *map(str, range(10)))
        page = logs.get_log_events(logGroupName="g", logStreamName="s", limit=4)
        assert messages(page) == ["6", "7", "8", "9"]
        back = logs.get_log_events(logGroupName="g", logStreamName="s", limit=4, nextToken=page["nextBackwardToken"])
        assert messages(back) == ["2", "3", "4", "5"]
        forward = logs.get_log_events(logGroupName="g", logStreamName="s", limit=4, nextToken=back["nextForwardToken"])
        assert messages(forward) == ["6", "7", "8", "9"]

    def test_pages_from_the_head(self, logs: Any, stream: tuple[str, str]) -> None:
        """From the head the tokens go on, and at the end the same token comes back."""
        put(logs, *map(str, range(5)))
        seen, token = [], None
        while True:
            arguments: dict[str, Any] = {"nextToken": token} if token else {}
            page = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True, limit=2, **arguments)
            seen += messages(page)
            if page["nextForwardToken"] == token:
                break
            token = page["nextForwardToken"]
        assert seen == ["0", "1", "2", "3", "4"]
        put(logs, "5", at=now() + 1000)
        page = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True, nextToken=token)
        assert messages(page) == ["5"]

    def test_an_empty_stream_can_be_followed(self, logs: Any, stream: tuple[str, str]) -> None:
        """The tokens of an empty page find what is stored later."""
        pages = [logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=head) for head in (True, False)]
        put(logs, "a")
        for page in pages:
            assert page["events"] == []
            for token in (page["nextForwardToken"], page["nextBackwardToken"]):
                later = logs.get_log_events(logGroupName="g", logStreamName="s", nextToken=token)
                assert messages(later) == ["a"]

    def test_equal_times_keep_the_order_of_arrival(self, logs: Any, stream: tuple[str, str]) -> None:
        """Events of the same millisecond are neither repeated nor skipped between pages."""
        put(logs, *map(str, range(9)), step=0)
        seen, token = [], None
        for _ in range(5):
            arguments: dict[str, Any] = {"nextToken": token} if token else {}
            page = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True, limit=2, **arguments)
            seen += messages(page)
            token = page["nextForwardToken"]
        assert seen == list("012345678")

    def test_range(self, logs: Any, stream: tuple[str, str]) -> None:
        """The start is included and the end is not."""
        start = now()
        put(logs, *map(str, range(6)), at=start)
        for head in (True, False):
            page = logs.get_log_events(
                logGroupName="g", logStreamName="s", startTime=start + 1, endTime=start + 4, startFromHead=head
            )
            assert messages(page) == ["1", "2", "3"]
        assert page["events"][0]["ingestionTime"] >= start

    def test_a_page_is_a_megabyte(self, logs: Any, stream: tuple[str, str]) -> None:
        """A page ends where the next event would pass a megabyte."""
        for i in range(3):
            put(logs, str(i) * 500_000, at=now() + i)
        page = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)
        assert [m[0] for m in messages(page)] == ["0", "1"]
        page = logs.get_log_events(logGroupName="g", logStreamName="s")
        assert [m[0] for m in messages(page)] == ["1", "2"]

    def test_refusals(self, logs: Any, stream: tuple[str, str]) -> None:
        """A token that is none, and a stream that is not there."""
        bad = error(logs.get_log_events, logGroupName="g", logStreamName="s", nextToken="f/1")
        assert bad == ("InvalidParameterException", "The specified nextToken is invalid.")
        missing = error(logs.get_log_events, logGroupName="g", logStreamName="x")
        assert missing == ("ResourceNotFoundException", "The specified log stream does not exist.")


class TestFilter:
    """FilterLogEvents."""

    @pytest.fixture(autouse=True)
    def events(self, logs: Any) -> int:
        """Streams a, b and c with events that interleave."""
        start = now() - 10_000
        logs.create_log_group(logGroupName="g")
        for index, name in enumerate(["a1", "a2", "b"]):
            logs.create_log_stream(logGroupName="g", logStreamName=name)
            put(logs, *(f"{name} {i}" for i in range(4)), stream=name, at=start + index, step=10)
        return start

    def test_streams_are_interleaved_by_time(self, logs: Any, events: int) -> None:
        """All streams are searched, their events in the order of time, each with a number of 56 digits."""
        page = logs.filter_log_events(logGroupName="g")
        assert messages(page) == [f"{name} {i}" for i in range(4) for name in ("a1", "a2", "b")]
        assert page["searchedLogStreams"] == []
        assert "nextToken" not in page
        assert {len(event["eventId"]) for event in page["events"]} == {56}
        assert page["events"][0]["logStreamName"] == "a1"

    def test_some_streams(self, logs: Any) -> None:
        """Streams are chosen by name or by prefix, not by both."""
        one = logs.filter_log_events(logGroupName="g", logStreamNames=["b"])
        assert messages(one) == ["b 0", "b 1", "b 2", "b 3"]
        two = logs.filter_log_events(logGroupName="g", logStreamNames=["b", "a1"], limit=3)
        assert messages(two) == ["a1 0", "b 0", "a1 1"]
        prefix = logs.filter_log_events(logGroupName="g", logStreamNamePrefix="a", filterPattern='"1"')
        assert messages(prefix) == ["a1 0", "a1 1", "a2 1", "a1 2", "a1 3"]
        none = logs.filter_log_events(logGroupName="g", logStreamNamePrefix="zzz")
        assert messages(none) == []
        assert (
            error(logs.filter_log_events, logGroupName="g", logStreamNamePrefix="a", logStreamNames=["b"])[0]
            == "InvalidParameterException"
        )
        assert error(logs.filter_log_events, logGroupName="g", logStreamNames=["x"]) == (
            "ResourceNotFoundException",
            "The specified log stream does not exist.",
        )

    def test_pages(self, logs: Any) -> None:
        """Pages go on by a token until all is seen; the last has none."""
        pages = list(
            logs.get_paginator("filter_log_events").paginate(
                logGroupName="g", filterPattern="?a1 ?b", PaginationConfig={"PageSize": 3}
            )
        )
        assert [len(page["events"]) for page in pages] == [3, 3, 2]
        assert sorted(m for page in pages for m in messages(page)) == sorted(
            f"{name} {i}" for name in ("a1", "b") for i in range(4)
        )
        assert error(logs.filter_log_events, logGroupName="g", nextToken="x")[0] == "InvalidParameterException"

    def test_backward(self, logs: Any, events: int) -> None:
        """Newest first, where a start is given; the token keeps the direction."""
        page = logs.filter_log_events(logGroupName="g", startFromHead=False, startTime=events, limit=5)
        assert messages(page) == ["b 3", "a2 3", "a1 3", "b 2", "a2 2"]
        page = logs.filter_log_events(logGroupName="g", startTime=events, limit=5, nextToken=page["nextToken"])
        assert messages(page) == ["a1 2", "b 1", "a2 1", "a1 1", "b 0"]
        assert error(logs.filter_log_events, logGroupName="g", startFromHead=False)[0] == ("InvalidParameterException")

    def test_range(self, logs: Any, events: int) -> None:
        """Here both ends are included."""
        page = logs.filter_log_events(logGroupName="g", startTime=events + 1, endTime=events + 11)
        assert messages(page) == ["a2 0", "b 0", "a1 1", "a2 1"]

    def test_bad_pattern(self, logs: Any) -> None:
        """What is wrong with a pattern is said in AWS's words."""
        bad = error(logs.filter_log_events, logGroupName="g", filterPattern="a:b")
        assert bad == ("InvalidParameterException", "Invalid character(s) in term ':'")
        assert error(logs.filter_log_events, logGroupName="g", filterPattern="{ $.a }")[1] == ("Invalid filter pattern")

    def test_deleted_streams_vanish(self, logs: Any) -> None:
        """The events of a deleted stream or group are seen no more, even in one made anew."""
        logs.delete_log_stream(logGroupName="g", logStreamName="b")
        assert "b 0" not in messages(logs.filter_log_events(logGroupName="g"))
        logs.create_log_stream(logGroupName="g", logStreamName="b")
        assert messages(logs.get_log_events(logGroupName="g", logStreamName="b")) == []
        logs.delete_log_group(logGroupName="g")
        logs.create_log_group(logGroupName="g")
        assert messages(logs.filter_log_events(logGroupName="g")) == []


class TestFilters:
    """Metric filters, subscription filters, resource policies."""

    TRANSFORMATION: ClassVar = {"metricName": "m", "metricNamespace": "ns", "metricValue": "1"}

    def test_metric_filters(self, logs: Any, stream: tuple[str, str]) -> None:
        """Metric filters are stored, replaced, counted, listed and deleted."""
        for name in ("f2", "f1"):
            logs.put_metric_filter(
                logGroupName="g", filterName=name, filterPattern="ERROR", metricTransformations=[self.TRANSFORMATION]
            )
        logs.put_metric_filter(
            logGroupName="g", filterName="f1", filterPattern="WARN", metricTransformations=[self.TRANSFORMATION]
        )
        found = logs.describe_metric_filters(logGroupName="g")["metricFilters"]
        assert [(each["filterName"], each["filterPattern"]) for each in found] == [("f1", "WARN"), ("f2", "ERROR")]
        assert found[0]["metricTransformations"] == [self.TRANSFORMATION]
        assert logs.describe_log_groups()["logGroups"][0]["metricFilterCount"] == 2
        assert len(logs.describe_metric_filters(metricName="m", metricNamespace="ns")["metricFilters"]) == 2
        assert error(logs.describe_metric_filters, metricName="m")[0] == "InvalidParameterException"
        logs.delete_metric_filter(logGroupName="g", filterName="f1")
        assert error(logs.delete_metric_filter, logGroupName="g", filterName="f1") == (
            "ResourceNotFoundException",
            "The specified metric filter does not exist.",
        )

    def test_bad_metric_filters(self, logs: Any, stream: tuple[str, str]) -> None:
        """Patterns and transformations are checked."""
        common = {"logGroupName": "g", "filterName": "f"}
        bad = error(logs.put_metric_filter, **common, filterPattern="{", metricTransformations=[self.TRANSFORMATION])
        assert bad == ("InvalidParameterException", "Invalid metric filter pattern")
        both = self.TRANSFORMATION | {"defaultValue": 0.0, "dimensions": {"d": "$.x"}}
        bad = error(logs.put_metric_filter, **common, filterPattern="{ $.x = * }", metricTransformations=[both])
        assert bad[1] == (
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
        )

    def test_test_metric_filter(self, logs: Any) -> None:
        """A pattern is tried on messages, and what it extracts is told."""
        reply = logs.test_metric_filter(
            filterPattern="[ip, status = 4*, size]", logEventMessages=["1.1.1.1 200 7", "1.1.1.1 404 9"]
        )
        assert reply["matches"] == [
            {
                "eventNumber": 1,
                "eventMessage": "1.1.1.1 404 9",
                "extractedValues": {"$ip": "1.1.1.1", "$status": "404", "$size": "9"},
            }
        ]

    def test_subscription_filters_go_to_functions(self, logs: Any, stream: tuple[str, str]) -> None:
        """A destination that cannot be reached is refused, one that Fogbank lacks says so."""
        common = {"logGroupName": "g", "filterName": "f", "filterPattern": ""}
        function = "arn:aws:lambda:us-east-1:000000000000:function:none"
        bad = error(logs.put_subscription_filter, **common, destinationArn=function)
        assert bad[0] == "InvalidParameterException"
        assert bad[1].startswith("Could not execute the lambda function.")
        with pytest.raises(ClientError, match="kinesis"):
            logs.put_subscription_filter(
                **common, destinationArn="arn:aws:kinesis:us-east-1:000000000000:stream/s", roleArn="r"
            )
        assert logs.describe_subscription_filters(logGroupName="g")["subscriptionFilters"] == []
        missing = error(logs.delete_subscription_filter, logGroupName="g", filterName="f")
        assert missing[1] == "The specified subscription filter does not exist."

    def test_resource_policies(self, logs: Any) -> None:
        """Policies of the account are stored, ten at the most."""
        document = '{"Version": "2012-10-17", "Statement": []}'
        for i in range(10):
            logs.put_resource_policy(policyName=f"p{i}", policyDocument=document)
        over = error(logs.put_resource_policy, policyName="more", policyDocument=document)
        assert over == ("LimitExceededException", "Resource limit exceeded.")
        found = logs.describe_resource_policies()["resourcePolicies"]
        assert [policy["policyName"] for policy in found] == [f"p{i}" for i in range(10)]
        logs.delete_resource_policy(policyName="p0")
        assert error(logs.delete_resource_policy, policyName="p0")[0] == "ResourceNotFoundException"


class TestTail:
    """StartLiveTail."""

    ARN = "arn:aws:logs:us-east-1:000000000000:log-group:g"

    def test_events_arrive_as_they_are_put(self, logs: Any, aws: Callable[..., Any], stream: tuple[str, str]) -> None:
        """The session starts, and what is stored afterwards and matches comes through it."""
        put(logs, "before")
        session = logs.start_live_tail(logGroupIdentifiers=[self.ARN], logEventFilterPattern="-skip")
        updates = iter(session["responseStream"])
        start = next(updates)["sessionStart"]
        assert start["logGroupIdentifiers"] == [self.ARN]
        put(logs, "one", "skip this", "two")
        seen: list[Any] = []
        while len(seen) < 2:
            seen += next(updates)["sessionUpdate"]["sessionResults"]
        assert [event["message"] for event in seen] == ["one", "two"]
        assert seen[0]["logStreamName"] == "s"
        session["responseStream"].close()

    def test_refusals(self, logs: Any, stream: tuple[str, str]) -> None:
        """Groups are named by ARN, and streams of one group only."""
        assert error(logs.start_live_tail, logGroupIdentifiers=["g"])[0] == "InvalidParameterException"
        other = self.ARN.replace(":g", ":none")
        assert error(logs.start_live_tail, logGroupIdentifiers=[other])[0] == "ResourceNotFoundException"


@pytest.mark.slow
def test_acknowledged_events_survive_a_crash(new_server: Callable[..., Any]) -> None:
    """What was answered is there after kill -9."""
    server = new_server()
    logs = server.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    for i in range(20):
        put(logs, str(i))
    server.kill()
    server.start()
    page = server.client("logs").filter_log_events(logGroupName="g")
    assert messages(page) == [str(i) for i in range(20)]


HANDLER = """
import base64, gzip, json

def handler(event, context):
    document = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print("GOT", document["logGroup"], [each["message"] for each in document["logEvents"]])
"""


def test_a_function_gets_what_its_subscription_matches(
    logs: Any, aws: Callable[..., Any], stream: tuple[str, str]
) -> None:
    """From PutLogEvents through the outbox and an asynchronous invocation to the function's own log."""
    arn = create(aws("lambda"), HANDLER, "receiver")["FunctionArn"]
    logs.put_subscription_filter(logGroupName="g", filterName="errors", filterPattern="ERROR", destinationArn=arn)
    (found,) = logs.describe_subscription_filters(logGroupName="g")["subscriptionFilters"]
    assert (found["destinationArn"], found["distribution"]) == (arn, "ByLogStream")
    logs.create_log_group(logGroupName="/aws/lambda/receiver")
    own = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/receiver"
    session = logs.start_live_tail(logGroupIdentifiers=[own], logEventFilterPattern="GOT")
    updates = iter(session["responseStream"])
    next(updates)
    put(logs, "ERROR one", "fine", "ERROR two")
    seen: list[Any] = []
    while not seen:
        seen = next(updates)["sessionUpdate"]["sessionResults"]
    assert seen[0]["message"].strip() == "GOT g ['ERROR one', 'ERROR two']"
    session["responseStream"].close()

"""The events that Step Functions puts on the default bus when a Standard execution starts or ends.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.delivery import Message
from fogbank.services.states.model import Record

SOURCE = "aws.states"
DETAIL_TYPE = "Step Functions Execution Status Change"
MAX_DATA = 248 * 1024
"""Bytes of input and output, escaped, past which an event goes without them."""
_encode = msgspec.json.Encoder().encode


def status_change(record: Record, scope: Scope, trace: Trace, now: int) -> Message:
    """The message that puts the event of an execution's status on the default bus."""
    parameters: dict[str, Any] = {
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Resources": [record.arn],
        "Time": now // 1000,
    }
    return Message(
        target=scope.arn("events", "event-bus/default"),
        payload=_encode(detail(record, now)),
        scope=scope,
        trace=trace,
        source="states.amazonaws.com",
        parameters=parameters,
    )


def detail(record: Record, now: int) -> dict[str, Any]:
    """The event's detail: what `DescribeExecution` tells, with nulls for what is not there."""
    given, output = record.input, record.output
    size = len(_encode(given))
    with_input = with_output = True
    if output is not None:
        length = len(_encode(output))
        with_output = length <= MAX_DATA
        with_input = size + length <= MAX_DATA
    with_input = with_input and size <= MAX_DATA
    status, reason = record.redrivable(now)
    return {
        "executionArn": record.arn,
        "stateMachineArn": record.machine,
        "stateMachineVersionArn": record.qualified,
        "stateMachineAliasArn": record.alias,
        "name": record.name,
        "status": record.status,
        "startDate": record.started,
        "stopDate": record.stopped,
        "input": given if with_input else None,
        "output": output if with_output else None,
        "inputDetails": {"included": with_input},
        "outputDetails": None if output is None else {"included": with_output},
        "error": record.error,
        "cause": record.cause,
        "redriveCount": record.redrives,
        "redriveDate": record.redriven,
        "redriveStatus": status,
        "redriveStatusReason": reason,
    }

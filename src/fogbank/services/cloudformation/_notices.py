"""What a stack's topics are told: each event as lines of names and values.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-add-tags-stack-notification-options.html
"""

from __future__ import annotations

from datetime import UTC, datetime

from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.delivery import Message
from fogbank.services.cloudformation.model import Event, Stack

_SUBJECT = "AWS CloudFormation Notification"
_SOURCE = "cloudformation.amazonaws.com"


def notice(stack: Stack, event: Event, event_id: str, millis: int, topic: str, trace: Trace) -> Message:
    """The message that tells a topic of an event."""
    moment = datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields = {
        "StackId": stack.id,
        "Timestamp": moment,
        "EventId": event_id,
        "LogicalResourceId": event.logical_id,
        "Namespace": stack.account,
        "PhysicalResourceId": event.physical_id,
        "PrincipalId": stack.account,
        "ResourceProperties": event.properties or "null",
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason or "",
        "ResourceType": event.type,
        "StackName": stack.name,
        "ClientRequestToken": event.token or "null",
    }
    return Message(
        target=topic,
        payload="".join(f"{name}='{value}'\n" for name, value in fields.items()).encode(),
        scope=Scope(stack.account, stack.region),
        trace=trace,
        source=_SOURCE,
        parameters={"Subject": _SUBJECT},
    )

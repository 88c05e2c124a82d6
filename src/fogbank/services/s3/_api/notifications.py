"""What is told of a bucket's objects, and to whom: the configuration, and whether its destinations can be told.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.arn import Arn
from fogbank.core.call import Principal
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.frame import S3Base, need_bucket
from fogbank.services.s3._notifications import KINDS, PRINCIPAL, SETTING, TOLD, check, test_event
from fogbank.services.s3._policies import lets_in
from fogbank.services.s3.errors import InvalidArgumentError
from fogbank.services.s3.model import Bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_INVALID = "Unable to validate the following destination configurations"
_ABSENT = {
    "LambdaFunctionArn": "The destination Lambda function does not exist",
    "QueueArn": "The destination queue does not exist",
    "TopicArn": "The destination topic does not exist",
}
_CLOSED = {
    "LambdaFunctionArn": "Not authorized to invoke function [{arn}]",
    "QueueArn": "Permissions on the destination queue do not allow S3 to publish notifications from this bucket",
    "TopicArn": "Permissions on the destination topic do not allow S3 to publish notifications from this bucket",
}
_ACTIONS = {"LambdaFunctionArn": "lambda:InvokeFunction", "QueueArn": "sqs:SendMessage", "TopicArn": "sns:Publish"}


class NotificationOperations(S3Base):
    """The operations on a bucket's notifications."""

    async def put_bucket_notification_configuration(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Replace who is told of what; an empty configuration turns everything off."""
        configuration = self._read_configuration(call, request["NotificationConfiguration"])
        bucket = await self.storage.read(lambda tx: need_bucket(tx, call, request))
        if not request.get("SkipDestinationValidation"):
            await self._validate(call, bucket, configuration)

        async def body(tx: Tx) -> None:
            found = await need_bucket(tx, call, request)
            await rows.put_setting(tx, found.id, SETTING, configuration)
            await rows.set_notifies(tx, found.id, notifies=bool(configuration))

        await self.storage.transact(body)
        return {}

    async def get_bucket_notification_configuration(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Who is told of what."""

        async def body(tx: Tx) -> dict[str, Any]:
            bucket = await need_bucket(tx, call, request)
            return await rows.setting(tx, bucket.id, SETTING) or {}

        return await self.storage.read(body)

    def _read_configuration(self, call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration as it is kept: each line with an id, filters named as S3 answers them."""
        found: dict[str, Any] = {}
        for kind, member in KINDS.items():
            lines = []
            for line in given.get(kind) or ():
                for event in line["Events"]:
                    if event not in TOLD:
                        raise NotImplementedByFogbank(
                            f"Fogbank does not implement the event {event} of s3.{call.operation} yet"
                        )
                kept = {"Id": line.get("Id") or self.kit.ids.uuid(), member: line[member], "Events": line["Events"]}
                rules = ((line.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
                if rules:
                    named = [{**rule, "Name": str(rule.get("Name", "")).capitalize()} for rule in rules]
                    kept["Filter"] = {"Key": {"FilterRules": named}}
                lines.append(kept)
            if lines:
                found[kind] = lines
        if given.get("EventBridgeConfiguration") is not None:
            found["EventBridgeConfiguration"] = {}
        check(found)
        return found

    async def _validate(self, call: Call, bucket: Bucket, configuration: Mapping[str, Any]) -> None:
        """Every destination must be there and let S3 in; queues and topics are sent a test event."""
        for kind, member in KINDS.items():
            for line in configuration.get(kind) or ():
                arn = line[member]
                _check_place(arn, bucket)
                try:
                    policy = await self._policy(call, member, Arn.parse(arn))
                except ApiError as error:
                    if error.status >= 500:
                        raise
                    raise InvalidArgumentError(_INVALID, arn, _ABSENT[member]) from None
                context = {"aws:sourcearn": bucket.arn, "aws:sourceaccount": bucket.scope.account}
                if not lets_in(policy, PRINCIPAL, _ACTIONS[member], context):
                    raise InvalidArgumentError(_INVALID, arn, _CLOSED[member].format(arn=arn))
        payload = test_event(call, bucket, self.clock.millis()).decode()
        for line in configuration.get("QueueConfigurations") or ():
            arn = Arn.parse(line["QueueArn"])
            await self._call(call, arn, "sqs", "SendMessage", {"QueueUrl": _url(arn), "MessageBody": payload})
        for line in configuration.get("TopicConfigurations") or ():
            arn = Arn.parse(line["TopicArn"])
            message = {"TopicArn": str(arn), "Message": payload, "Subject": "Amazon S3 Notification"}
            await self._call(call, arn, "sns", "Publish", message)

    async def _policy(self, call: Call, member: str, arn: Arn) -> dict[str, Any]:
        """The policy of a destination; none if it has none. `ApiError` if the destination is not there."""
        if member == "QueueArn":
            asked = {"QueueUrl": _url(arn), "AttributeNames": ["Policy"]}
            attributes = (await self._call(call, arn, "sqs", "GetQueueAttributes", asked)).get("Attributes") or {}
        elif member == "TopicArn":
            attributes = (await self._call(call, arn, "sns", "GetTopicAttributes", {"TopicArn": str(arn)}))[
                "Attributes"
            ]
        else:
            await self._call(call, arn, "lambda", "GetFunctionConfiguration", {"FunctionName": str(arn)})
            try:
                attributes = await self._call(call, arn, "lambda", "GetPolicy", {"FunctionName": str(arn)})
            except ApiError as error:
                if error.status != 404:
                    raise
                attributes = {}
        text = attributes.get("Policy")
        policy: dict[str, Any] = msgspec.json.decode(text) if text else {}
        return policy

    async def _call(self, call: Call, arn: Arn, service: str, operation: str, request: Mapping[str, Any]) -> Reply:
        return await self.kit.cloud.call(
            arn.scope, service, operation, request, trace=call.trace, principal=Principal(service=PRINCIPAL)
        )


def _check_place(arn: str, bucket: Bucket) -> None:
    """Destinations are in the bucket's region, and not FIFO."""
    if Arn.parse(arn).region != bucket.scope.region:
        raise InvalidArgumentError(
            "The notification destination service region is not valid for the bucket location constraint", arn, arn
        )
    if arn.endswith(".fifo"):
        raise InvalidArgumentError(_INVALID, arn, "FIFO queues and topics are not supported.")


def _url(arn: Arn) -> str:
    return f"https://sqs.{arn.region}.amazonaws.com/{arn.account}/{arn.resource}"

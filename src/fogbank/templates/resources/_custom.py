"""Custom resources: a Lambda function creates, changes and deletes them, and answers at a URL.

    invoke (asynchronously) ──► {RequestType, ResponseURL, …} ──► the function PUTs its answer ──► the step goes on

The request id is the step's token, so a repetition after a crash asks with the same one, and an answer that came in
the meantime is not asked for again.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fogbank.services.cloudformation.engine import ReasonError, Standing
from fogbank.templates.errors import UnsupportedError
from fogbank.templates.resources.resource_type import ResourceType, Work
from fogbank.templates.schema import ResourceSchema
from fogbank.templates.sections import scalar_text

DEFAULT_TIMEOUT = 3600
"""Seconds that an answer may take."""


class CustomResource(ResourceType):
    """`AWS::CloudFormation::CustomResource` and every `Custom::…`; `Ref` gives what the function called it."""

    type = "AWS::CloudFormation::CustomResource"
    service = "lambda"
    attributes = None

    @property
    def schema(self) -> ResourceSchema | None:
        """None: its properties are the function's business."""
        return None

    async def create(self, work: Work) -> Standing:
        answer = await self._ask(work, "Create", {})
        identifier = answer.get("PhysicalResourceId")
        if not isinstance(identifier, str) or not 0 < len(identifier) <= 1024:
            raise ReasonError("Invalid PhysicalResourceId")
        return Standing(identifier, _attributes(answer))

    async def update(self, work: Work) -> Standing:
        if work.properties.get("ServiceToken") != work.previous.get("ServiceToken"):
            raise ReasonError("Modifying service token is not allowed.")
        old = {"PhysicalResourceId": work.physical_id, "OldResourceProperties": _strings(work.previous)}
        answer = await self._ask(work, "Update", old)
        identifier = answer.get("PhysicalResourceId") or work.physical_id
        return Standing(str(identifier), _attributes(answer))

    async def delete(self, work: Work) -> None:
        if work.physical_id:  # a creation that failed has nothing that could be named
            await self._ask(work, "Delete", {"PhysicalResourceId": work.physical_id})

    async def _ask(self, work: Work, kind: str, more: Mapping[str, Any]) -> Mapping[str, Any]:
        limit = _timeout(work.properties)
        token = work.step.token
        with work.answers.expect(token) as expected:
            body = work.step.answer
            if body is None:
                await self._invoke(work, kind, more)
                body = await expected.wait(work.clock, limit)
        if body is None:
            raise ReasonError(
                "CloudFormation did not receive a response from your Custom Resource. Please check your logs for "
                f"requestId [{token}]. If you are using the Python cfn-response module, you may need to update your "
                "Lambda function code so that CloudFormation can attach the updated version."
            )
        return _checked(body, token)

    @staticmethod
    async def _invoke(work: Work, kind: str, more: Mapping[str, Any]) -> None:
        target = work.properties.get("ServiceToken")
        if not isinstance(target, str):
            raise ReasonError("Missing required property: ServiceToken")
        if ":lambda:" not in target:
            raise UnsupportedError(
                f"Fogbank does not implement custom resources behind {target}: only Lambda functions"
            )
        event = {
            "RequestType": kind,
            "ServiceToken": target,
            "ResponseURL": work.answers.url(work.step.token),
            "StackId": work.step.stack.stack_id,
            "RequestId": work.step.token,
            "LogicalResourceId": work.step.logical_id,
            "ResourceType": work.step.type,
            "ResourceProperties": _strings(work.properties),
            **more,
        }
        payload = json.dumps(event).encode()
        await work.call("Invoke", {"FunctionName": target, "InvocationType": "Event", "Payload": payload})


def _timeout(properties: Mapping[str, Any]) -> int:
    text = scalar_text(properties.get("ServiceTimeout", DEFAULT_TIMEOUT))
    if not text.isdigit() or not 1 <= int(text) <= DEFAULT_TIMEOUT:
        raise ReasonError(f"ServiceTimeout must be a number from 1 to {DEFAULT_TIMEOUT}, got {text}")
    return int(text)


def _checked(body: str, token: str) -> Mapping[str, Any]:
    """The answer, if it is one and says success."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise ReasonError("Invalid response: the answer of the custom resource is not JSON") from None
    if not isinstance(answer, dict) or "Status" not in answer:
        raise ReasonError("Vendor response doesn't contain Status")
    if answer["Status"] == "SUCCESS":
        return answer
    reason = answer.get("Reason")
    if not reason:
        raise ReasonError("Vendor response doesn't contain Reason")
    raise ReasonError(
        f"Received response status [{answer['Status']}] from custom resource. Message returned: {reason} "
        f"(RequestId: {token})"
    )


def _attributes(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What `Fn::GetAtt` can ask for: each member of the answer's data, inner ones with dots."""
    found: dict[str, Any] = {}
    pending: list[tuple[str, Any]] = list((answer.get("Data") or {}).items())
    while pending:
        name, value = pending.pop()
        found[name] = value
        if isinstance(value, dict):
            pending.extend((f"{name}.{key}", child) for key, child in value.items())
    return found


def _strings(value: Any) -> Any:
    """Values as a function gets them: every scalar is a string."""
    if isinstance(value, Mapping):
        return {key: _strings(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_strings(child) for child in value]
    return scalar_text(value)

"""The client's side: a photographer who puts pictures there, and looks at what became of them. Plain boto3."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients import Client

sys.path.append(str(Path(__file__).parent / "src" / "pictures"))
from png import Picture, write


def draw(number: int, width: int = 80, height: int = 60) -> bytes:
    """A picture of a gradient, with an author and as many words as its number has digits and one."""
    rows = [
        bytes(channel for x in range(width) for channel in (x * 3 % 256, y * 4 % 256, number * 9 % 256))
        for y in range(height)
    ]
    words = " ".join(["picture", *str(number)])
    return write(Picture(width, height, 2, rows, {"Author": "Ann", "Description": words}))


@dataclass(slots=True)
class Album(Client):
    """Puts pictures into one of the two stacks."""

    def put(self, name: str, content: bytes) -> None:
        """Put a file there."""
        self.client("s3").put_object(Bucket=self.outputs["FilesBucketName"], Key=name, Body=content)

    def put_all(self, count: int) -> list[str]:
        """Put so many pictures there; their names."""
        names = [f"picture-{number}.png" for number in range(count)]
        for number, name in enumerate(names):
            self.put(name, draw(number))
        return names

    def complete(self, album: str, names: Sequence[str]) -> None:
        """Put the list of an album's files there, which sets everything in motion."""
        self.put(f"albums/{album}.json", json.dumps({"files": names}).encode())

    def execution(self, album: str) -> str:
        """The execution that the arrival of an album started; empty before that."""
        states = self.client("stepfunctions")
        key = f"albums/{album}.json"
        for found in states.list_executions(stateMachineArn=self.outputs["PicturesArn"])["executions"]:
            given = json.loads(states.describe_execution(executionArn=found["executionArn"])["input"])
            if given["detail"]["object"]["key"] == key:
                return str(found["executionArn"])
        return ""

    def deliver(self, album: str, names: Sequence[str], index: int) -> dict[str, Any]:
        """Hand one message to a worker, as the queue does."""
        body = json.dumps({"album": album, "index": index, "file": names[index]})
        return self._invoke("WorkerName", {"Records": [{"messageId": f"{album}-{index}", "body": body}]})

    def _invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        reply = self.client("lambda").invoke(FunctionName=self.outputs[function], Payload=json.dumps(event))
        answer = dict(json.loads(reply["Payload"].read()))
        if "FunctionError" in reply:
            raise RuntimeError(answer)
        return answer

    def send_again(self, album: str, names: Sequence[str], indexes: Sequence[int]) -> None:
        """Send some of an album's messages once more."""
        for index in indexes:
            body = json.dumps({"album": album, "index": index, "file": names[index]})
            self.client("sqs").send_message(QueueUrl=self.outputs["WorkUrl"], MessageBody=body)

    def waiting(self) -> int:
        """Messages that are not handled yet."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        reply = self.client("sqs").get_queue_attributes(QueueUrl=self.outputs["WorkUrl"], AttributeNames=names)
        return sum(int(reply["Attributes"][name]) for name in names)

    def report(self, album: str) -> dict[str, int]:
        """The report of an album; empty if there is none."""
        key = {"album": {"S": album}}
        reply = self.client("dynamodb").get_item(
            TableName=self.outputs["ReportsTableName"], Key=key, ConsistentRead=True
        )
        return {name: int(value["N"]) for name, value in reply.get("Item", {}).items() if "N" in value}

    def log(self, text: str) -> list[str]:
        """The lines of the workers' log that contain a text."""
        group = f"/aws/lambda/{self.outputs['WorkerName']}"
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=group, filterPattern=f'"{text}"')
        )
        return [event["message"] for page in pages for event in page["events"]]

    def at_once(self, execution: str) -> int:
        """How many iterations of the Map ran at once, at the most."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        most = now = 0
        for page in pages:
            for event in page["events"]:
                now += {"MapIterationStarted": 1, "MapIterationSucceeded": -1}.get(event["type"], 0)
                most = max(most, now)
        return most

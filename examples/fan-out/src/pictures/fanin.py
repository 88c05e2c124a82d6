"""The same work without a state machine: a message for each picture, and a count that exactly one worker completes.

An album's row has how many pictures there are and the *set* of those that are done. Adding to a set twice adds once, so
a message that is delivered again counts once; DynamoDB makes each addition whole and tells what the set has become.
Whoever sees the set complete finishes the album under the condition that nobody has: among workers that end at the same
moment, and among duplicates, one does.
"""

import json
import os
from typing import Any
from urllib.parse import unquote_plus

import boto3
import png
import work
from botocore.exceptions import ClientError

dynamodb = boto3.resource("dynamodb")
albums = dynamodb.Table(os.environ["ALBUMS_TABLE"])
results = dynamodb.Table(os.environ["RESULTS_TABLE"])
reports = dynamodb.Table(os.environ["REPORTS_TABLE"])
queue = boto3.resource("sqs").Queue(os.environ["QUEUE_URL"])
BATCH = 10


def split(event: dict[str, Any], context: Any) -> None:
    """Fan out when the list of an album's files arrives in the bucket."""
    for record in event["Records"]:
        key = unquote_plus(record["s3"]["object"]["key"])
        send(key.removeprefix("albums/").removesuffix(".json"), json.loads(work.files.get(key))["files"])


def send(album: str, names: list[str]) -> None:
    """A row for the album, then a message for each file. Again with the same album it does the same again."""
    albums.update_item(
        Key={"album": album}, UpdateExpression="SET expected = :count", ExpressionAttributeValues={":count": len(names)}
    )
    messages = [{"album": album, "index": index, "file": name} for index, name in enumerate(names)]
    for start in range(0, len(messages), BATCH):
        entries = [
            {"Id": str(message["index"]), "MessageBody": json.dumps(message)}
            for message in messages[start : start + BATCH]
        ]
        reply = queue.send_messages(Entries=entries)
        if reply.get("Failed"):
            raise RuntimeError(f"messages were not accepted: {reply['Failed']}")


def worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of messages; those that fail are delivered again, without the others."""
    failed = []
    for record in event["Records"]:
        try:
            handle(json.loads(record["body"]), context)
        except ClientError as error:
            print(f"{record['messageId']} is to be tried again: {error}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def handle(message: dict[str, Any], context: Any) -> None:
    """One picture: its result, its count, and the end of the album if it was the last."""
    results.put_item(Item={"album": message["album"], "index": message["index"], **result_of(message)})
    row = albums.update_item(
        Key={"album": message["album"]},
        UpdateExpression="ADD done :index",
        ExpressionAttributeValues={":index": {message["index"]}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    if len(row["done"]) == row.get("expected"):
        finish(message["album"], context.aws_request_id)


def result_of(message: dict[str, Any]) -> dict[str, Any]:
    """What the three functions make of a picture. A file that is no picture is a result too, and no reason to wait."""
    request = {"file": message["file"]}
    try:
        return {
            "file": message["file"],
            "thumbnail": work.thumbnail(request, None),
            "metadata": work.metadata(request, None),
            "text": work.text(request, None),
        }
    except (png.NoPictureError, work.files.NoFileError) as error:
        return {"file": message["file"], "error": type(error).__name__, "cause": str(error)}


def finish(album: str, who: str) -> None:
    """The final step, once: the report of the album."""
    found = _results(album)
    good = [result for result in found if "error" not in result]
    report = {
        "album": album,
        "pictures": len(good),
        "failed": len(found) - len(good),
        "words": sum(result["text"]["words"] for result in good),
        "finishedBy": who,
    }
    try:
        reports.put_item(Item=report, ConditionExpression="attribute_not_exists(album)")
    except reports.meta.client.exceptions.ConditionalCheckFailedException:
        print(f"{album} was finished by another")
    else:
        print(f"{album} is finished")


def _results(album: str) -> list[dict[str, Any]]:
    request: dict[str, Any] = {
        "KeyConditionExpression": "album = :album",
        "ExpressionAttributeValues": {":album": album},
        "ConsistentRead": True,
    }
    found: list[dict[str, Any]] = []
    while True:
        reply = results.query(**request)
        found += reply["Items"]
        if "LastEvaluatedKey" not in reply:
            return found
        request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

"""Make the service models that Fogbank ships out of botocore's.

botocore's models (Apache-2.0, Amazon.com) describe every operation, shape and constraint, and are nine tenths
prose. This takes the prose and the client-only hints out and writes one compressed file for each service into
`src/fogbank/core/models/data/`, and an index by which a request's service is recognised without loading any.

    .venv/bin/python tools/strip_models.py

SQS has moved to JSON, and its model no longer says what things are called in the query protocol, which it still
speaks; those names are put back here and written as a second model, `sqs.query.json.gz`.

The output is the same, byte for byte, for the same botocore.
"""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import botocore

SERVICES = (
    "apigateway",
    "apigatewayv2",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "firehose",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "pipes",
    "s3",
    "scheduler",
    "schemas",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
    "xray",
)

# Prose, and what only a client reads (endpoint rules, deprecation notices, doc examples).
DROPPED = frozenset(
    {
        "contextParam",
        "deprecatedMessage",
        "deprecatedSince",
        "documentation",
        "documentationUrl",
        "endpointdiscovery",
        "endpointoperation",
        "operationContextParams",
        "staticContextParams",
        "uid",
    }
)

# Keys below these hold names chosen by the service, which must never be taken for hints.
NAMED = frozenset({"members", "operations", "shapes"})

# What the elements of SQS's lists and maps are called in the query protocol, and the keys and values of its maps.
# Source: the `xmlName` traits of AWS's Smithy model, as the AWS SDK for JavaScript has them.
QUERY_LISTS = {
    "sqs": {
        "AWSAccountIdList": "AWSAccountId",
        "ActionNameList": "ActionName",
        "AttributeNameList": "AttributeName",
        "BatchResultErrorEntryList": "BatchResultErrorEntry",
        "BinaryList": "BinaryListValue",
        "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
        "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
        "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
        "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
        "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
        "MessageAttributeNameList": "MessageAttributeName",
        "MessageList": "Message",
        "MessageSystemAttributeList": "AttributeName",
        "QueueUrlList": "QueueUrl",
        "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
        "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
        "StringList": "StringListValue",
        "TagKeyList": "TagKey",
    },
}
QUERY_MAPS = {
    "sqs": {
        "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
        "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
        "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
        "QueueAttributeMap": ("Attribute", "Name", "Value"),
        "TagMap": ("Tag", "Key", "Value"),
    },
}
QUERY_NAMESPACES = {"sqs": "http://queue.amazonaws.com/doc/2012-11-05/"}

SOURCE = Path(botocore.__file__).parent / "data"
TARGET = Path(__file__).resolve().parent.parent / "src" / "fogbank" / "core" / "models" / "data"


def strip(value: Any, *, named: bool = False) -> Any:
    """`value` without prose; `named` says that its keys are names and not hints."""
    if isinstance(value, dict):
        return {k: strip(v, named=k in NAMED and not named) for k, v in value.items() if named or k not in DROPPED}
    if isinstance(value, list):
        return [strip(v) for v in value]
    return value


def load(service: str) -> dict[str, Any]:
    """Botocore's newest model of a service."""
    folder = SOURCE / service
    version = max(path.name for path in folder.iterdir() if path.is_dir())
    packed = folder / version / "service-2.json.gz"
    if packed.exists():
        return dict(json.loads(gzip.decompress(packed.read_bytes())))
    return dict(json.loads((folder / version / "service-2.json").read_bytes()))


def in_query(service: str, document: dict[str, Any]) -> dict[str, Any]:
    """The model of a service that has moved to JSON, in the names of the query protocol."""
    model: dict[str, Any] = copy.deepcopy(document)
    model["metadata"] |= {"protocol": "query", "protocols": ["query"], "xmlNamespace": QUERY_NAMESPACES[service]}
    names = QUERY_LISTS[service] | {shape: element for shape, (element, _, _) in QUERY_MAPS[service].items()}
    for shape in model["shapes"].values():
        for member in shape.get("members", {}).values():
            if member["shape"] in names:
                member |= {"locationName": names[member["shape"]], "flattened": True}
    for name, (_, key, value) in QUERY_MAPS[service].items():
        model["shapes"][name]["key"]["locationName"] = key
        model["shapes"][name]["value"]["locationName"] = value
    return model


def write(path: Path, document: Any) -> int:
    """Write a document compressed and return its size in bytes; the same bytes for the same document."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=False).encode()
    data = gzip.compress(text, compresslevel=9, mtime=0)
    path.write_bytes(data)
    return len(data)


def main() -> None:
    """Write every model and the index."""
    TARGET.mkdir(parents=True, exist_ok=True)
    index: dict[str, Any] = {}
    total = 0
    for service in SERVICES:
        document = strip(load(service))
        if service in QUERY_NAMESPACES:
            total += write(TARGET / f"{service}.query.json.gz", in_query(service, document))
            document["metadata"]["protocols"] = [*document["metadata"]["protocols"], "query"]
        index[service] = document["metadata"]
        total += write(TARGET / f"{service}.json.gz", document)
    (TARGET / "index.json").write_text(
        json.dumps({"botocore": botocore.__version__, "services": index}, indent=1, sort_keys=True) + "\n"
    )
    print(f"{len(SERVICES)} services from botocore {botocore.__version__}: {total // 1024} KiB")


if __name__ == "__main__":
    main()

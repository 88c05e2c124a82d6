"""Every service that Fogbank has, by botocore's name of it."""

from __future__ import annotations

import importlib

from fogbank.services.kit import Service

_CLASSES = {
    "sqs": "fogbank.services.sqs:Sqs",
    "dynamodb": "fogbank.services.dynamodb:DynamoDb",
    "dynamodbstreams": "fogbank.services.dynamodb:DynamoDbStreams",
    "events": "fogbank.services.events:Events",
    "scheduler": "fogbank.services.scheduler:Scheduler",
    "lambda": "fogbank.services.lambda_:Lambda",
    "logs": "fogbank.services.logs:Logs",
    "iam": "fogbank.services.iam:Iam",
    "sts": "fogbank.services.sts:Sts",
    "ssm": "fogbank.services.ssm:Ssm",
    "cloudformation": "fogbank.services.cloudformation:CloudFormation",
}


def _load() -> dict[str, type[Service]]:
    found = {}
    for name, place in _CLASSES.items():
        module, _, attribute = place.partition(":")
        try:
            found[name] = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, SyntaxError):
            continue
    return found


SERVICES: dict[str, type[Service]] = _load()

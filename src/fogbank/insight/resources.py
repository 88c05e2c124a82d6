"""What a request calls a resource, as an ARN and as a person's name of it. Pure functions."""

from __future__ import annotations

from fogbank.core.scope import Scope
from fogbank.insight.units import service_of


def arn_of(unit: str, resource: str, scope: Scope) -> str:
    """The ARN of what a use names: a queue's URL, a table's, function's or bus's name, or an ARN already.

    Qualifiers of functions stay out. The empty string if it names nothing.
    """
    if resource.startswith("arn:"):
        head, function, name = resource.partition(":function:")
        return f"{head}{function}{name.partition(':')[0]}" if function else resource
    if not resource:
        return resource
    service = service_of(unit)
    if service == "sqs" or "://" in resource:
        return scope.arn("sqs", resource.rstrip("/").rpartition("/")[2])
    if service == "dynamodb":
        return scope.arn("dynamodb", f"table/{resource}")
    if service == "lambda":
        name = resource.rpartition("function:")[2] or resource
        return scope.arn("lambda", f"function:{name.partition(':')[0]}")
    if service in ("events", "observed"):
        return scope.arn("events", f"event-bus/{resource}")
    if service == "logs":
        return scope.arn("logs", f"log-group:{resource}")
    return resource


def name_of(arn: str) -> str:
    """`orders-PaymentQueue` of its ARN; `/aws/lambda/orders` of a log group's."""
    if not arn.startswith("arn:"):
        return arn
    resource = arn.split(":", 5)[5]
    for prefix in ("function:", "log-group:", "stateMachine:", "execution:", "express:"):
        if resource.startswith(prefix):
            return resource[len(prefix) :].removesuffix(":*")
    return resource.partition("/")[2] or resource

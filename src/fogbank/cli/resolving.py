"""Names. A person may give a function's, queue's or bus's own name, or its logical id in a stack.

`orders-HandleOrder-1ABC2` is what CloudFormation called it; `HandleOrder` is what the template calls it, and
`orders/HandleOrder` says in which stack. The own name is tried first.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from fogbank.cli.connection import Connection, error_code
from fogbank.cli.failures import Exit, Failure

T = TypeVar("T")

_GONE = frozenset({"DELETE_COMPLETE", "DELETE_IN_PROGRESS"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource: how people call it, its type in templates, the errors that say that there is none."""

    title: str
    type: str
    missing: frozenset[str]


FUNCTION = Kind("function", "AWS::Lambda::Function", frozenset({"ResourceNotFoundException"}))
QUEUE = Kind("queue", "AWS::SQS::Queue", frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}))
BUS = Kind("event bus", "AWS::Events::EventBus", frozenset({"ResourceNotFoundException"}))


def named(
    connection: Connection,
    kind: Kind,
    name: str,
    use: Callable[[str], T],
    *,
    others: Callable[[], Iterable[str]],
) -> T:
    """Call `use` with the name; if there is none of that name, with the physical id of the logical id `name`.

    `others` lists what there is of the kind, for the message when nothing fits.
    """
    try:
        if "/" not in name or name.startswith("arn:"):  # a slash is that of STACK/LOGICAL: no own name has one
            return use(name)
    except ClientError as error:
        if error_code(error) not in kind.missing:
            raise
    physical = _physical(connection, kind, name)
    if physical is None:
        raise _missing(kind, name, list(others()))
    return use(physical)


def _physical(connection: Connection, kind: Kind, name: str) -> str | None:
    stack, _, logical = name.rpartition("/")
    found = [
        (owner, resource)
        for owner, resource in resources(connection, stack or None)
        if resource["LogicalResourceId"] == logical
        and resource["ResourceType"] == kind.type
        and resource.get("PhysicalResourceId")
    ]
    if len(found) > 1:
        raise Failure(
            Exit.NOT_FOUND,
            f"{len(found)} stacks have a {kind.title} {logical}",
            do=f"name the stack: {' or '.join(sorted(f'{owner}/{logical}' for owner, _ in found))}",
        )
    return str(found[0][1]["PhysicalResourceId"]) if found else None


def resources(connection: Connection, stack: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every resource of the stack, or of every stack, with the stack's name."""
    cloudformation = connection.client("cloudformation")
    if stack is not None:
        stacks = [stack]
    else:
        pages = cloudformation.get_paginator("describe_stacks").paginate()
        stacks = [each["StackName"] for page in pages for each in page["Stacks"] if each["StackStatus"] not in _GONE]
    for name in stacks:
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
            for resource in page["StackResourceSummaries"]:
                yield name, resource


def _missing(kind: Kind, name: str, others: list[str]) -> Failure:
    near = difflib.get_close_matches(name, others, n=3, cutoff=0.4)
    if near:
        do = f"did you mean {' or '.join(near)}?"
    elif others:
        do = f"there are: {', '.join(sorted(others)[:10])}"
    else:
        do = f"there is no {kind.title} yet; deploy a template with: fogbank deploy"
    return Failure(Exit.NOT_FOUND, f"there is no {kind.title} {name!r}", where=None, do=do)

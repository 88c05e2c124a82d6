"""Resource policies of functions and layers. Pure functions.

Source: the API reference of AddPermission, and the policies that its guide shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.core.errors import ValidationError
from fogbank.services.lambda_.errors import (
    InvalidParameterValueError,
    PolicyLengthExceededError,
    ResourceConflictError,
    ResourceNotFoundError,
)

MAX_POLICY = 20_480
Statement = dict[str, Any]
_encode = msgspec.json.encode


def function_statement(request: Mapping[str, Any], resource: str, partition: str) -> Statement:
    """The statement of an AddPermission request."""
    if not request["Action"].startswith("lambda:") or not re.fullmatch(r"lambda:(\*|[a-zA-Z]+)", request["Action"]):
        raise ValidationError(
            f"1 validation error detected: Value '{request['Action']}' at 'action' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
        )
    statement: Statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(request["Principal"], partition),
        "Action": request["Action"],
        "Resource": resource,
    }
    condition: dict[str, dict[str, str]] = {}
    equals = {
        "lambda:FunctionUrlAuthType": request.get("FunctionUrlAuthType"),
        "lambda:EventSourceToken": request.get("EventSourceToken"),
        "AWS:SourceAccount": request.get("SourceAccount"),
        "aws:PrincipalOrgID": request.get("PrincipalOrgID"),
    }
    given = {name: value for name, value in equals.items() if value}
    if given:
        condition["StringEquals"] = given
    if request.get("InvokedViaFunctionUrl") is not None:
        condition["Bool"] = {"lambda:InvokedViaFunctionUrl": str(request["InvokedViaFunctionUrl"]).lower()}
    if request.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": request["SourceArn"]}
    if condition:
        statement["Condition"] = condition
    return statement


def layer_statement(request: Mapping[str, Any], resource: str, partition: str) -> Statement:
    """The statement of an AddLayerVersionPermission request."""
    statement: Statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(request["Principal"], partition),
        "Action": request["Action"],
        "Resource": resource,
    }
    if request.get("OrganizationId"):
        if request["Principal"] != "*":
            raise InvalidParameterValueError("OrganizationId can only be used with the principal '*'.")
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": request["OrganizationId"]}}
    return statement


def _principal(text: str, partition: str) -> str | dict[str, str]:
    if text == "*":
        return text
    if re.fullmatch(r"\d{12}", text):
        return {"AWS": f"arn:{partition}:iam::{text}:root"}
    if text.startswith("arn:"):
        return {"AWS": text}
    if "." in text and re.fullmatch(r"[a-zA-Z0-9.-]+", text):
        return {"Service": text}
    raise InvalidParameterValueError("The provided principal was invalid. Please check the principal and try again.")


def add(statements: Sequence[Statement], statement: Statement) -> list[Statement]:
    """The policy with one more statement."""
    if any(known["Sid"] == statement["Sid"] for known in statements):
        raise ResourceConflictError(
            f"The statement id ({statement['Sid']}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    added = [*statements, statement]
    if len(document(added)) > MAX_POLICY:
        raise PolicyLengthExceededError(
            f"The final policy size ({len(document(added))}) is bigger than the limit ({MAX_POLICY})."
        )
    return added


def remove(statements: Sequence[Statement], sid: str) -> list[Statement]:
    """The policy with one statement less."""
    left = [known for known in statements if known["Sid"] != sid]
    if len(left) == len(statements):
        raise ResourceNotFoundError(f"Statement {sid} is not found in resource policy.")
    return left


def document(statements: Sequence[Statement]) -> str:
    """The policy as a JSON document."""
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}
    return _encode(policy).decode()


def text(statement: Statement) -> str:
    """A statement as JSON."""
    return _encode(statement).decode()


def allows(statements: Sequence[Statement], action: str, principal: str | None, context: Mapping[str, str]) -> bool:
    """Whether a resource policy lets a principal (an ARN; `None`: anybody) do something in a context.

    A condition whose key the context lacks is not met.
    """
    return any(
        statement["Effect"] == "Allow"
        and statement["Action"] in (action, "lambda:*", "*")
        and _is_meant(statement["Principal"], principal)
        and all(
            key in context and _meets(operator, context[key], wanted)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
        for statement in statements
    )


def _is_meant(given: str | Mapping[str, str], principal: str | None) -> bool:
    if given == "*":
        return True
    if not isinstance(given, Mapping) or principal is None:
        return False
    named = given.get("AWS", "")
    if named in ("*", principal):
        return True
    return named.endswith(":root") and named.split(":")[4] == principal.split(":")[4]


def _meets(operator: str, value: str, wanted: str) -> bool:
    if operator == "ArnLike":
        return re.fullmatch(re.escape(wanted).replace(r"\*", ".*").replace(r"\?", "."), value) is not None
    return value == wanted

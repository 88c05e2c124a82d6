"""Stack policies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fogbank.services.cloudformation._policy import check_policy, denied
from fogbank.services.cloudformation.errors import StackValidationError
from fogbank.services.cloudformation.model import Action


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Statement": [{"Principal": "*", **statement} for statement in statements]})


ALLOW = {"Effect": "Allow", "Action": "Update:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("statements", "action", "statement"),
    [
        ([ALLOW], Action.UPDATE, None),
        ([ALLOW, {"Effect": "Deny", "Action": "Update:Replace", "Resource": "*"}], Action.UPDATE, None),
        ([ALLOW, {"Effect": "Deny", "Action": "Update:Replace", "Resource": "*"}], Action.REPLACE, 2),
        ([ALLOW, {"Effect": "Deny", "Action": ["Update:Delete"], "Resource": "LogicalResourceId/Q*"}],
         Action.REMOVE, 2),
        ([ALLOW, {"Effect": "Deny", "NotAction": "Update:Modify", "Resource": "*"}], Action.REPLACE, 2),
        ([ALLOW, {"Effect": "Deny", "Action": "Update:*", "NotResource": "LogicalResourceId/Queue"}],
         Action.UPDATE, None),
        ([{**ALLOW, "Resource": "LogicalResourceId/Other"}], Action.UPDATE, 0),
        ([ALLOW, {"Effect": "Deny", "Action": "Update:*", "Resource": "*",
                  "Condition": {"StringEquals": {"ResourceType": ["AWS::SQS::Queue"]}}}], Action.UPDATE, 2),
        ([ALLOW, {"Effect": "Deny", "Action": "Update:*", "Resource": "*",
                  "Condition": {"StringLike": {"ResourceType": "AWS::DynamoDB::*"}}}], Action.UPDATE, None),
        ([{**ALLOW, "Action": "Update:Modify"}], Action.CREATE, None),
    ],
)  # fmt: skip
def test_a_policy_denies_what_it_says_and_what_it_does_not_allow(
    statements: list[dict[str, Any]], action: Action, statement: int | None
) -> None:
    denial = denied(policy(*statements), "Queue", "AWS::SQS::Queue", action)
    assert (denial.statement if denial is not None else None) == statement


def test_without_a_policy_everything_is_allowed() -> None:
    assert check_policy("{}") == "{}"
    assert denied("{}", "Queue", "AWS::SQS::Queue", Action.REPLACE) is None
    assert denied(None, "Queue", "AWS::SQS::Queue", Action.REPLACE) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"Statement": [{"Effect": "Maybe"}]}',
        '{"Statement": 5}',
        '{"Statement": {"Effect": "Allow", "Action": "Update:*", "Principal": {"AWS": "*"}, "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "Delete:*", "Principal": "*", "Resource": "*"}}',
        "x" * 16_385,
    ],
)
def test_what_is_no_policy_is_refused(body: str) -> None:
    with pytest.raises(StackValidationError):
        check_policy(body)

"""Rules' schedules, bus policies and the index of a bus, without I/O."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fogbank.core.errors import ApiError
from fogbank.core.trace import Trace
from fogbank.services.events._policies import add_statement, remove_statement, statement_of
from fogbank.services.events._router import compile_bus, encode, route
from fogbank.services.events._schedules import anchored, last_fire, next_fire
from fogbank.services.events.model import BusKey, Rule, RuleState, Target, envelope

BUS = BusKey("000000000000", "us-east-1")
MINUTE = 60_000
TRACE = Trace("1-00000000-000000000000000000000000", "0" * 16)


def rule(**changes: object) -> Rule:
    base = Rule(1, BUS, "r", None, "rate(5 minutes)", RuleState.ENABLED, None, None, None, "0", {}, 1_000)
    return replace(base, **changes)  # type: ignore[arg-type]


def test_a_rate_fires_one_interval_after_its_rule_was_made() -> None:
    assert next_fire(rule(), 1_000) == 1_000 + 5 * MINUTE
    assert next_fire(rule(), 1_000 + 5 * MINUTE) == 1_000 + 10 * MINUTE


def test_a_disabled_rule_and_one_without_schedule_do_not_fire() -> None:
    assert next_fire(rule(state=RuleState.DISABLED), 0) is None
    assert next_fire(rule(schedule=None), 0) is None


def test_moments_that_were_missed_are_one() -> None:
    due = 1_000 + 5 * MINUTE
    assert last_fire(rule(), due, due + 12 * MINUTE) == due + 10 * MINUTE
    assert last_fire(rule(), due, due) == due


def test_a_rate_goes_on_when_its_rule_is_put_again_unchanged() -> None:
    before = rule()
    assert anchored(rule(anchor=9), before, 9).anchor == 1_000
    assert anchored(rule(anchor=9, schedule="rate(1 minute)"), before, 9).anchor == 9
    assert anchored(rule(), replace(before, state=RuleState.DISABLED), 9).anchor == 9
    assert anchored(rule(), None, 9).anchor == 9


def test_statements_are_added_replaced_and_removed() -> None:
    request = {"StatementId": "a", "Action": "events:PutEvents", "Principal": "111111111111"}
    policy = add_statement(None, statement_of(BUS, request))
    assert json.loads(policy) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "a",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "events:PutEvents",
                "Resource": "arn:aws:events:us-east-1:000000000000:event-bus/default",
            }
        ],
    }
    condition = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"}
    policy = add_statement(policy, statement_of(BUS, request | {"Principal": "*", "Condition": condition}))
    (statement,) = json.loads(policy)["Statement"]
    assert statement["Principal"] == "*"
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    with pytest.raises(ApiError, match="Statement with the provided id does not exist"):
        remove_statement(policy, "b")
    assert remove_statement(policy, "a") is None
    with pytest.raises(ApiError, match="Statement with the provided id does not exist"):
        remove_statement(None, "a")


def _bus(**targets: list[Target]) -> tuple[list[Rule], dict[int, list[Target]]]:
    rules = [
        rule(id=number, name=name, schedule=None, pattern='{"source": ["s"]}') for number, name in enumerate(targets, 1)
    ]
    return rules, dict(enumerate(targets.values(), 1))


def test_an_event_goes_to_every_target_of_every_rule_that_matches() -> None:
    queues = [Target(str(n), f"arn:aws:sqs:us-east-1:000000000000:q{n}") for n in range(2)]
    rules, targets = _bus(one=queues, two=queues[:1])
    compiled = compile_bus(BUS, [*rules, rule(id=9, name="off", state=RuleState.DISABLED)], targets, {})
    event = envelope(BUS.scope, "i", source="s", detail_type="t", detail={}, time="now", resources=[])
    accepted = route(compiled, event, encode(event), TRACE, ingested="", now=0, event_time=0)
    assert sorted(m.target[-2:] for m in accepted.messages) == ["q0", "q0", "q1"]
    only = frozenset({rules[1].arn})
    accepted = route(compiled, event, encode(event), TRACE, ingested="", now=0, event_time=0, only=only)
    assert [m.dead_letter_attributes["RULE_ARN"] for m in accepted.messages] == [rules[1].arn]


def test_an_event_from_another_bus_does_not_go_to_a_third() -> None:
    """eb-bus-to-bus.html: "EventBridge can't route events received from a sender event bus to a third event bus"."""
    other = Target("1", "arn:aws:events:us-east-1:000000000000:event-bus/other")
    rules, targets = _bus(one=[other])
    compiled = compile_bus(BUS, rules, targets, {})
    event = envelope(BUS.scope, "i", source="s", detail_type="t", detail={}, time="now", resources=[])
    accepted = route(compiled, event, encode(event), TRACE, ingested="", now=0, event_time=0)
    assert [m.route for m in accepted.messages] == ["events.forward"]
    accepted = route(compiled, event, b"", TRACE, ingested="", now=0, event_time=0, forwarded=True)
    assert accepted.messages == []

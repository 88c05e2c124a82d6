"""When a rule's schedule comes next."""

from __future__ import annotations

from dataclasses import replace

from fogbank.core.schedule import InvalidExpressionError, latest, parse_rule_expression
from fogbank.services.events.errors import ValidationError
from fogbank.services.events.model import Rule


def check_schedule(text: str) -> None:
    """Refuse what is no schedule of a rule."""
    try:
        parse_rule_expression(text)
    except InvalidExpressionError:
        raise ValidationError("Parameter ScheduleExpression is not valid.") from None


def next_fire(rule: Rule, now: int) -> int | None:
    """The moment after `now` (both ms) at which a rule fires by itself; `None`: never."""
    if not (rule.schedule and rule.enabled):
        return None
    moment = parse_rule_expression(rule.schedule).next_after(now / 1000, start=rule.anchor / 1000)
    return None if moment is None else round(moment * 1000)


def last_fire(rule: Rule, due: int, now: int) -> int:
    """The last of the moments from `due` to `now` at which a rule was to fire.

    After the server was down a schedule fires once for all the moments that it missed.
    """
    expression = parse_rule_expression(rule.schedule or "")
    missed = latest(expression, due / 1000, now / 1000, start=rule.anchor / 1000)
    return due if missed is None else round(missed * 1000)


def anchored(rule: Rule, before: Rule | None, now: int) -> Rule:
    """The rule with the moment from which its rate counts: now, unless it goes on as it was."""
    goes_on = before is not None and before.schedule == rule.schedule and before.enabled == rule.enabled
    return replace(rule, anchor=before.anchor if goes_on and before is not None else now)

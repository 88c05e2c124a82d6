"""When a secret is rotated: RotationRules. Pure.

A rotation begins when its window opens: days count from midnight (UTC), hours from the full hour. So it lies within
every window that Duration may say. Source:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.core.schedule import Cron, Expression, InvalidExpressionError, Rate, parse_expression
from fogbank.services.secretsmanager.errors import InvalidParameterError
from fogbank.services.secretsmanager.model import DAY

_HOUR = 3_600_000
_SHORTEST = 4 * 3600
_LONGEST = 999 * 86_400
_DAY_SECONDS = 86_400


def check_rules(rules: Mapping[str, Any]) -> None:
    """Refuse rules that contradict each other or name no schedule."""
    text, days, duration = (rules.get(name) for name in ("ScheduleExpression", "AutomaticallyAfterDays", "Duration"))
    if text and days:
        raise InvalidParameterError(
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules."
        )
    if duration:
        hours = int(duration.removesuffix("h"))
        if not 1 <= hours <= 24:
            raise InvalidParameterError("Duration must be between 1 and 24 hours.")
    if text:
        _expression(text)


def _expression(text: str) -> Expression:
    try:
        found = parse_expression(text)
    except InvalidExpressionError:
        raise InvalidParameterError(f"Invalid ScheduleExpression {text}.") from None
    if isinstance(found, Rate):
        minutes = "minute" in text
        if minutes or not _SHORTEST <= found.interval <= _LONGEST:
            raise InvalidParameterError(
                f"Invalid ScheduleExpression {text}. A rate is 4 hours at the least and 999 days at the most."
            )
    elif not isinstance(found, Cron):
        raise InvalidParameterError(f"Invalid ScheduleExpression {text}. It must be a cron() or rate() expression.")
    return found


def next_rotation(rules: Mapping[str, Any], last: int, now: int) -> int | None:
    """The next moment (ms) after `now`, for a secret that was rotated at `last`; `None` without rules."""
    days, text = rules.get("AutomaticallyAfterDays"), rules.get("ScheduleExpression")
    if days:
        return _after(last - last % DAY, days * DAY, now)
    if not text:
        return None
    found = _expression(text)
    if isinstance(found, Rate):
        grain = DAY if found.interval % _DAY_SECONDS == 0 else _HOUR
        return _after(last - last % grain, found.interval * 1000, now)
    moment = found.next_after(now / 1000)
    return None if moment is None else int(moment * 1000)


def _after(begin: int, interval: int, now: int) -> int:
    """The first of `begin` + n intervals (n from 1) after `now`."""
    return begin + max(1, (now - begin) // interval + 1) * interval

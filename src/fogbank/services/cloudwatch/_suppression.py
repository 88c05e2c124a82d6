"""How a composite alarm's actions are kept back by another alarm. Pure.

    state changes ──suppressor in ALARM──▶ by Alarm ──suppressor leaves it──▶ by ExtensionPeriod ──time──▶ actions
                  └─else──▶ by WaitPeriod ──suppressor goes to ALARM──▶ by Alarm
                                          └─time──▶ actions

When the time is over, the actions of the state that the alarm has then are called, unless it is the one for which they
were called last. Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
("Action suppression for composite alarms").
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from fogbank.services.cloudwatch._evaluation import State
from fogbank.services.cloudwatch._rules import alarm_name
from fogbank.services.cloudwatch.errors import RuleError

_PARTS = ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")


class By(StrEnum):
    """What keeps actions back."""

    WAIT = "WaitPeriod"
    ALARM = "Alarm"
    EXTENSION = "ExtensionPeriod"


class Suppression(NamedTuple):
    """A suppression under way: `until` in milliseconds (`None` while the suppressor is in ALARM), and the state for
    which actions were called last.
    """

    by: By
    until: int | None
    acted: State

    @property
    def text(self) -> str:
        """As it is stored."""
        return msgspec.json.encode(self).decode()

    @property
    def reason(self) -> str:
        """As DescribeAlarms tells it."""
        return {
            By.WAIT: "Actions are suppressed while waiting for the suppressor alarm to transition to ALARM state",
            By.ALARM: "Actions are suppressed because the suppressor alarm is in ALARM state",
            By.EXTENSION: "Actions are suppressed by the extension period after the suppressor alarm left ALARM state",
        }[self.by]


_decode = msgspec.json.Decoder(Suppression).decode


def read(text: str) -> Suppression | None:
    """The reverse of `Suppression.text`."""
    return _decode(text) if text else None


def suppressor_of(settings: Mapping[str, Any]) -> str | None:
    """The name of the alarm that keeps actions back."""
    given = settings.get("ActionsSuppressor")
    return alarm_name(given) if given else None


def check(settings: Mapping[str, Any]) -> None:
    """The three parameters go together."""
    given = [name for name in _PARTS if settings.get(name) is not None]
    if given and len(given) < len(_PARTS):
        missing = ", ".join(name for name in _PARTS if name not in given)
        raise RuleError(f"The parameters {', '.join(_PARTS)} must be specified together; missing are {missing}.")
    for name in _PARTS[1:]:
        if settings.get(name, 0) < 0:
            raise RuleError(f"The parameter {name} must not be negative.")


def begin(settings: Mapping[str, Any], suppressing: bool, acted: State, now: int) -> Suppression:
    """The alarm's state has changed, and nothing was kept back before."""
    if suppressing:
        return Suppression(By.ALARM, None, acted)
    return Suppression(By.WAIT, now + settings["ActionsSuppressorWaitPeriod"] * 1000, acted)


def suppressor_changed(current: Suppression, settings: Mapping[str, Any], suppressing: bool, now: int) -> Suppression:
    """The suppressor went to ALARM, or left it."""
    if suppressing:
        return Suppression(By.ALARM, None, current.acted)
    if current.by is not By.ALARM:
        return current
    return Suppression(By.EXTENSION, now + settings["ActionsSuppressorExtensionPeriod"] * 1000, current.acted)

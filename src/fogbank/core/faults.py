"""Fault points: named places at which a crash test kills the server.

`FOGBANK_FAULT=delivery.before-attempt:3` ends the process with SIGKILL the third time that point is passed. With no
fault armed, passing a point costs one comparison. `POINTS` names every point there is; arming another is refused.
"""

from __future__ import annotations

import os
import signal

POINTS = frozenset(
    {
        "storage.after-migration",
        "storage.before-commit",
        "storage.after-commit",
        "gateway.before-answer",
        "delivery.before-attempt",
        "delivery.after-attempt",
        "cloudformation.before-step",
        "cloudformation.after-step",
        "s3.after-file",
    }
)


class UnknownFaultError(ValueError):
    """No fault point has this name, or the count is no number above 0."""


class _Armed:
    """The one fault of this process, if any."""

    name = ""
    passes = 0


def arm(setting: str) -> None:
    """Arm `name` or `name:count`; the empty string disarms."""
    name, _, count = setting.partition(":")
    if name and name not in POINTS:
        raise UnknownFaultError(f"unknown fault point {name!r}; there are {', '.join(sorted(POINTS))}")
    if count and not (count.isdecimal() and int(count) > 0):
        raise UnknownFaultError(f"{setting!r}: expected a whole number above 0 after the colon")
    _Armed.name = name
    _Armed.passes = int(count or 1)


def point(name: str) -> None:
    """Pass a fault point: the process ends here if this one is armed and its count is reached."""
    if _Armed.name != name:
        return
    _Armed.passes -= 1
    if _Armed.passes <= 0:
        os.kill(os.getpid(), signal.SIGKILL)

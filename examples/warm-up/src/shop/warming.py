"""Handlers that are kept warm: a warm-up is answered at once, and anything else is handled."""

import functools
import time

_seen = {"events": 0}


def is_cold():
    """Whether this environment was started for the event that it handles; a warm-up is an event as well."""
    return _seen["events"] == 1


def kept_warm(handler):
    """Answer `{"warm-up": true}` without doing anything; `hold` seconds keep this environment busy meanwhile."""

    @functools.wraps(handler)
    def wrapped(event, context):
        _seen["events"] += 1
        if isinstance(event, dict) and event.get("warm-up"):
            print("kept warm")
            time.sleep(event.get("hold", 0))
            return {"warmed": True}
        return handler(event, context)

    return wrapped

"""The functions that the state machine calls: it says what to do, and remembers what was done."""

from typing import Any

import bookings


def book(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Book."""
    return bookings.book(event["trip"])


def cancel(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Cancel."""
    bookings.cancel(event["trip"])
    return {"service": bookings.SERVICE, "status": "CANCELLED"}

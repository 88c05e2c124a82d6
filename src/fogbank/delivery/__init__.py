"""Delivery: moving a message to its target, durably, until it arrives or is a dead letter.

| file | idea |
| --- | --- |
| `message.py` | what is delivered, how often it is tried, and what came of a try: values, no I/O |
| `outbox.py` | its rows |
| `pump.py` | `Delivery`: enqueue in the sender's transaction, attempt, retry, settle |
| `targets.py` | the API call that fits a target ARN, and the dead letters of rules and schedules |

    enqueue (in the sender's transaction)
        │ committed
        ▼
     waiting ──due──▶ attempting ──arrived──▶ succeeded (removed)
        ▲                  │
        └──── retry ───────┤ failed, and the policy allows another
                           └──────────────▶ exhausted (removed; a dead letter is enqueued in the same transaction)
"""

from fogbank.delivery.message import Attempt, Exhaustion, Failure, Message, PermanentError, RetryPolicy
from fogbank.delivery.pump import Delivery, Route

__all__ = [
    "Attempt",
    "Delivery",
    "Exhaustion",
    "Failure",
    "Message",
    "PermanentError",
    "RetryPolicy",
    "Route",
]

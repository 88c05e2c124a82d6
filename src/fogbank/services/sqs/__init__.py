"""Amazon Simple Queue Service.

All operations, for standard and FIFO queues. A send is one row, a receive one statement, a delete one statement; many
share one commit. Long polls wait in line for a wake-up or for the moment when a hidden message becomes visible.

| file | idea |
| --- | --- |
| `api.py`, `_api/` | the operations |
| `model.py` | queues, messages and their life; `_attributes`, `_messages`, `_policy`, `_receipts` are its vocabulary |
| `_sending.py`, `_receiving.py`, `_lines.py` | checking what is sent, taking what is due, waiting for it |
| `storage.py`, `_fifo/`, `_moves/` | the tables |
| `worker.py` | sweeping and moving |
| `errors.py` | the errors |

What differs from AWS, on purpose: queues and attributes are consistent at once, so a deleted queue's name can be used
again at once (no QueueDeletedRecently); a standard queue hands out each message once per visibility timeout and in the
order of sending as long as nothing is redelivered; policies, KMS keys and tags are kept and answered, not enforced.
"""

from fogbank.services.sqs.api import Sqs

__all__ = ["Sqs"]
"""The service's class, by which the registry knows it."""

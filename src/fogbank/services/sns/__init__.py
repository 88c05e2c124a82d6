"""Amazon Simple Notification Service: standard and FIFO topics, and who subscribes to them.

A message comes by `Publish` or `PublishBatch` and goes to every confirmed subscription whose filter policy it matches:
to a queue in the publisher's own transaction where the queue is of this server, else by the outbox, as to functions and
web servers. When `Publish` answers, nothing of that can be lost.

| file | idea |
| --- | --- |
| `api.py`, `_api/` | the operations: topics, subscriptions, publishing |
| `model.py` | topics, subscriptions and their life, ARNs |
| `_attributes.py`, `_policy.py`, `_retries.py` | what is set of topics and subscriptions, and whether it is in order |
| `_messages.py`, `_filters.py` | what is published, and whom it reaches |
| `_envelopes.py`, `_signing.py`, `_keys.py` | the notification, and its signature |
| `_topics.py`, `_sending.py`, `_routes.py` | from a publication to deliveries, retries and dead letters |
| `worker.py`, `storage.py`, `errors.py` | the clock's part; rows; errors |

What differs from AWS, on purpose: signatures are real, but the certificate is this server's own, at a URL of this
server; policies and KMS keys are kept and answered, not enforced; TracingConfig makes no difference, every delivery is
traced. Left out, and saying so by name: text messages, e-mail, mobile push, Firehose, message archives and replays,
data protection policies, delivery status logs.
"""

from fogbank.services.sns.api import Sns

__all__ = ["Sns"]
"""The service's class, by which the registry knows it."""

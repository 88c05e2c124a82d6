"""CloudWatch Logs: groups of streams of timestamped messages, written in batches, read by time, searched,
followed.

A message is stored as one row; two indexes serve the two ways of reading, by stream (GetLogEvents) and by
group (FilterLogEvents). Who follows a group (Live Tail) waits on the group's topic and is woken by the
transaction that stores events. Deleted groups vanish at once, and their events are removed in small pieces
afterwards.

What is left out says so by name: Insights queries (they can be saved, not run), export tasks, destinations other than
functions, data protection, transformers, anomaly detectors, KMS keys. Metric filters and embedded metrics are put
into CloudWatch in the transaction that stores the events. Where AWS allows only Insights on a log class, the ordinary
reads work here.
"""

from fogbank.services.logs.api import Logs

__all__ = ["Logs"]

"""Telemetry: what happened, seen without a change to the application: spans, and what is counted from them.

| file | idea |
| --- | --- |
| `model.py` | `Span`, `Kind`, `Status`: one thing that happened, from when to when |
| `recorder.py` | the buffer in memory, and what is kept of it under pressure |
| `storage.py` | its rows, in a database of its own: `telemetry.db` |
| `telemetry.py` | `Telemetry`: takes spans, hands them on, writes them down, forgets the old |

    door, delivery, runtime, services ──record(span)──▶ buffer ──every half second──▶ observers: every span, once
                                                                        └─▶ sampled ──▶ telemetry.db

**Whoever counts is an observer.** `telemetry.observe(observer)` registers `observer(spans)`: it is given every span, in
batches, each once, before any is left out by sampling, on the event loop and off the path of requests. Counting there
is exact and costs the caller nothing. What a count needs of a span stands in `span.attributes`; what it needs of an API
request or reply is put there by `telemetry.measures["sqs", "SendMessage"] = lambda request, reply: {"bytes": …}`.

**Whoever keeps something of his own** (metric datapoints, usage) puts a file beside these with its SQL, a folder
`migrations/<name>/0001_….sql` (all folders there are applied when the database is opened), and uses
`await telemetry.transact(body)` and `await telemetry.read(body)`, as with any storage; `telemetry.on_flush(callback)`
calls a coroutine function after every flush (at the latest half a second after the first span in the machine's time,
and when the server stops), which is the moment to write down what was counted; `telemetry.on_reset(callback)` when
everything is emptied; `telemetry.on_prune(callback)` with the moment (clock seconds) before which all may be forgotten.

Telemetry is not acknowledged data: `kill -9` loses at most what the last half second recorded.
"""

from fogbank.telemetry.model import Kind, Link, Span, Status
from fogbank.telemetry.telemetry import NO_TELEMETRY, Measure, Observer, Telemetry

__all__ = ["NO_TELEMETRY", "Kind", "Link", "Measure", "Observer", "Span", "Status", "Telemetry"]

"""Telemetry: what happened, seen without a change to the application: spans, and what is counted from them.

| file | idea |
| --- | --- |
| `model.py` | `Span`, `Kind`, `Status`: one thing that happened, from when to when |
| `recorder.py` | the buffer in memory, and what is kept of it under pressure |
| `storage.py` | its rows, in a database of its own: `telemetry.db` |
| `telemetry.py` | `Telemetry`: takes spans, hands them on, writes them down, forgets the old |
| `resources.py`, `correlation.py` | what a span is of, by one name; the ids by which people know an event |
| `graph.py`, `histogram.py` | the service graph: who calls whom, how often, how quickly |
| `otlp/` | OpenTelemetry's protocol, in and out |

    door, delivery, runtime, services ──record(span)──▶ buffer ──every half second──▶ observers: every span, once
                                                                        └─▶ sampled ──▶ telemetry.db

**Whoever counts spans is an observer.** `telemetry.observe(observer)` registers `observer(spans)`: it is given every
span that is made, in batches, each once, before sampling, on the event loop and off the path of requests. Under
pressure not every request, match and message gets a span (`wants`); `telemetry.weight` says how many each stands for.
What must be exact is counted where it happens (`metrics.py`, `usage.py`). What failed, and invocations and executions,
always have their spans.

**Whoever keeps something of his own** (metric datapoints, usage) puts a file beside these with its SQL, a folder
`migrations/<name>/0001_….sql` (all folders there are applied when the database is opened), and uses
`await telemetry.transact(body)` and `await telemetry.read(body)`, as with any storage; `telemetry.on_flush(callback)`
calls a coroutine function after every flush (at the latest half a second after the first span in the machine's time,
and when the server stops), which is the moment to write down what was counted; `telemetry.on_reset(callback)` when
everything is emptied; `telemetry.on_prune(callback)` with the moment (clock seconds) before which all may be forgotten.

Telemetry is not acknowledged data: `kill -9` loses at most what the last half second recorded.
"""

from fogbank.telemetry.model import Kind, Link, Span, Status
from fogbank.telemetry.telemetry import NO_TELEMETRY, Observer, Telemetry

__all__ = ["NO_TELEMETRY", "Kind", "Link", "Observer", "Span", "Status", "Telemetry"]

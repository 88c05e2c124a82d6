"""AWS X-Ray: segments of applications together with Fogbank's own spans, as traces, summaries and graphs.

Segments come in by PutTraceSegments or as datagrams to the daemon's UDP port (`--xray-port`, 2000), which functions
find in AWS_XRAY_DAEMON_ADDRESS: the X-Ray SDK and Powertools' Tracer work unmodified. They are stored with the
telemetry, beside the spans that Fogbank records by itself; those are shown as segments too.

| file | idea |
| --- | --- |
| `api.py`, `_api/` | the operations: traces; groups, sampling rules, tags |
| `_segments.py` | documents that come in: checked, and as spans |
| `_rendering.py` | spans as documents |
| `_subjects.py` | a trace, its services and edges, out of documents |
| `_filters.py` | the grammar of filter expressions |
| `_summaries.py` | summaries and graphs |
| `worker.py` | the daemon's port |
| `model.py`, `storage.py` | groups and sampling rules; their rows |

Not here yet, each refused by name: insights, time series, trace retrieval, indexing rules, resource policies,
encryption settings, root causes in filter expressions. Segments of the daemon's port belong to the server's default
account.
"""

from fogbank.services.xray.api import XRay

__all__ = ["XRay"]

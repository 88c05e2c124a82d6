"""Amazon CloudWatch: metrics, statistics and math over them, alarms that change by the clock, dashboards.

Samples are put together by the minute (or second) and unit as they come; a period keeps its values with their counts,
so that percentiles can be told, and is put together to longer ones as AWS does it: 3 hours by the second, 15 days by
the minute, 63 days by five minutes, 455 days by the hour. What Fogbank's own services count (`telemetry/metrics.py`)
is written once a minute, and before anyone asks. An alarm is a row that falls due; its change of state is committed
together with its history, its event and its actions, which `fogbank.delivery` carries out.

| file | idea |
| --- | --- |
| `_api/` | the operations: metrics, data (GetMetricData), alarms, dashboards, tags |
| `model.py` | metrics: what may be put, how long it is kept, periods |
| `_statistics.py` | the statistics of a period |
| `_math/`, `_queries.py`, `_reading.py` | metric math; queries, and what they read |
| `_alarms.py`, `_evaluation.py` | alarms; datapoints to states |
| `_rules.py`, `_suppression.py` | composite alarms: their rules, and how their actions are kept back |
| `_changes.py`, `_notices.py` | what a change of state does, and what it sends |
| `worker.py` | the beat of the minute, the timer of alarms, their actions |

Not here, each refused by name: anomaly detection, Contributor Insights, metric streams, Metrics Insights queries,
PromQL and log alarms, mute rules, entities; alarm actions but functions and topics.
"""

from fogbank.services.cloudwatch.api import CloudWatch

__all__ = ["CloudWatch"]

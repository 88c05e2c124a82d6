"""Amazon EventBridge Scheduler: schedules that invoke a target at a time, or again and again; groups of them.

A schedule's next run is a row. A worker waits for the first of all rows to fall due, and in one transaction enqueues
the invocations and sets when each schedule comes next; `fogbank.delivery` makes the calls, tries again as the
schedule's retry policy says, and dead-letters. What was missed while the server was down runs once.

| file | idea |
| --- | --- |
| `api.py`, `_groups.py` | the operations on schedules; on groups, with tags and client tokens |
| `model.py` | schedules, and when one comes next |
| `_targets.py`, `_universal.py` | templated targets; any API operation as a target |
| `worker.py` | the clock's part, and the attempts of invocations |
| `storage.py`, `_pages.py` | rows; pages of listings |

Not here yet, each refused by name: KMS keys, ECS and SageMaker parameters, targets of services that Fogbank lacks.
Execution roles are stored, not assumed.
"""

from fogbank.services.scheduler.api import Scheduler

__all__ = ["Scheduler"]

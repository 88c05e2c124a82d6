"""AWS Step Functions: state machines in the Amazon States Language, and their durable executions.

A definition compiles to a program; an execution is a pure interpreter over a journal. What goes in (a result, an alarm,
a stop) and the history events that come out are committed together, before any effect outside and before anything is
announced; after a crash every journal is applied again and the execution goes on.

| file | idea |
| --- | --- |
| `_language/` | the language: loading, paths, intrinsics, JSONata, the interpreter; pure |
| `worker.py` | runs executions: commits, alarms, activities, recovery, redrive |
| `_performing.py` | performs tasks: `_integrations.py` by an API call, `_http_tasks.py` by one over HTTP |
| `_children.py` | the child executions of distributed Maps |
| `_evaluator.py` | the process in which JSONata that could grow is evaluated |
| `_notices.py` | status change events |
| `_api/` | the operations: machines, versions and aliases, executions, tasks and activities, tags |
| `_resolve.py` | what an ARN means: a machine, a version, an alias's choice |
| `_logging.py` | histories in CloudWatch Logs |
| `storage.py` | rows |

Not here yet, each refused by name: items read from buckets and results written to them, customer managed keys.
Execution roles are stored, not assumed.
"""

from fogbank.services.states.api import States

__all__ = ["States"]

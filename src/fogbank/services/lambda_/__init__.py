"""Lambda: functions that run for real, in environments of `fogbank.runtime`.

| file | idea |
| --- | --- |
| `api.py`, `_api/` | the operations, one file for each kind of resource |
| `model.py`, `_names.py` | functions, versions, aliases, layers; how functions are named |
| `_rules.py`, `_archive.py`, `_policy.py`, `_layers.py` | what is allowed: settings, packages, policies, layers |
| `_async.py`, `_running.py` | what follows an asynchronous attempt; running it |
| `_targets.py`, `_concurrency.py` | which version serves a request, and whether it may run now |
| `_deployment/`, `_lineage.py` | code signing and runtime updates; recursive loops |
| `_urls.py` | function URLs: requests as events, answers as responses |
| `worker.py`, `_sqs_events.py` | polling queues |
| `_code.py`, `_logs.py`, `_sessions.py` | packages on disk; the log's way to CloudWatch Logs; functions' keys |
| `storage.py`, `migrations/` | the rows |

A synchronous invocation goes api → target (cached) → runtime → answer, without a transaction. An asynchronous one is
an outbox row, attempted by the route `lambda.invoke`. A queue's messages come by its mapping's poller.
"""

from fogbank.services.lambda_.api import Lambda

__all__ = ["Lambda"]

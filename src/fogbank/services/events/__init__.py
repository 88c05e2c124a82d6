"""Amazon EventBridge: buses, rules, targets, schedules of rules, archives, replays, connections, API destinations.

An event comes by `PutEvents`, by a rule's schedule, from another bus or from a replay. The rules of its bus whose
pattern matches (`fogbank.core.patterns`) send it, or what their targets' input settings make of it, to their
targets. That happens in the transaction that accepts the event: when `PutEvents` answers, every delivery is in the
outbox, and `fogbank.delivery` brings it to its target, tries again, or dead-letters it.

| file | idea |
| --- | --- |
| `api.py`, `_api/` | the operations, by what they are about |
| `model.py` | values, the event's envelope, limits |
| `_router.py` | the compiled rules of each bus, and what follows from an event |
| `_targets.py`, `_inputs.py` | a target's settings; what it is sent |
| `_destinations/` | connections and their tokens, API destinations, and the route that calls them |
| `_schedules.py` | when a rule fires by itself |
| `_policies.py`, `_tags.py` | resource policies; tags |
| `worker.py` | the clock's part: schedules, replays, retention |
| `storage.py` | rows |

Not here yet: global endpoints, partner event sources, schema discovery, KMS keys
and log configurations of buses, and targets that are no queue, function, bus, topic, state machine, log group,
stream or API destination. Each of them is refused by name.
"""

from fogbank.services.events.api import Events

__all__ = ["Events"]

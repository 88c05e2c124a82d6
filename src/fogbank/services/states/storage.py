"""The rows of Step Functions: one function for each question. Times are milliseconds."""
# ruff: noqa: S608 - statements are constants, and so are the column lists put into them

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.states._language._map_runs import MapRun
from fogbank.services.states.model import Activity, Alias, Machine, Record, Revision, Version
from fogbank.storage import Tx

_MACHINE = "arn, account, region, name, kind, revision, next_version, tags, created"
_REVISION = "id, machine, name, definition, role, settings, created"
_VERSION = "arn, machine, number, revision, description, created"
_ALIAS = "arn, machine, name, description, routing, created, updated"
_ACTIVITY = "arn, name, tags, created"
_EXECUTION = (
    "id, arn, machine, revision, name, seed, qualified, alias, trace, input, status, started, stopped, output, "
    "error, cause, redrives, redriven, redrive_token, map_run"
)

GET_MACHINE = f"SELECT {_MACHINE} FROM states_machines WHERE arn = $1"
LIST_MACHINES = (
    f"SELECT {_MACHINE} FROM states_machines WHERE account = $1 AND region = $2 AND arn > $3 ORDER BY arn LIMIT $4"
)
PUT_MACHINE = (
    f"INSERT INTO states_machines ({_MACHINE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (arn) DO UPDATE "
    "SET revision = excluded.revision, next_version = excluded.next_version, tags = excluded.tags"
)
DELETE_MACHINE = "DELETE FROM states_machines WHERE arn = $1"
DELETE_VERSIONS = "DELETE FROM states_versions WHERE machine = $1"
DELETE_ALIASES = "DELETE FROM states_aliases WHERE machine = $1"
GET_REVISION = f"SELECT {_REVISION} FROM states_revisions WHERE id = $1"
ADD_REVISION = (
    "INSERT INTO states_revisions (machine, name, definition, role, settings, created) VALUES ($1, $2, $3, $4, $5, $6) "
    "RETURNING id"
)
GET_VERSION = f"SELECT {_VERSION} FROM states_versions WHERE arn = $1"
LIST_VERSIONS = (
    f"SELECT {_VERSION} FROM states_versions WHERE machine = $1 AND number < $2 ORDER BY number DESC LIMIT $3"
)
PUT_VERSION = f"INSERT INTO states_versions ({_VERSION}) VALUES ($1, $2, $3, $4, $5, $6)"
DELETE_VERSION = "DELETE FROM states_versions WHERE arn = $1"
GET_ALIAS = f"SELECT {_ALIAS} FROM states_aliases WHERE arn = $1"
LIST_ALIASES = (
    f"SELECT {_ALIAS} FROM states_aliases WHERE machine = $1 AND name > $2 AND routing LIKE $3 ORDER BY name LIMIT $4"
)
PUT_ALIAS = (
    f"INSERT INTO states_aliases ({_ALIAS}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (arn) DO UPDATE SET "
    "description = excluded.description, routing = excluded.routing, updated = excluded.updated"
)
DELETE_ALIAS = "DELETE FROM states_aliases WHERE arn = $1"
GET_ACTIVITY = f"SELECT {_ACTIVITY} FROM states_activities WHERE arn = $1"
LIST_ACTIVITIES = (
    f"SELECT {_ACTIVITY} FROM states_activities WHERE account = $1 AND region = $2 AND arn > $3 ORDER BY arn LIMIT $4"
)
PUT_ACTIVITY = (
    "INSERT INTO states_activities (arn, account, region, name, tags, created) VALUES ($1, $2, $3, $4, $5, $6) "
    "ON CONFLICT (arn) DO UPDATE SET tags = excluded.tags"
)
DELETE_ACTIVITY = "DELETE FROM states_activities WHERE arn = $1"
ADD_EXECUTION = (
    "INSERT INTO states_executions (arn, machine, revision, name, seed, qualified, alias, trace, input, status, "
    "started, stopped, output, error, cause, map_run) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) "
    "ON CONFLICT (arn) DO NOTHING RETURNING id"
)
GET_EXECUTION = f"SELECT {_EXECUTION} FROM states_executions WHERE arn = $1"
RUNNING = f"SELECT {_EXECUTION} FROM states_executions WHERE status = 'RUNNING' ORDER BY id"
LIST_EXECUTIONS = (
    f"SELECT {_EXECUTION} FROM states_executions WHERE machine = $1 AND id < $2 AND ($3 = '' OR status = $3) "
    "AND ($4 = '' OR qualified = $4 OR alias = $4) AND ($5 = '' OR (redrives > 0) = ($5 = 'REDRIVEN')) "
    "ORDER BY id DESC LIMIT $6"
)
LIST_CHILDREN = (
    f"SELECT {_EXECUTION} FROM states_executions WHERE map_run = $1 AND id < $2 AND ($3 = '' OR status = $3) "
    "AND ($4 = '' OR (redrives > 0) = ($4 = 'REDRIVEN')) ORDER BY id DESC LIMIT $5"
)
REDRIVE_EXECUTION = (
    "UPDATE states_executions SET status = 'RUNNING', stopped = NULL, output = NULL, error = NULL, cause = NULL, "
    "redrives = $2, redriven = $3, redrive_token = $4 WHERE id = $1"
)
GET_MAP_RUN = "SELECT arn, execution, state FROM states_map_runs WHERE arn = $1"
LIST_MAP_RUNS = (
    "SELECT arn, execution, state FROM states_map_runs WHERE execution = $1 "
    "AND (started > $2 OR (started = $2 AND arn > $3)) ORDER BY started, arn LIMIT $4"
)
PUT_MAP_RUN = (
    "INSERT INTO states_map_runs (arn, execution, started, state) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (arn) DO UPDATE SET state = excluded.state"
)
END_EXECUTION = (
    "UPDATE states_executions SET status = $2, stopped = $3, output = $4, error = $5, cause = $6 WHERE id = $1"
)
ADD_JOURNAL = "INSERT INTO states_journal (execution, seq, inputs, events) VALUES ($1, $2, $3, $4)"
GET_INPUTS = "SELECT inputs FROM states_journal WHERE execution = $1 ORDER BY seq"
GET_EVENTS = "SELECT events FROM states_journal WHERE execution = $1 ORDER BY seq"

_encode = msgspec.json.Encoder().encode
_map_run = msgspec.json.Decoder(MapRun).decode
_tags = msgspec.json.Decoder(dict[str, str]).decode
_decode = msgspec.json.decode


def _text(value: object) -> str:
    return _encode(value).decode()


# -- state machines ---------------------------------------------------------------------------------------


def _machine(row: Sequence[Any]) -> Machine:
    arn, account, region, name, kind, revision, version, tags, created = row
    return Machine(arn, Scope(account, region), name, kind, revision, version, _tags(tags), created)


async def get_machine(tx: Tx, arn: str) -> Machine | None:
    """One state machine."""
    row = await tx.fetch_one(GET_MACHINE, arn)
    return None if row is None else _machine(row)


async def list_machines(tx: Tx, scope: Scope, after: str, limit: int) -> list[Machine]:
    """The state machines after an ARN."""
    return [_machine(row) for row in await tx.fetch(LIST_MACHINES, scope.account, scope.region, after, limit)]


async def put_machine(tx: Tx, m: Machine) -> None:
    """Add or change a state machine."""
    row = (m.arn, m.scope.account, m.scope.region, m.name, m.kind, m.revision, m.next_version, _text(m.tags), m.created)
    await tx.execute(PUT_MACHINE, *row)


async def delete_machine(tx: Tx, arn: str) -> None:
    """Remove a state machine with its versions and aliases; executions go on by their revisions."""
    for statement in (DELETE_MACHINE, DELETE_VERSIONS, DELETE_ALIASES):
        await tx.execute(statement, arn)


async def get_revision(tx: Tx, number: int) -> Revision | None:
    """One revision."""
    row = await tx.fetch_one(GET_REVISION, number)
    if row is None:
        return None
    key, machine, name, definition, role, settings, created = row
    return Revision(key, machine, name, definition, role, _decode(settings), created)


async def add_revision(tx: Tx, r: Revision) -> int:
    """Add a revision; its row's number."""
    row = await tx.fetch_one(ADD_REVISION, r.machine, r.name, r.definition, r.role, _text(r.settings), r.created)
    return int(row[0]) if row else 0


# -- versions and aliases -----------------------------------------------------------------------------------


async def get_version(tx: Tx, arn: str) -> Version | None:
    """One version."""
    row = await tx.fetch_one(GET_VERSION, arn)
    return None if row is None else Version(*row)


async def list_versions(tx: Tx, machine: str, before: int, limit: int) -> list[Version]:
    """The versions below a number, newest first."""
    return [Version(*row) for row in await tx.fetch(LIST_VERSIONS, machine, before, limit)]


async def put_version(tx: Tx, v: Version) -> None:
    """Add a version."""
    await tx.execute(PUT_VERSION, v.arn, v.machine, v.number, v.revision, v.description, v.created)


async def delete_version(tx: Tx, arn: str) -> None:
    """Remove a version."""
    await tx.execute(DELETE_VERSION, arn)


def _alias(row: Sequence[Any]) -> Alias:
    arn, machine, name, description, routing, created, updated = row
    return Alias(arn, machine, name, description, _decode(routing), created, updated)


async def get_alias(tx: Tx, arn: str) -> Alias | None:
    """One alias."""
    row = await tx.fetch_one(GET_ALIAS, arn)
    return None if row is None else _alias(row)


async def list_aliases(tx: Tx, machine: str, version: str, after: str, limit: int) -> list[Alias]:
    """A state machine's aliases after a name: all, or those that lead to a version's ARN."""
    route = f'%"{version}"%' if version else "%"
    return [_alias(row) for row in await tx.fetch(LIST_ALIASES, machine, after, route, limit)]


async def put_alias(tx: Tx, a: Alias) -> None:
    """Add or change an alias."""
    await tx.execute(PUT_ALIAS, a.arn, a.machine, a.name, a.description, _text(a.routing), a.created, a.updated)


async def delete_alias(tx: Tx, arn: str) -> None:
    """Remove an alias."""
    await tx.execute(DELETE_ALIAS, arn)


# -- activities -------------------------------------------------------------------------------------------


async def get_activity(tx: Tx, arn: str) -> Activity | None:
    """One activity."""
    row = await tx.fetch_one(GET_ACTIVITY, arn)
    return None if row is None else Activity(row[0], row[1], _tags(row[2]), row[3])


async def list_activities(tx: Tx, scope: Scope, after: str, limit: int) -> list[Activity]:
    """The activities after an ARN."""
    rows = await tx.fetch(LIST_ACTIVITIES, scope.account, scope.region, after, limit)
    return [Activity(row[0], row[1], _tags(row[2]), row[3]) for row in rows]


async def put_activity(tx: Tx, scope: Scope, a: Activity) -> None:
    """Add or change an activity."""
    await tx.execute(PUT_ACTIVITY, a.arn, scope.account, scope.region, a.name, _text(a.tags), a.created)


async def delete_activity(tx: Tx, arn: str) -> None:
    """Remove an activity."""
    await tx.execute(DELETE_ACTIVITY, arn)


# -- executions -------------------------------------------------------------------------------------------


async def add_execution(tx: Tx, r: Record) -> int | None:
    """Add an execution; its row's number, or `None` if one with its ARN is there."""
    row = await tx.fetch_one(
        ADD_EXECUTION,
        *(r.arn, r.machine, r.revision, r.name, r.seed, r.qualified, r.alias, r.trace, r.input, r.status, r.started),
        *(r.stopped, r.output, r.error, r.cause, r.map_run),
    )
    return None if row is None else int(row[0])


async def get_execution(tx: Tx, arn: str) -> Record | None:
    """One execution."""
    row = await tx.fetch_one(GET_EXECUTION, arn)
    return None if row is None else Record(*row)


async def running(tx: Tx) -> list[Record]:
    """Every execution that has not ended."""
    return [Record(*row) for row in await tx.fetch(RUNNING)]


async def list_executions(
    tx: Tx, machine: str, *, before: int, status: str, qualified: str, redrive: str, limit: int
) -> list[Record]:
    """A state machine's executions below a row number, newest first."""
    found = await tx.fetch(LIST_EXECUTIONS, machine, before, status, qualified, redrive, limit)
    return [Record(*row) for row in found]


async def list_children(tx: Tx, map_run: str, *, before: int, status: str, redrive: str, limit: int) -> list[Record]:
    """A map run's child executions below a row number, newest first."""
    return [Record(*row) for row in await tx.fetch(LIST_CHILDREN, map_run, before, status, redrive, limit)]


async def redrive_execution(tx: Tx, r: Record) -> None:
    """An execution that had ended runs again."""
    await tx.execute(REDRIVE_EXECUTION, r.id, r.redrives, r.redriven, r.redrive_token)


# -- map runs ---------------------------------------------------------------------------------------------


async def put_map_run(tx: Tx, execution: str, run: MapRun) -> None:
    """Add or change a map run of an execution."""
    await tx.execute(PUT_MAP_RUN, run.arn, execution, run.started, _text(run))


async def get_map_run(tx: Tx, arn: str) -> tuple[str, MapRun] | None:
    """A map run, after the ARN of its execution."""
    row = await tx.fetch_one(GET_MAP_RUN, arn)
    return None if row is None else (row[1], _map_run(row[2]))


async def list_map_runs(tx: Tx, execution: str, after: tuple[int, str], limit: int) -> list[MapRun]:
    """An execution's map runs after a moment and an ARN."""
    return [_map_run(row[2]) for row in await tx.fetch(LIST_MAP_RUNS, execution, *after, limit)]


async def end_execution(tx: Tx, r: Record) -> None:
    """An execution has ended."""
    await tx.execute(END_EXECUTION, r.id, r.status, r.stopped, r.output, r.error, r.cause)


async def add_journal(tx: Tx, execution: int, seq: int, inputs: bytes, events: bytes) -> None:
    """Append to a journal."""
    await tx.execute(ADD_JOURNAL, execution, seq, inputs, events)


async def inputs_of(tx: Tx, execution: int) -> list[bytes]:
    """All that went into an execution, in order: JSON arrays of inputs."""
    return [row[0] for row in await tx.fetch(GET_INPUTS, execution)]


async def events_of(tx: Tx, execution: int) -> list[bytes]:
    """All events of an execution, in order: JSON arrays of events."""
    return [row[0] for row in await tx.fetch(GET_EVENTS, execution)]

-- State machines, their revisions, versions and aliases; executions and their journals. Moments are milliseconds.

CREATE TABLE states_machines (
    arn TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    revision BIGINT NOT NULL,
    next_version BIGINT NOT NULL,
    tags TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX states_machines_scope ON states_machines (account, region, arn);

-- What an execution runs by: it stays while the state machine is changed.
CREATE TABLE states_revisions (
    id BIGSERIAL PRIMARY KEY,
    machine TEXT NOT NULL,
    name TEXT,
    definition TEXT NOT NULL,
    role TEXT NOT NULL,
    settings TEXT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE states_versions (
    arn TEXT PRIMARY KEY,
    machine TEXT NOT NULL,
    number BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    description TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX states_versions_machine ON states_versions (machine, number);

CREATE TABLE states_aliases (
    arn TEXT PRIMARY KEY,
    machine TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    routing TEXT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);
CREATE INDEX states_aliases_machine ON states_aliases (machine, name);

CREATE TABLE states_activities (
    arn TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX states_activities_scope ON states_activities (account, region, arn);

CREATE TABLE states_executions (
    id BIGSERIAL PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    machine TEXT NOT NULL,
    revision BIGINT NOT NULL,
    name TEXT NOT NULL,
    seed TEXT NOT NULL,
    qualified TEXT,
    alias TEXT,
    trace TEXT,
    input TEXT NOT NULL,
    status TEXT NOT NULL,
    started BIGINT NOT NULL,
    stopped BIGINT,
    output TEXT,
    error TEXT,
    cause TEXT
);
CREATE INDEX states_executions_machine ON states_executions (machine, id);
CREATE INDEX states_executions_running ON states_executions (status, id) WHERE status = 'RUNNING';

-- What went into an execution's interpreter and what came out of it, one row for each commit.
CREATE TABLE states_journal (
    execution BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    inputs BYTEA NOT NULL,
    events BYTEA NOT NULL,
    PRIMARY KEY (execution, seq)
);

CREATE TABLE events_buses (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    policy TEXT,
    dead_letter TEXT,
    tags TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE events_rules (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    bus TEXT NOT NULL,
    name TEXT NOT NULL,
    pattern TEXT,
    schedule TEXT,
    state TEXT NOT NULL,
    description TEXT,
    role_arn TEXT,
    managed_by TEXT,
    created_by TEXT NOT NULL,
    tags TEXT NOT NULL,
    anchor BIGINT NOT NULL,
    next_fire BIGINT
);

CREATE UNIQUE INDEX events_rules_name ON events_rules (account, region, bus, name);

CREATE INDEX events_rules_next_fire ON events_rules (next_fire) WHERE next_fire IS NOT NULL;

CREATE TABLE events_targets (
    rule BIGINT NOT NULL,
    id TEXT NOT NULL,
    arn TEXT NOT NULL,
    settings TEXT NOT NULL,
    PRIMARY KEY (rule, id)
);

CREATE INDEX events_targets_arn ON events_targets (arn);

CREATE TABLE events_archives (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    bus TEXT NOT NULL,
    rule BIGINT NOT NULL,
    description TEXT,
    pattern TEXT,
    retention_days BIGINT NOT NULL,
    created BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE UNIQUE INDEX events_archives_rule ON events_archives (rule);

CREATE TABLE events_archived (
    id BIGSERIAL PRIMARY KEY,
    rule BIGINT NOT NULL,
    time BIGINT NOT NULL,
    expires BIGINT,
    event BYTEA NOT NULL
);

CREATE INDEX events_archived_time ON events_archived (rule, time, id);

CREATE INDEX events_archived_expires ON events_archived (expires) WHERE expires IS NOT NULL;

CREATE TABLE events_replays (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    archive TEXT NOT NULL,
    rule BIGINT NOT NULL,
    bus TEXT NOT NULL,
    filters TEXT NOT NULL,
    state TEXT NOT NULL,
    starts BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    cursor_time BIGINT NOT NULL,
    cursor_id BIGINT NOT NULL,
    last_replayed BIGINT,
    started BIGINT NOT NULL,
    finished BIGINT,
    PRIMARY KEY (account, region, name)
);

CREATE INDEX events_replays_state ON events_replays (state);

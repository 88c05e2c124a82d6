-- A stack's document holds all of it; the columns beside it are what is asked for.
CREATE TABLE cloudformation_stacks (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    live BIGINT NOT NULL,
    created BIGINT NOT NULL,
    document BYTEA NOT NULL
);
CREATE UNIQUE INDEX cloudformation_stacks_live ON cloudformation_stacks (account, region, name) WHERE live = 1;
CREATE INDEX cloudformation_stacks_created ON cloudformation_stacks (account, region, created);

CREATE TABLE cloudformation_resources (
    stack_id TEXT NOT NULL,
    logical_id TEXT NOT NULL,
    physical_id TEXT NOT NULL,
    document BYTEA NOT NULL,
    PRIMARY KEY (stack_id, logical_id)
);
CREATE INDEX cloudformation_resources_physical ON cloudformation_resources (physical_id);

-- One operation at a time; the row is gone when it has ended.
CREATE TABLE cloudformation_operations (
    stack_id TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    document BYTEA NOT NULL
);

CREATE TABLE cloudformation_events (
    id BIGSERIAL PRIMARY KEY,
    stack_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    time BIGINT NOT NULL,
    document BYTEA NOT NULL
);
CREATE INDEX cloudformation_events_stack ON cloudformation_events (stack_id, id);

CREATE TABLE cloudformation_change_sets (
    id TEXT PRIMARY KEY,
    stack_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    document BYTEA NOT NULL
);
CREATE UNIQUE INDEX cloudformation_change_sets_name ON cloudformation_change_sets (stack_id, name);

CREATE TABLE cloudformation_exports (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    stack_id TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX cloudformation_exports_stack ON cloudformation_exports (stack_id);

CREATE TABLE cloudformation_imports (
    stack_id TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (stack_id, name)
);
CREATE INDEX cloudformation_imports_name ON cloudformation_imports (account, region, name);

CREATE TABLE scheduler_groups (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE scheduler_schedules (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    group_name TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    anchor BIGINT NOT NULL,
    moment BIGINT,
    due BIGINT
);

CREATE UNIQUE INDEX scheduler_schedules_name ON scheduler_schedules (account, region, group_name, name);

CREATE INDEX scheduler_schedules_due ON scheduler_schedules (due) WHERE due IS NOT NULL;

CREATE TABLE scheduler_tokens (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    token TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    reply TEXT NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (account, region, token)
);

CREATE INDEX scheduler_tokens_expires ON scheduler_tokens (expires);

-- Queues, their messages, and what FIFO queues remember. All moments are milliseconds since the epoch.

CREATE TABLE sqs_queues (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    backlog BIGINT NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    dead_letter_arn TEXT,
    fifo BIGINT NOT NULL,
    retention BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    purged_at BIGINT,
    UNIQUE (account, region, name)
);
CREATE INDEX sqs_queues_dead_letter ON sqs_queues (dead_letter_arn, account, region, name)
    WHERE dead_letter_arn IS NOT NULL;
CREATE INDEX sqs_queues_retention ON sqs_queues (retention);
CREATE INDEX sqs_queues_fifo ON sqs_queues (id) WHERE fifo = 1;

-- Which messages are a queue's: a purge gives it a new backlog, and drops the old one to be swept.
CREATE TABLE sqs_backlogs (
    id BIGSERIAL PRIMARY KEY,
    dropped_at BIGINT
);
CREATE INDEX sqs_backlogs_dropped ON sqs_backlogs (id) WHERE dropped_at IS NOT NULL;

CREATE TABLE sqs_messages (
    sequence BIGSERIAL PRIMARY KEY,
    backlog BIGINT NOT NULL,
    visible_at BIGINT NOT NULL,
    receives BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    received_at BIGINT,
    first_received_at BIGINT,
    message_id TEXT NOT NULL,
    body_md5 TEXT NOT NULL,
    sender TEXT,
    trace TEXT,
    tenant TEXT,
    fifo_group TEXT,
    deduplication TEXT,
    source TEXT,
    attributes BYTEA,
    body TEXT NOT NULL
);
-- Covers finding what is due and counting; receives and sent_at are there for the counting.
CREATE INDEX sqs_messages_due ON sqs_messages (backlog, visible_at, sequence, receives, sent_at);
CREATE INDEX sqs_messages_group ON sqs_messages (backlog, fifo_group, sequence) WHERE fifo_group IS NOT NULL;

-- The groups of FIFO queues that have messages, and when each can next be received from.
CREATE TABLE sqs_groups (
    backlog BIGINT NOT NULL,
    name TEXT NOT NULL,
    open_at BIGINT NOT NULL,
    PRIMARY KEY (backlog, name)
);
CREATE INDEX sqs_groups_open ON sqs_groups (backlog, open_at, name);

CREATE TABLE sqs_deduplications (
    backlog BIGINT NOT NULL,
    key TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (backlog, key)
);
CREATE INDEX sqs_deduplications_expiry ON sqs_deduplications (expires_at);

-- What a ReceiveMessage with a ReceiveRequestAttemptId returned, so that it can be repeated.
CREATE TABLE sqs_receive_attempts (
    backlog BIGINT NOT NULL,
    attempt TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    visible_at BIGINT NOT NULL,
    sequences TEXT NOT NULL,
    PRIMARY KEY (backlog, attempt)
);
CREATE INDEX sqs_receive_attempts_expiry ON sqs_receive_attempts (expires_at);

CREATE TABLE sqs_move_tasks (
    id BIGSERIAL PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    source_arn TEXT NOT NULL,
    destination_arn TEXT,
    rate BIGINT,
    status TEXT NOT NULL,
    moved BIGINT NOT NULL,
    to_move BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    failure TEXT,
    started_at BIGINT NOT NULL
);
CREATE INDEX sqs_move_tasks_source ON sqs_move_tasks (source_arn, id);
CREATE INDEX sqs_move_tasks_active ON sqs_move_tasks (next_at) WHERE status IN ('RUNNING', 'CANCELLING');

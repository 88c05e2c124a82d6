CREATE TABLE logs_groups (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    class TEXT NOT NULL,
    retention_days BIGINT,
    deletion_protected BOOLEAN NOT NULL,
    metric_filters BIGINT NOT NULL DEFAULT 0,
    subscriptions BIGINT NOT NULL DEFAULT 0,
    tags TEXT NOT NULL
);
CREATE UNIQUE INDEX logs_groups_by_name ON logs_groups (account, region, name);
CREATE INDEX logs_groups_expiring ON logs_groups (id, retention_days) WHERE retention_days IS NOT NULL;

CREATE TABLE logs_streams (
    id BIGSERIAL PRIMARY KEY,
    group_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- milliseconds; 0 where the stream has never had an event
    first_event BIGINT NOT NULL DEFAULT 0,
    last_event BIGINT NOT NULL DEFAULT 0,
    last_ingestion BIGINT NOT NULL DEFAULT 0,
    stored_bytes BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX logs_streams_by_name ON logs_streams (group_id, name);
CREATE INDEX logs_streams_by_time ON logs_streams (group_id, last_event, name);

CREATE TABLE logs_events (
    id BIGSERIAL PRIMARY KEY,
    group_id BIGINT NOT NULL,
    stream_id BIGINT NOT NULL,
    timestamp BIGINT NOT NULL,
    ingested_at BIGINT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX logs_events_by_stream ON logs_events (stream_id, timestamp, id);
CREATE INDEX logs_events_by_group ON logs_events (group_id, timestamp, id);

-- Streams that were deleted and whose events the sweeper still has to remove.
CREATE TABLE logs_deleted_streams (
    stream_id BIGINT PRIMARY KEY
);

CREATE TABLE logs_metric_filters (
    group_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    pattern TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    transformation TEXT NOT NULL,
    metric_namespace TEXT NOT NULL,
    metric_name TEXT NOT NULL,
    PRIMARY KEY (group_id, name)
);

CREATE TABLE logs_subscriptions (
    group_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    pattern TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    destination TEXT NOT NULL,
    PRIMARY KEY (group_id, name)
);

CREATE TABLE logs_resource_policies (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

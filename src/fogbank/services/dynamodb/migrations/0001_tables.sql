-- Tables; the definition is JSON (model.Definition).
CREATE TABLE dynamodb_tables (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    definition BYTEA NOT NULL
);
CREATE UNIQUE INDEX dynamodb_tables_by_name ON dynamodb_tables (account, region, name);

-- Items. The keys are bytes that sort as the key values do (_values/keys.py); the item is JSON in the API's form;
-- size is DynamoDB's measure in bytes; expires is the TTL attribute's value (seconds), where TTL is on.
CREATE TABLE dynamodb_items (
    table_id BIGINT NOT NULL,
    partition_key BYTEA NOT NULL,
    sort_key BYTEA NOT NULL,
    item BYTEA NOT NULL,
    size BIGINT NOT NULL,
    expires BIGINT,
    PRIMARY KEY (table_id, partition_key, sort_key)
);
CREATE INDEX dynamodb_items_by_expiry ON dynamodb_items (expires) WHERE expires IS NOT NULL;

-- What secondary indexes have of the items: one row for each item that has the index's keys.
CREATE TABLE dynamodb_index_items (
    table_id BIGINT NOT NULL,
    index_number BIGINT NOT NULL,
    partition_key BYTEA NOT NULL,
    sort_key BYTEA NOT NULL,
    item_partition BYTEA NOT NULL,
    item_sort BYTEA NOT NULL,
    item BYTEA NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (table_id, index_number, partition_key, sort_key, item_partition, item_sort)
);

-- What the worker has still to do: fill a new index, note expiry times, purge what was deleted. The cursor is the
-- last item that was done.
CREATE TABLE dynamodb_chores (
    id BIGSERIAL PRIMARY KEY,
    kind TEXT NOT NULL,
    table_id BIGINT NOT NULL,
    index_number BIGINT NOT NULL,
    cursor_partition BYTEA NOT NULL,
    cursor_sort BYTEA NOT NULL
);

-- ClientRequestToken of TransactWriteItems, remembered for ten minutes (expires is in milliseconds).
CREATE TABLE dynamodb_tokens (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    token TEXT NOT NULL,
    digest BYTEA NOT NULL,
    reply BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (account, region, token)
);
CREATE INDEX dynamodb_tokens_by_expiry ON dynamodb_tokens (expires);

-- Changes of tables with a stream. The number orders all changes; a shard of a stream is one table's.
CREATE TABLE dynamodb_stream_records (
    number BIGSERIAL PRIMARY KEY,
    table_id BIGINT NOT NULL,
    stream TEXT NOT NULL,
    at BIGINT NOT NULL,
    record BYTEA NOT NULL
);
CREATE INDEX dynamodb_stream_records_by_stream ON dynamodb_stream_records (table_id, stream, number);
CREATE INDEX dynamodb_stream_records_by_time ON dynamodb_stream_records (at);

-- Streams outlive their tables by 24 hours.
CREATE TABLE dynamodb_streams (
    table_id BIGINT NOT NULL,
    label TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    table_name TEXT NOT NULL,
    view_type TEXT NOT NULL,
    key_schema BYTEA NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    disabled DOUBLE PRECISION,
    PRIMARY KEY (table_id, label)
);
CREATE INDEX dynamodb_streams_by_scope ON dynamodb_streams (account, region, table_name, label);

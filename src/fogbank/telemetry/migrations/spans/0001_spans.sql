-- Spans as they came; `seq` grows with their arrival, so the oldest go first without an index of their own.
CREATE TABLE telemetry_spans (
    seq BIGSERIAL PRIMARY KEY,
    trace TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    service TEXT NOT NULL,
    operation TEXT NOT NULL,
    resource TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    started DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION NOT NULL,
    status BIGINT NOT NULL,
    error TEXT NOT NULL,
    attributes BYTEA,
    links BYTEA
);
CREATE INDEX telemetry_spans_by_trace ON telemetry_spans (trace);

-- One row a trace: what a list of traces shows and is filtered by. `named` is when the span began that `name` is of.
CREATE TABLE telemetry_traces (
    trace TEXT PRIMARY KEY,
    started DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION NOT NULL,
    spans BIGINT NOT NULL,
    status BIGINT NOT NULL,
    named DOUBLE PRECISION NOT NULL,
    name TEXT NOT NULL
);
CREATE INDEX telemetry_traces_by_start ON telemetry_traces (started, status, ended);
CREATE INDEX telemetry_traces_failed ON telemetry_traces (started) WHERE status > 0;

-- Which resources a trace touched (`lambda/orders`), and which ids it is known by (`=id`). A trace that is written in
-- pieces may have a key twice.
CREATE TABLE telemetry_keys (
    seq BIGSERIAL PRIMARY KEY,
    key TEXT NOT NULL,
    started DOUBLE PRECISION NOT NULL,
    trace TEXT NOT NULL
);
CREATE INDEX telemetry_keys_by_key ON telemetry_keys (key, started, trace);

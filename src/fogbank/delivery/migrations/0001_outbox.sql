CREATE TABLE outbox (
    id BIGSERIAL PRIMARY KEY,
    route TEXT NOT NULL,
    target TEXT NOT NULL,
    payload BYTEA NOT NULL,
    envelope BYTEA NOT NULL,
    attempts BIGINT NOT NULL,
    enqueued BIGINT NOT NULL,
    due BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    error TEXT
);

CREATE INDEX outbox_due ON outbox (route, due);

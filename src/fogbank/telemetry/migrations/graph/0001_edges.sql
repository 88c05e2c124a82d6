-- What one part of the system asked of another, by the minute. `run` tells the runs of the server apart that share one.
CREATE TABLE telemetry_edges (
    minute BIGINT NOT NULL,
    run TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    calls BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    throttles BIGINT NOT NULL,
    faults BIGINT NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    histogram BYTEA NOT NULL,
    PRIMARY KEY (minute, run, source, target)
);

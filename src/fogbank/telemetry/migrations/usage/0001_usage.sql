-- What was used, in the units that AWS bills: totals by the minute, and what each trace used.

CREATE TABLE usage_totals (
    minute BIGINT NOT NULL,          -- minutes since the epoch; 0 holds what is older than the rest
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    unit TEXT NOT NULL,
    resource TEXT NOT NULL,
    quantity DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (minute, account, region, unit, resource)
);

CREATE TABLE usage_traces (
    root TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    unit TEXT NOT NULL,
    resource TEXT NOT NULL,
    quantity DOUBLE PRECISION NOT NULL,
    began BIGINT NOT NULL,           -- milliseconds since the epoch
    seq BIGINT NOT NULL,             -- the order in which a trace first used things
    PRIMARY KEY (root, account, region, unit, resource)
);

CREATE INDEX usage_traces_by_time ON usage_traces (began);

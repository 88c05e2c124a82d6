-- How code may be deployed: code signing configurations, the functions that have one, and how runtimes are updated.
-- Moments are milliseconds since the epoch; number 0 is $LATEST.

CREATE TABLE lambda_signing (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    config TEXT NOT NULL,
    tags TEXT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, region, id)
);

CREATE TABLE lambda_signed (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX lambda_signed_by ON lambda_signed (account, region, id, name);

CREATE TABLE lambda_runtime_updates (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    mode TEXT NOT NULL,
    arn TEXT NOT NULL,
    PRIMARY KEY (account, region, name, number)
);

-- Provisioned concurrency that is asked for, of a version or an alias. How far it has come is not kept: after a restart
-- the environments are started again.

CREATE TABLE lambda_provisioned (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    requested BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, region, name, qualifier)
);

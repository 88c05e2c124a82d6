-- Functions, versions, aliases, policies, asynchronous settings, mappings and layers.
-- All moments are milliseconds since the epoch; settings are JSON in the API's shapes.

CREATE TABLE lambda_functions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    reserved BIGINT,
    tags TEXT NOT NULL,
    recursion TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);

-- number 0 is $LATEST
CREATE TABLE lambda_versions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    config TEXT NOT NULL,
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    revision TEXT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, region, name, number)
);

CREATE TABLE lambda_aliases (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    version TEXT NOT NULL,
    description TEXT NOT NULL,
    weights TEXT NOT NULL,
    revision TEXT NOT NULL,
    PRIMARY KEY (account, region, name, alias)
);

-- qualifier is empty for the function itself
CREATE TABLE lambda_policies (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    statements TEXT NOT NULL,
    revision TEXT NOT NULL,
    PRIMARY KEY (account, region, name, qualifier)
);

CREATE TABLE lambda_async_settings (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    settings TEXT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, region, name, qualifier)
);

CREATE TABLE lambda_mappings (
    uuid TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    source TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    settings TEXT NOT NULL,
    tags TEXT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE INDEX lambda_mappings_by_scope ON lambda_mappings (account, region, uuid);
CREATE UNIQUE INDEX lambda_mappings_once ON lambda_mappings (account, region, source, name, qualifier);

CREATE TABLE lambda_layers (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    config TEXT NOT NULL,
    created BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    statements TEXT NOT NULL,
    revision TEXT NOT NULL,
    PRIMARY KEY (account, region, name, number)
);

CREATE TABLE logs_query_definitions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- JSON: the other members of the request
    settings TEXT NOT NULL,
    modified BIGINT NOT NULL,
    token TEXT,
    PRIMARY KEY (account, region, id)
);
CREATE INDEX logs_query_definitions_by_name ON logs_query_definitions (account, region, name, id);
CREATE INDEX logs_query_definitions_by_token ON logs_query_definitions (account, region, token) WHERE token IS NOT NULL;

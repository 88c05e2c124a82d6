-- Function URLs. qualifier is an alias, or empty for the function itself.

CREATE TABLE lambda_urls (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    auth TEXT NOT NULL,
    mode TEXT NOT NULL,
    cors TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE UNIQUE INDEX lambda_urls_of ON lambda_urls (account, region, name, qualifier);

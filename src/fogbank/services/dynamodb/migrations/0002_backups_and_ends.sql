-- On-demand backups: the definition as it was, and the items in dynamodb_items under the negative of the id.
CREATE TABLE dynamodb_backups (
    id BIGSERIAL PRIMARY KEY,
    arn TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    table_name TEXT NOT NULL,
    name TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    items BIGINT NOT NULL,
    size BIGINT NOT NULL,
    definition BYTEA NOT NULL
);
CREATE UNIQUE INDEX dynamodb_backups_by_arn ON dynamodb_backups (arn);
CREATE INDEX dynamodb_backups_by_scope ON dynamodb_backups (account, region, created, id);

-- Streams that have ended, by when: they are forgotten a day later.
CREATE INDEX dynamodb_streams_by_end ON dynamodb_streams (disabled) WHERE disabled IS NOT NULL;

-- Secrets and their versions. All moments are milliseconds since the epoch.

CREATE TABLE secretsmanager_secrets (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    arn TEXT NOT NULL,
    description TEXT,
    kms_key TEXT,
    tags TEXT NOT NULL,
    policy TEXT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    accessed_on BIGINT,
    deleted_at BIGINT,
    purged_at BIGINT,
    rotating BIGINT NOT NULL,
    rotation_function TEXT NOT NULL,
    rotation_rules TEXT NOT NULL,
    rotated_at BIGINT,
    rotation_due BIGINT,
    UNIQUE (account, region, name)
);
CREATE INDEX secretsmanager_secrets_purged ON secretsmanager_secrets (purged_at) WHERE purged_at IS NOT NULL;
CREATE INDEX secretsmanager_secrets_due ON secretsmanager_secrets (rotation_due) WHERE rotation_due IS NOT NULL;

CREATE TABLE secretsmanager_versions (
    secret BIGINT NOT NULL,
    version TEXT NOT NULL,
    stages TEXT NOT NULL,
    -- encrypted; a rotation begins with a version that has no value yet
    value BYTEA,
    is_binary BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    accessed_on BIGINT,
    PRIMARY KEY (secret, version)
);

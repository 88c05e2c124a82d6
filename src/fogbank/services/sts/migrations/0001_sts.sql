CREATE TABLE sts_sessions (
    access_key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    secret TEXT NOT NULL,
    token TEXT NOT NULL,
    arn TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- what the session was asked for with: tags, policies, source identity (JSON)
    details TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sts_sessions_by_expiry ON sts_sessions (expires_at);

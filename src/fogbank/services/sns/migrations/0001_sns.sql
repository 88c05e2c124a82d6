-- Topics, their subscriptions, and what FIFO topics remember. All moments are milliseconds since the epoch.

CREATE TABLE sns_topics (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    -- subscriptions that are gone, and messages that were numbered
    deleted BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    UNIQUE (account, region, name)
);

CREATE TABLE sns_subscriptions (
    arn TEXT PRIMARY KEY,
    topic BIGINT NOT NULL,
    topic_arn TEXT NOT NULL,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    attributes TEXT NOT NULL,
    principal TEXT NOT NULL,
    -- 0 confirmed, 1 pending, 2 ended
    state BIGINT NOT NULL,
    authenticated BIGINT NOT NULL,
    token TEXT NOT NULL,
    expires_at BIGINT,
    guarded BIGINT NOT NULL
);
CREATE INDEX sns_subscriptions_topic ON sns_subscriptions (topic, arn);
CREATE INDEX sns_subscriptions_endpoint ON sns_subscriptions (topic, protocol, endpoint);
CREATE INDEX sns_subscriptions_owner ON sns_subscriptions (account, region, arn);
CREATE INDEX sns_subscriptions_token ON sns_subscriptions (token);
CREATE INDEX sns_subscriptions_expiry ON sns_subscriptions (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE sns_deduplications (
    topic BIGINT NOT NULL,
    key TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (topic, key)
);
CREATE INDEX sns_deduplications_expiry ON sns_deduplications (expires_at);

-- The key that messages are signed with, and its certificate.
CREATE TABLE sns_signing (
    id BIGINT PRIMARY KEY,
    private_key BYTEA NOT NULL,
    certificate BYTEA NOT NULL
);

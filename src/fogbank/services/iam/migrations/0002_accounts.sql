-- What an account has once: its alias and its password policy (JSON).
CREATE TABLE iam_accounts (
    account TEXT PRIMARY KEY,
    alias TEXT,
    password_policy TEXT
);
CREATE UNIQUE INDEX iam_accounts_by_alias ON iam_accounts (alias);

-- Users who have a password.
CREATE TABLE iam_login_profiles (
    account TEXT NOT NULL,
    user_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    must_reset BOOLEAN NOT NULL,
    PRIMARY KEY (account, user_key)
);

-- Identity providers, OpenID Connect's and SAML's; details and tags are JSON.
CREATE TABLE iam_providers (
    arn TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    details TEXT NOT NULL,
    tags TEXT NOT NULL
);
CREATE INDEX iam_providers_by_account ON iam_providers (account, kind, arn);

-- Roles, users, groups and instance profiles. Names are unique without regard to case.
CREATE TABLE iam_entities (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    path TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    description TEXT,
    trust_policy TEXT,
    max_session BIGINT NOT NULL,
    boundary TEXT,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, kind, name_key)
);

CREATE TABLE iam_inline_policies (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, kind, owner, name)
);

CREATE TABLE iam_policies (
    account TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name TEXT NOT NULL,
    arn TEXT NOT NULL,
    id TEXT NOT NULL,
    path TEXT NOT NULL,
    description TEXT,
    default_version BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, name_key)
);
CREATE UNIQUE INDEX iam_policies_by_arn ON iam_policies (arn);

CREATE TABLE iam_policy_versions (
    arn TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (arn, version)
);

CREATE TABLE iam_attachments (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (account, kind, owner, policy_arn)
);
CREATE INDEX iam_attachments_by_policy ON iam_attachments (policy_arn, account);
CREATE INDEX iam_entities_by_boundary ON iam_entities (boundary);

-- Users in groups, and the role of an instance profile.
CREATE TABLE iam_members (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (account, kind, owner, member)
);
CREATE INDEX iam_members_by_member ON iam_members (account, kind, member);

CREATE TABLE iam_access_keys (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    user_name TEXT NOT NULL,
    secret TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX iam_access_keys_by_user ON iam_access_keys (account, user_name);

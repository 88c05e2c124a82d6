-- Deletions of service-linked roles: done as soon as they are asked for, and told of by these ids.
CREATE TABLE iam_deletions (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL
);

CREATE TABLE s3_buckets (
    id BIGSERIAL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created BIGINT NOT NULL,
    versioning TEXT NOT NULL,
    notifies BIGINT NOT NULL
);

CREATE INDEX s3_buckets_account ON s3_buckets (account, name);

-- What is configured of a bucket: one row for each kind (policy, tagging, cors, …).
CREATE TABLE s3_settings (
    bucket BIGINT NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, kind)
);

CREATE TABLE s3_versions (
    seq BIGSERIAL PRIMARY KEY,
    bucket BIGINT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    latest BIGINT NOT NULL,
    marker BIGINT NOT NULL,
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,
    modified BIGINT NOT NULL,
    details BYTEA NOT NULL
);

CREATE UNIQUE INDEX s3_versions_id ON s3_versions (bucket, key, version);

CREATE INDEX s3_versions_order ON s3_versions (bucket, key, seq DESC);

CREATE UNIQUE INDEX s3_versions_latest ON s3_versions (bucket, key) WHERE latest = 1;

-- The bytes of a version or part: here where they are few, else in the file of this name.
CREATE TABLE s3_pieces (
    name TEXT PRIMARY KEY,
    data BYTEA
);

CREATE TABLE s3_uploads (
    id TEXT PRIMARY KEY,
    bucket BIGINT NOT NULL,
    key TEXT NOT NULL,
    initiated BIGINT NOT NULL,
    details BYTEA NOT NULL
);

CREATE INDEX s3_uploads_key ON s3_uploads (bucket, key, id);

CREATE TABLE s3_parts (
    upload TEXT NOT NULL,
    number BIGINT NOT NULL,
    piece TEXT NOT NULL,
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,
    modified BIGINT NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (upload, number)
);

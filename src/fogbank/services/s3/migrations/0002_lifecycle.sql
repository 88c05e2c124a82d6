-- Whether a bucket has lifecycle rules: then writes and reads tell when an object expires.

ALTER TABLE s3_buckets ADD COLUMN lifecycle BIGINT NOT NULL DEFAULT 0;

CREATE INDEX s3_buckets_lifecycle ON s3_buckets (id) WHERE lifecycle = 1;

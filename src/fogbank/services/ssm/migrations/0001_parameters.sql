CREATE TABLE ssm_parameters (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    latest BIGINT NOT NULL,
    tags TEXT NOT NULL
);
CREATE UNIQUE INDEX ssm_parameters_by_name ON ssm_parameters (account, region, name);

CREATE TABLE ssm_versions (
    parameter_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    -- what is shown of a SecureString where decryption is not asked for
    sealed TEXT,
    key_id TEXT,
    description TEXT,
    allowed_pattern TEXT,
    tier TEXT NOT NULL,
    data_type TEXT NOT NULL,
    labels TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    modified_by TEXT NOT NULL,
    PRIMARY KEY (parameter_id, version)
);

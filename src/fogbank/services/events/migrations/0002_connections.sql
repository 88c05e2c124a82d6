-- Connections, which hold credentials, and the API destinations that use them. Moments are milliseconds.

CREATE TABLE events_connections (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    description TEXT,
    kind TEXT NOT NULL,
    auth TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    authorized BIGINT,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX events_connections_authorizing ON events_connections (state) WHERE state = 'AUTHORIZING';

CREATE TABLE events_destinations (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    description TEXT,
    connection TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    method TEXT NOT NULL,
    rate BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE cloudwatch_metrics (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    -- JSON: [[name, value], ...] by name
    dimensions TEXT NOT NULL,
    -- milliseconds: when data last came in, to five minutes
    updated BIGINT NOT NULL
);
CREATE UNIQUE INDEX cloudwatch_metrics_by_name ON cloudwatch_metrics (account, region, namespace, name, dimensions);

CREATE TABLE cloudwatch_points (
    metric BIGINT NOT NULL,
    -- seconds, the beginning of the period
    moment BIGINT NOT NULL,
    -- seconds: 1, 60, 300 or 3600
    period BIGINT NOT NULL,
    unit TEXT NOT NULL,
    samples DOUBLE PRECISION NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    low DOUBLE PRECISION NOT NULL,
    high DOUBLE PRECISION NOT NULL,
    -- MessagePack: {value: count}; NULL where it is not known, of statistic sets
    spread BYTEA,
    PRIMARY KEY (metric, moment, period, unit)
);
CREATE INDEX cloudwatch_points_by_age ON cloudwatch_points (period, moment);

CREATE TABLE cloudwatch_alarms (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    settings TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    reason_data TEXT NOT NULL,
    -- milliseconds: of the configuration, of the state, of the last change of the state's value
    configured BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    transitioned BIGINT NOT NULL,
    tags TEXT NOT NULL,
    -- milliseconds: when it is evaluated next
    due BIGINT,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX cloudwatch_alarms_due ON cloudwatch_alarms (due) WHERE due IS NOT NULL;

-- Which alarms a composite alarm's rule.
CREATE TABLE cloudwatch_children (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    child TEXT NOT NULL,
    parent TEXT NOT NULL,
    PRIMARY KEY (account, region, child, parent)
);
CREATE INDEX cloudwatch_children_by_parent ON cloudwatch_children (account, region, parent);

CREATE TABLE cloudwatch_history (
    id BIGSERIAL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    alarm TEXT NOT NULL,
    kind TEXT NOT NULL,
    moment BIGINT NOT NULL,
    item TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX cloudwatch_history_by_scope ON cloudwatch_history (account, region, moment, id);
CREATE INDEX cloudwatch_history_by_alarm ON cloudwatch_history (account, region, alarm, moment, id);
CREATE INDEX cloudwatch_history_by_age ON cloudwatch_history (moment);

CREATE TABLE cloudwatch_dashboards (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    modified BIGINT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, name)
);

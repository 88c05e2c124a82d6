-- Redrives, and the runs of distributed Maps with their child executions.

ALTER TABLE states_executions ADD COLUMN redrives BIGINT NOT NULL DEFAULT 0;
ALTER TABLE states_executions ADD COLUMN redriven BIGINT;
-- The token that the last redrive came with: with the same one it is the same redrive.
ALTER TABLE states_executions ADD COLUMN redrive_token TEXT;
-- Of a child execution: the map run that started it.
ALTER TABLE states_executions ADD COLUMN map_run TEXT;
CREATE INDEX states_executions_map_run ON states_executions (map_run, id) WHERE map_run IS NOT NULL;

CREATE TABLE states_map_runs (
    arn TEXT PRIMARY KEY,
    execution TEXT NOT NULL,
    started BIGINT NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX states_map_runs_execution ON states_map_runs (execution, started, arn);

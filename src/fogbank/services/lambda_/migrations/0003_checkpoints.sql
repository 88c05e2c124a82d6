-- How far a mapping has read its stream. `sequence` is the last sequence number that is done with; until there is one,
-- `iterator` is the place at which reading begins (empty: at the oldest record). `result` is LastProcessingResult.

CREATE TABLE lambda_checkpoints (
    uuid TEXT PRIMARY KEY,
    sequence TEXT NOT NULL,
    iterator TEXT NOT NULL,
    result TEXT NOT NULL
);

-- JSON: who keeps a composite alarm's actions back, why, until when, and which state they were last called for.
ALTER TABLE cloudwatch_alarms ADD COLUMN suppression TEXT NOT NULL DEFAULT '';

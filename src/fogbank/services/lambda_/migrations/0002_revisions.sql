-- A policy has no revision of its own: it is that of the function, version or alias that it belongs to.
-- What an environment was made of is told by the generation, which, unlike the revision, tags and policies leave alone.

ALTER TABLE lambda_policies DROP COLUMN revision;
ALTER TABLE lambda_versions ADD COLUMN generation TEXT NOT NULL DEFAULT '';

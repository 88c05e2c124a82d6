-- What custom resources answered, until the step that asked has ended.
CREATE TABLE cloudformation_answers (
    token TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

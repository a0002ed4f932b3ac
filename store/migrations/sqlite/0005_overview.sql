-- +goose Up
-- Each has what one figure of the overview is counted from, by time.
CREATE INDEX changes_outcomes ON changes (started_at, settled, outcome) WHERE outcome IS NOT NULL;
CREATE INDEX changes_answers ON changes (started_at, region, duration_ms) WHERE duration_ms IS NOT NULL AND error_code IS NOT NULL;
CREATE INDEX changes_codes ON changes (started_at, error_code) WHERE error_code <> 0;
-- Pruning goes through plans in the order in which they were made.
CREATE INDEX plans_made ON plans (made_at);

-- +goose Down
DROP INDEX plans_made;
DROP INDEX changes_codes;
DROP INDEX changes_answers;
DROP INDEX changes_outcomes;

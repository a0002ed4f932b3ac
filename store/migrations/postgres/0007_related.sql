-- +goose Up
-- An entry's page says what came of it.
CREATE INDEX changes_origin ON changes (origin, number) WHERE origin IS NOT NULL;
CREATE INDEX plans_origin ON plans (origin, made_at) WHERE origin IS NOT NULL;

-- +goose Down
DROP INDEX plans_origin;
DROP INDEX changes_origin;

-- +goose Up
-- Pruning goes through plans in the order in which they were made.
CREATE INDEX plans_made ON plans (made_at);

-- +goose Down
DROP INDEX plans_made;

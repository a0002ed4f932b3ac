-- +goose Up
-- Whoever speaks to their computer, or hits keys by chance, can do without keys that act alone: '' has them, 'off' not.
ALTER TABLE users ADD COLUMN shortcuts TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE users DROP COLUMN shortcuts;

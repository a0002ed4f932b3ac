-- +goose Up
-- Counts what happens to a row, so that memory can tell whether it still has it as it is.
ALTER TABLE changes ADD COLUMN row_version BIGINT NOT NULL DEFAULT 0;
CREATE TRIGGER changes_row_version BEFORE UPDATE ON changes FOR EACH ROW EXECUTE FUNCTION count_row_version();

-- +goose Down
DROP TRIGGER changes_row_version ON changes;
ALTER TABLE changes DROP COLUMN row_version;

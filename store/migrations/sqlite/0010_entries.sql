-- +goose Up
-- Counts what happens to a row, so that memory can tell whether it still has it as it is.
ALTER TABLE changes ADD COLUMN row_version BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE TRIGGER changes_row_version AFTER UPDATE ON changes WHEN NEW.row_version = OLD.row_version
BEGIN
  UPDATE changes SET row_version = OLD.row_version + 1 WHERE number = NEW.number;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER changes_row_version;
ALTER TABLE changes DROP COLUMN row_version;

-- +goose Up
-- Counts what happens to a row, so that memory can tell whether it still has it as it is.
ALTER TABLE apps ADD COLUMN row_version BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE TRIGGER apps_row_version AFTER UPDATE ON apps WHEN NEW.row_version = OLD.row_version
BEGIN
  UPDATE apps SET row_version = OLD.row_version + 1 WHERE sdkappid = NEW.sdkappid;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER apps_row_version;
ALTER TABLE apps DROP COLUMN row_version;

-- +goose Up
-- Counts what happens to a row, so that memory can tell whether it still has it as it is.
ALTER TABLE apps ADD COLUMN row_version BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE FUNCTION count_row_version() RETURNS trigger AS $$
BEGIN
  NEW.row_version := OLD.row_version + 1;
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER apps_row_version BEFORE UPDATE ON apps FOR EACH ROW EXECUTE FUNCTION count_row_version();

-- +goose Down
DROP TRIGGER apps_row_version ON apps;
DROP FUNCTION count_row_version;
ALTER TABLE apps DROP COLUMN row_version;

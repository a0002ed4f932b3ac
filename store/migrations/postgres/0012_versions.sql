-- +goose Up
-- By the clock, so that a version is not given a second time after a crash took one back: what need not reach the disk is
-- seen by others, and remembered, before it does.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION count_row_version() RETURNS trigger AS $$
BEGIN
  NEW.row_version := GREATEST(OLD.row_version + 1, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT));
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION count_row_version() RETURNS trigger AS $$
BEGIN
  NEW.row_version := OLD.row_version + 1;
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd

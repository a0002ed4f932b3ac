-- +goose Up
-- By the clock, so that a version is not given a second time after something took one back, such as a copy put in its place.
DROP TRIGGER apps_row_version;
DROP TRIGGER changes_row_version;
-- +goose StatementBegin
CREATE TRIGGER apps_row_version AFTER UPDATE ON apps WHEN NEW.row_version = OLD.row_version
BEGIN
  UPDATE apps SET row_version = MAX(OLD.row_version + 1, CAST(unixepoch('subsec') * 1000 AS INTEGER)) WHERE sdkappid = NEW.sdkappid;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_row_version AFTER UPDATE ON changes WHEN NEW.row_version = OLD.row_version
BEGIN
  UPDATE changes SET row_version = MAX(OLD.row_version + 1, CAST(unixepoch('subsec') * 1000 AS INTEGER)) WHERE number = NEW.number;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER apps_row_version;
DROP TRIGGER changes_row_version;
-- +goose StatementBegin
CREATE TRIGGER apps_row_version AFTER UPDATE ON apps WHEN NEW.row_version = OLD.row_version
BEGIN
  UPDATE apps SET row_version = OLD.row_version + 1 WHERE sdkappid = NEW.sdkappid;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_row_version AFTER UPDATE ON changes WHEN NEW.row_version = OLD.row_version
BEGIN
  UPDATE changes SET row_version = OLD.row_version + 1 WHERE number = NEW.number;
END;
-- +goose StatementEnd

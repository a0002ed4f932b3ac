-- +goose Up
CREATE INDEX apps_list ON apps ((CASE WHEN archived_at IS NULL THEN 0 ELSE 1 END), lower(name), sdkappid);

-- +goose Down
DROP INDEX apps_list;

-- +goose Up
CREATE INDEX apps_list ON apps ((CASE WHEN archived_at IS NULL THEN 0 ELSE 1 END), lower(name), sdkappid);

-- What a search for words looks through: app, person, reason, and the URLs and words that the entry is about, in small letters.
ALTER TABLE changes ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE changes SET search = lower(app || ' ' || who || ' ' || reason)
  || ' ' || COALESCE((SELECT c.search FROM configurations c WHERE c.digest = changes.wanted), '')
  || ' ' || COALESCE((SELECT c.search FROM configurations c WHERE c.digest = changes.previous), '')
  || ' ' || COALESCE((SELECT c.search FROM configurations c WHERE c.digest = changes.found), '');
CREATE INDEX changes_code ON changes (error_code, number);
CREATE INDEX changes_time ON changes (started_at, number);

-- +goose Down
DROP INDEX changes_time;
DROP INDEX changes_code;
ALTER TABLE changes DROP COLUMN search;
DROP INDEX apps_list;

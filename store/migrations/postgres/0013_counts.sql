-- +goose Up
-- The tabs of a search are counted in the index of the search alone: reading the rows took ten times as long.
DROP INDEX changes_app;
DROP INDEX changes_who;
DROP INDEX changes_kind;
DROP INDEX changes_state;
DROP INDEX changes_code;
CREATE INDEX changes_app ON changes (sdkappid, (-number)) INCLUDE (number, kind, settled, outcome);
CREATE INDEX changes_who ON changes (who_key, (-number)) INCLUDE (number, kind, settled, outcome);
CREATE INDEX changes_kind ON changes (kind, (-number)) INCLUDE (number, settled, outcome);
CREATE INDEX changes_state ON changes ((COALESCE(settled, outcome)), (-number)) INCLUDE (number, kind, settled, outcome);
CREATE INDEX changes_code ON changes (error_code, (-number)) INCLUDE (number, kind, settled, outcome) WHERE error_code IS NOT NULL;
-- An intent is in no more indexes than it is looked for in: it has no code and no RequestId yet. One index has the attempts,
-- and one the times.
DROP INDEX changes_attempt_app;
DROP INDEX changes_attempt;
DROP INDEX changes_request_id;
DROP INDEX changes_time;
DROP INDEX changes_outcomes;
CREATE UNIQUE INDEX changes_attempt ON changes (attempt, sdkappid);
CREATE INDEX changes_request_id ON changes (request_id, number) WHERE request_id <> '';
CREATE INDEX changes_time ON changes (started_at, number) INCLUDE (settled, outcome);

-- +goose Down
DROP INDEX changes_time;
DROP INDEX changes_request_id;
DROP INDEX changes_attempt;
CREATE INDEX changes_outcomes ON changes (started_at, settled, outcome) WHERE outcome IS NOT NULL;
CREATE INDEX changes_time ON changes (started_at, number);
CREATE INDEX changes_request_id ON changes (request_id, number);
CREATE INDEX changes_attempt ON changes (attempt);
CREATE UNIQUE INDEX changes_attempt_app ON changes (sdkappid, attempt);
DROP INDEX changes_code;
DROP INDEX changes_state;
DROP INDEX changes_kind;
DROP INDEX changes_who;
DROP INDEX changes_app;
CREATE INDEX changes_app ON changes (sdkappid, (-number), number);
CREATE INDEX changes_who ON changes (who_key, (-number), number);
CREATE INDEX changes_kind ON changes (kind, (-number), number);
CREATE INDEX changes_state ON changes ((COALESCE(settled, outcome)), (-number), number, settled, outcome);
CREATE INDEX changes_code ON changes (error_code, (-number), number);

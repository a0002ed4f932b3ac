-- +goose Up
-- Newest first, by -number, which nothing else is ordered by: so a planner that expects many hits of a filter cannot
-- choose to go down the whole history by number instead. What stands behind -number lets a look be bounded without
-- reading a row.
DROP INDEX changes_app;
DROP INDEX changes_who;
DROP INDEX changes_kind;
DROP INDEX changes_state;
DROP INDEX changes_code;
CREATE INDEX changes_app ON changes (sdkappid, (-number), number);
CREATE INDEX changes_who ON changes (who_key, (-number), number);
CREATE INDEX changes_kind ON changes (kind, (-number), number);
CREATE INDEX changes_state ON changes ((COALESCE(settled, outcome)), (-number), number, settled, outcome);
CREATE INDEX changes_code ON changes (error_code, (-number), number);
-- What was configured at a moment is looked up by the end of the app's changes.
CREATE INDEX changes_applied ON changes (sdkappid, ended_at, number) WHERE outcome = 'applied' AND kind <> 'token';

-- +goose Down
DROP INDEX changes_applied;
DROP INDEX changes_code;
DROP INDEX changes_state;
DROP INDEX changes_kind;
DROP INDEX changes_who;
DROP INDEX changes_app;
CREATE INDEX changes_app ON changes (sdkappid, number);
CREATE INDEX changes_who ON changes (who_key, number);
CREATE INDEX changes_kind ON changes (kind, number);
CREATE INDEX changes_state ON changes (COALESCE(settled, outcome), number);
CREATE INDEX changes_code ON changes (error_code, number);

-- +goose Up
-- Nobody looks for entries by what they wanted or what was there before, nor for the plans of an app.
DROP INDEX changes_wanted;
DROP INDEX changes_previous;
DROP INDEX plans_app;

-- +goose Down
CREATE INDEX changes_wanted ON changes (wanted, number);
CREATE INDEX changes_previous ON changes (previous, number);
CREATE INDEX plans_app ON plans (sdkappid, made_at);

-- +goose Up
-- A plan that sets a token holds it encrypted until its change has ended or the plan expired; show is 1 until a
-- generated one was shown.
ALTER TABLE plans ADD COLUMN token BYTEA;
ALTER TABLE plans ADD COLUMN show_token BIGINT NOT NULL DEFAULT 0;
CREATE INDEX plans_token ON plans (expires_at) WHERE token IS NOT NULL;

CREATE TABLE rotations (
  id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sdkappid    BIGINT NOT NULL REFERENCES apps (sdkappid),
  plan        TEXT NOT NULL REFERENCES plans (id),
  who         TEXT NOT NULL,
  started_at  BIGINT NOT NULL,
  learned_at  BIGINT,
  learned_by  TEXT NOT NULL DEFAULT '',
  seen_at     BIGINT,
  seen_by     TEXT NOT NULL DEFAULT '',
  dropped_at  BIGINT,
  dropped_by  TEXT NOT NULL DEFAULT '',
  ended_at    BIGINT
);
CREATE UNIQUE INDEX rotations_app ON rotations (sdkappid) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE rotations;
DROP INDEX plans_token;
ALTER TABLE plans DROP COLUMN show_token;
ALTER TABLE plans DROP COLUMN token;

-- +goose Up
CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value BYTEA NOT NULL
);

CREATE TABLE users (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       TEXT NOT NULL,
  name_key   TEXT NOT NULL UNIQUE,
  password   TEXT NOT NULL,
  role       TEXT NOT NULL CHECK (role IN ('support', 'operator', 'admin')),
  language   TEXT NOT NULL DEFAULT '',
  theme      TEXT NOT NULL DEFAULT '',
  time_zone  TEXT NOT NULL DEFAULT '',
  created_at BIGINT NOT NULL,
  disabled_at BIGINT
);

CREATE TABLE sessions (
  id         TEXT NOT NULL PRIMARY KEY,
  user_id    BIGINT NOT NULL REFERENCES users (id),
  started_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL,
  address    TEXT NOT NULL,
  browser    TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE cookie_keys (
  id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  made_at BIGINT NOT NULL,
  sealed  BYTEA NOT NULL
);

CREATE TABLE configurations (
  digest TEXT NOT NULL PRIMARY KEY,
  body   TEXT NOT NULL,
  host   TEXT NOT NULL,
  search TEXT NOT NULL
);

CREATE TABLE apps (
  sdkappid       BIGINT NOT NULL PRIMARY KEY,
  name           TEXT NOT NULL,
  region         TEXT NOT NULL,
  identifier     TEXT NOT NULL,
  environment    TEXT NOT NULL CHECK (environment IN ('production', 'staging', 'test')),
  secret         BYTEA NOT NULL,
  secret_set_at  BIGINT NOT NULL,
  version        BIGINT NOT NULL,
  created_at     BIGINT NOT NULL,
  archived_at    BIGINT,
  record_digest  TEXT REFERENCES configurations (digest),
  record_number  BIGINT,
  record_made_at BIGINT,
  record_version BIGINT NOT NULL DEFAULT 0,
  reading_id     BIGINT,
  read_at        BIGINT,
  drifted        BIGINT NOT NULL DEFAULT 0,
  failed_at      BIGINT,
  failed_code    BIGINT,
  failed_fault   TEXT NOT NULL DEFAULT '',
  last_number    BIGINT,
  watched        BIGINT NOT NULL DEFAULT 1,
  watch_at       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX apps_watch ON apps (watch_at);

CREATE TABLE readings (
  id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sdkappid     BIGINT NOT NULL REFERENCES apps (sdkappid),
  digest       TEXT NOT NULL REFERENCES configurations (digest),
  first_seen   BIGINT NOT NULL,
  last_seen    BIGINT NOT NULL,
  request_id   TEXT NOT NULL,
  drift_number BIGINT
);
CREATE INDEX readings_app ON readings (sdkappid, id);

CREATE TABLE plans (
  id          TEXT NOT NULL PRIMARY KEY,
  kind        TEXT NOT NULL,
  sdkappid    BIGINT NOT NULL REFERENCES apps (sdkappid),
  call        TEXT NOT NULL,
  base        TEXT NOT NULL REFERENCES configurations (digest),
  base_seen   BIGINT NOT NULL,
  opened_at   BIGINT NOT NULL,
  wanted      TEXT NOT NULL REFERENCES configurations (digest),
  reason      TEXT NOT NULL,
  user_id     BIGINT NOT NULL,
  who         TEXT NOT NULL,
  role        TEXT NOT NULL,
  region      TEXT NOT NULL,
  newest      BIGINT NOT NULL,
  origin      BIGINT,
  made_at     BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL
);
CREATE INDEX plans_app ON plans (sdkappid, made_at);

CREATE TABLE changes (
  number         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind           TEXT NOT NULL CHECK (kind IN ('change', 'delete', 'token', 'drift', 'accepted', 'test')),
  sdkappid       BIGINT NOT NULL REFERENCES apps (sdkappid),
  app            TEXT NOT NULL,
  environment    TEXT NOT NULL,
  region         TEXT NOT NULL,
  host           TEXT NOT NULL,
  call           TEXT NOT NULL,
  attempt        BIGINT,
  plan           TEXT UNIQUE REFERENCES plans (id),
  origin         BIGINT,
  outcome        TEXT CHECK (outcome IN ('pending', 'applied', 'refused', 'unknown', 'not_sent')),
  settled        TEXT CHECK (settled IN ('applied', 'not_applied', 'overtaken')),
  cause          TEXT NOT NULL DEFAULT '',
  actor          TEXT NOT NULL CHECK (actor IN ('person', 'console')),
  user_id        BIGINT,
  who            TEXT NOT NULL,
  who_key        TEXT NOT NULL,
  role           TEXT NOT NULL,
  address        TEXT NOT NULL,
  reason         TEXT NOT NULL,
  summary        TEXT NOT NULL DEFAULT '',
  previous       TEXT REFERENCES configurations (digest),
  wanted         TEXT REFERENCES configurations (digest),
  found          TEXT REFERENCES configurations (digest),
  started_at     BIGINT NOT NULL,
  ended_at       BIGINT,
  settled_at     BIGINT,
  duration_ms    BIGINT,
  http_status    BIGINT,
  action_status  TEXT NOT NULL DEFAULT '',
  error_code     BIGINT,
  error_info     TEXT NOT NULL DEFAULT '',
  request_id     TEXT COLLATE "C" NOT NULL DEFAULT '',
  clock_ahead_ms BIGINT,
  read_back      TEXT REFERENCES configurations (digest),
  read_back_at   BIGINT,
  lease_until    BIGINT,
  grace_until    BIGINT,
  checks_since   BIGINT,
  checks         BIGINT NOT NULL DEFAULT 0,
  checked_at     BIGINT,
  check_code     BIGINT,
  check_fault    TEXT NOT NULL DEFAULT '',
  next_check_at  BIGINT
);
CREATE UNIQUE INDEX changes_open ON changes (sdkappid) WHERE settled IS NULL AND outcome IN ('pending', 'unknown');
CREATE UNIQUE INDEX changes_attempt_app ON changes (sdkappid, attempt);
CREATE INDEX changes_attempt ON changes (attempt);
CREATE INDEX changes_app ON changes (sdkappid, number);
CREATE INDEX changes_request_id ON changes (request_id, number);
CREATE INDEX changes_who ON changes (who_key, number);
CREATE INDEX changes_kind ON changes (kind, number);
CREATE INDEX changes_state ON changes (COALESCE(settled, outcome), number);
CREATE INDEX changes_wanted ON changes (wanted, number);
CREATE INDEX changes_previous ON changes (previous, number);
CREATE INDEX changes_due ON changes (next_check_at) WHERE next_check_at IS NOT NULL;

CREATE TABLE exchanges (
  number      BIGINT NOT NULL PRIMARY KEY REFERENCES changes (number),
  request     BYTEA NOT NULL,
  answer      BYTEA NOT NULL,
  answer_size BIGINT NOT NULL,
  answer_cut  BIGINT NOT NULL
);

CREATE TABLE change_steps (
  number BIGINT NOT NULL REFERENCES changes (number),
  seq    BIGINT NOT NULL,
  at     BIGINT NOT NULL,
  step   TEXT NOT NULL,
  code   BIGINT,
  detail TEXT NOT NULL,
  PRIMARY KEY (number, seq)
);

CREATE TABLE audit (
  number   BIGINT NOT NULL PRIMARY KEY,
  at       BIGINT NOT NULL,
  actor    TEXT NOT NULL,
  user_id  BIGINT,
  who      TEXT NOT NULL,
  role     TEXT NOT NULL,
  address  TEXT NOT NULL,
  act      TEXT NOT NULL,
  target   TEXT NOT NULL,
  detail   TEXT NOT NULL,
  mac      BYTEA NOT NULL
);
CREATE TABLE audit_head (
  id     BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  number BIGINT NOT NULL,
  mac    BYTEA NOT NULL
);
INSERT INTO audit_head (id, number, mac) VALUES (1, 0, '');

-- +goose StatementBegin
CREATE FUNCTION audit_is_append_only() RETURNS trigger AS $$
BEGIN
  RAISE EXCEPTION 'audit rows are never changed or removed';
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- +goose Down
DROP TABLE audit_head;
DROP TABLE audit;
DROP FUNCTION audit_is_append_only;
DROP TABLE change_steps;
DROP TABLE exchanges;
DROP TABLE changes;
DROP TABLE plans;
DROP TABLE readings;
DROP TABLE apps;
DROP TABLE configurations;
DROP TABLE cookie_keys;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE meta;

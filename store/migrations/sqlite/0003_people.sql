-- +goose Up
CREATE TABLE tries (
  counter    TEXT NOT NULL PRIMARY KEY,
  used_until BIGINT NOT NULL
);
CREATE INDEX tries_until ON tries (used_until);

CREATE TABLE known_browsers (
  id      TEXT NOT NULL,
  user_id BIGINT NOT NULL REFERENCES users (id),
  used_at BIGINT NOT NULL,
  PRIMARY KEY (id, user_id)
);
CREATE INDEX known_browsers_user ON known_browsers (user_id, used_at);

CREATE TABLE links (
  id         TEXT NOT NULL PRIMARY KEY,
  user_id    BIGINT NOT NULL REFERENCES users (id),
  expires_at BIGINT NOT NULL
);
CREATE INDEX links_user ON links (user_id);

ALTER TABLE users ADD COLUMN limited BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN seen_at BIGINT;

CREATE TABLE user_apps (
  user_id  BIGINT NOT NULL REFERENCES users (id),
  sdkappid BIGINT NOT NULL REFERENCES apps (sdkappid),
  PRIMARY KEY (user_id, sdkappid)
);

-- +goose Down
DROP TABLE user_apps;
ALTER TABLE users DROP COLUMN seen_at;
ALTER TABLE users DROP COLUMN limited;
DROP TABLE links;
DROP TABLE known_browsers;
DROP TABLE tries;

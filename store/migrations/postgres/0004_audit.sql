-- +goose Up
CREATE INDEX audit_at ON audit (at, number);
CREATE INDEX audit_who ON audit (who, number);
CREATE INDEX audit_act ON audit (act, number);
CREATE INDEX audit_target ON audit (target, number);
CREATE INDEX audit_refusals ON audit (user_id, target, at) WHERE act = 'access.refused';

-- Which rows concern an app: those about itself and those about its changes. A list to find rows by, no part of the chain.
CREATE TABLE audit_apps (
  sdkappid BIGINT NOT NULL,
  number   BIGINT NOT NULL,
  PRIMARY KEY (sdkappid, number)
);
INSERT INTO audit_apps (sdkappid, number)
  SELECT a.sdkappid, t.number FROM audit t JOIN apps a ON t.target = 'app ' || CAST(a.sdkappid AS TEXT);
INSERT INTO audit_apps (sdkappid, number)
  SELECT c.sdkappid, t.number FROM audit t JOIN changes c ON t.target = 'change ' || CAST(c.number AS TEXT);

-- +goose Down
DROP TABLE audit_apps;
DROP INDEX audit_refusals;
DROP INDEX audit_target;
DROP INDEX audit_act;
DROP INDEX audit_who;
DROP INDEX audit_at;

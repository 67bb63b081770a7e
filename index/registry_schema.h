// The registry's schema, step by step (Database::migrate). Never change a step that was released.
#pragma once

#include <array>

namespace holdfast::index {

inline constexpr std::array registry_steps{
    R"sql(
CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE principal(
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, admin INTEGER NOT NULL, disabled INTEGER NOT NULL,
  uid INTEGER NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE member(
  parent TEXT NOT NULL REFERENCES principal(name) ON DELETE CASCADE,
  member TEXT NOT NULL REFERENCES principal(name) ON DELETE CASCADE,
  PRIMARY KEY(parent, member)) WITHOUT ROWID;
CREATE INDEX member_member ON member(member);
CREATE TABLE access_key(
  id TEXT PRIMARY KEY, secret TEXT NOT NULL,
  principal TEXT NOT NULL REFERENCES principal(name) ON DELETE CASCADE,
  purpose TEXT NOT NULL, session_token TEXT NOT NULL, not_after INTEGER NOT NULL,
  scope TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX access_key_principal ON access_key(principal);
CREATE TABLE access_grant(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  principal TEXT NOT NULL REFERENCES principal(name) ON DELETE CASCADE,
  bucket TEXT NOT NULL, prefix BLOB NOT NULL, level TEXT NOT NULL, not_after INTEGER NOT NULL,
  granted_by TEXT NOT NULL);
CREATE INDEX access_grant_principal ON access_grant(principal);
CREATE TABLE session(
  id TEXT PRIMARY KEY, principal TEXT NOT NULL REFERENCES principal(name) ON DELETE CASCADE,
  created INTEGER NOT NULL, expires INTEGER NOT NULL, last_used INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX session_principal ON session(principal);
CREATE TABLE sign_in_link(
  id TEXT PRIMARY KEY, principal TEXT NOT NULL REFERENCES principal(name) ON DELETE CASCADE,
  expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX sign_in_link_principal ON sign_in_link(principal);
CREATE TABLE template(
  name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY(name, version)) WITHOUT ROWID;
CREATE TABLE tool(
  user TEXT NOT NULL REFERENCES principal(name) ON DELETE CASCADE, tool TEXT NOT NULL,
  running INTEGER NOT NULL, generation INTEGER NOT NULL, template_version INTEGER NOT NULL,
  attempts INTEGER NOT NULL, changed INTEGER NOT NULL, failed_generation INTEGER NOT NULL,
  failure TEXT NOT NULL, failure_log BLOB NOT NULL, access_key TEXT NOT NULL,
  PRIMARY KEY(user, tool)) WITHOUT ROWID;
CREATE TABLE audit(
  sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor BLOB NOT NULL,
  on_behalf_of BLOB NOT NULL, action BLOB NOT NULL, target BLOB NOT NULL, outcome BLOB NOT NULL,
  grant_id INTEGER NOT NULL, request_id BLOB NOT NULL, source BLOB NOT NULL, detail BLOB NOT NULL,
  hash BLOB NOT NULL);
CREATE TABLE audit_head(
  only INTEGER PRIMARY KEY CHECK(only = 1), sequence INTEGER NOT NULL, hash BLOB NOT NULL);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END;
)sql",
};

}  // namespace holdfast::index

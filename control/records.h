// The records of the registry as its callers see them: who acts, principals, keys, sessions, tools.
// Plain values; any thread. Grants, keys and principals as requests are judged: control/policy.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "control/policy.h"

namespace holdfast::control {

// Who makes a change, on whose behalf, from where. Every write of the registry takes one and leaves
// an audit event with it.
struct Actor {
  enum class Kind : std::uint8_t {
    principal,      // judged by the rules: administrators may all, others what is theirs
    administrator,  // the admin socket (peer uid root or the data directory's owner): may all
    system,         // Holdfast itself (expiry, the launcher): may all
  };
  Kind kind = Kind::principal;
  PrincipalName principal;
  PrincipalName on_behalf_of;  // empty: on its own
  std::string request_id;
  std::string source;  // IP address, "admin-socket", "launcher" …
};

enum class PrincipalKind : std::uint8_t { user, group, app, service };
std::string_view to_string(PrincipalKind kind);
std::optional<PrincipalKind> principal_kind_from(std::string_view text);

struct Principal {
  PrincipalName name;
  PrincipalKind kind = PrincipalKind::user;
  bool admin = false;
  bool disabled = false;
  std::uint32_t uid = 0;  // users: from 20000 upwards, never given twice, free on this host
  TimePoint created{};
};
struct NewPrincipal {
  PrincipalName name;
  PrincipalKind kind = PrincipalKind::user;
  bool admin = false;
};
struct Membership {
  PrincipalName group;
  PrincipalName member;
};

// A key pair to be made; id, secret and session token come from the registry.
struct NewKey {
  PrincipalName principal;
  std::string purpose = "user";  // "user", "session", "mount", "tool"
  enum class Token : std::uint8_t { none, session } token = Token::none;
  std::optional<TimePoint> not_after;
  std::optional<KeyScope> scope;
};

struct NewGrant {
  PrincipalName principal;
  BucketName bucket;
  std::string prefix;
  Level level = Level::read;
  std::optional<TimePoint> not_after;
};
struct GrantFilter {  // empty members match all
  PrincipalName principal;
  BucketName bucket;
};

// One tool of one user. "jupyter-alice" is its host name and part of its container's name.
struct ToolId {
  PrincipalName user;
  std::string tool;  // the template's name
  auto operator<=>(const ToolId&) const = default;
};

enum class Desired : std::uint8_t { stopped, running };

// What a tool is made of. Stored per version; a running instance keeps the version it started with.
struct ToolTemplate {
  std::string name;           // [a-z][a-z0-9]{0,30}
  std::uint32_t version = 0;  // given by the registry: 1, 2, …
  std::string title;
  std::vector<std::string> command;  // {home}, {user}, {port}, {host}, {origin} are replaced
  std::map<std::string, std::string> environment;
  std::uint16_t port = 8888;
  std::string ready_path = "/";  // polled until any status below 500 comes back
  std::uint64_t memory_bytes = 1u << 30;
  std::uint32_t pids = 512;
  std::uint32_t start_seconds = 60;  // longer than this: Failed
  std::string image;                 // empty: the host's own root, as an overlay
  enum class Network : std::uint8_t { gateway_only, open } network = Network::gateway_only;
};

// Desired state only; what is shown is computed (control/tool_state.h).
struct ToolRecord {
  ToolId id;
  Desired desired = Desired::stopped;
  std::uint64_t generation = 0;  // + 1 at every start and restart
  std::uint32_t template_version = 0;
  std::uint32_t attempts = 0;           // engine failures within this generation
  TimePoint changed{};                  // of the last change of `desired` or `generation`
  std::uint64_t failed_generation = 0;  // equal to `generation`: do not start again by ourselves
  std::string failure;                  // a sentence
  std::string failure_log;              // the container's last lines, bounded
  AccessKeyId key;                      // of the running instance; empty: none
};

}  // namespace holdfast::control

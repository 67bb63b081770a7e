#include "control/sessions.h"

#include "base/encoding.h"
#include "control/digest.h"
#include "control/registry_parts.h"

namespace holdfast::control {
namespace {

using Touches = Registry::Parts::Touches;

std::string make_token(Random& random) {
  std::string bytes(32, '\0');
  random.fill(std::as_writable_bytes(std::span(bytes)));
  return to_base64url(as_bytes(bytes));
}

std::string id_of(std::string_view token) { return to_hex(as_bytes(sha256(token))); }

}  // namespace

Sessions::Sessions(Registry& registry, const Clock& clock, Random& random)
    : registry_(registry), clock_(clock), random_(random) {}

Result<std::unique_ptr<Sessions>> Sessions::open(Registry& registry, const Clock& clock,
                                                 Random& random) {
  std::unique_ptr<Sessions> sessions(new Sessions(registry, clock, random));
  auto& parts = registry.parts();
  std::lock_guard guard(parts.database->mutex());
  auto cleaned = parts.database->remove_sessions_before(to_stored(clock.now()));
  if (!cleaned) return std::unexpected(cleaned.error());
  auto rows = parts.database->sessions();
  if (!rows) return std::unexpected(rows.error());
  for (const auto& row : *rows) {
    sessions->sessions_[row.id] = {.id = row.id,
                                   .principal = PrincipalName(row.principal),
                                   .created = time_from(row.created),
                                   .expires = time_from(row.expires),
                                   .last_used = time_from(row.last_used)};
  }
  parts.principal_ended = [self = sessions.get()](const PrincipalName& principal) {
    self->forget(principal);
  };
  return sessions;
}

Sessions::~Sessions() { registry_.parts().principal_ended = nullptr; }

void Sessions::forget(const PrincipalName& principal) {
  std::lock_guard guard(mutex_);
  std::erase_if(sessions_, [&](const auto& entry) { return entry.second.principal == principal; });
}

Result<SignInLink> Sessions::create_link(const Actor& actor, const PrincipalName& principal) {
  auto& parts = registry_.parts();
  SignInLink link{.token = make_token(random_),
                  .principal = principal,
                  .expires = clock_.now() + link_lifetime};
  auto done = parts.change(
      actor, {.action = "session.link", .target = principal.value}, Touches::other,
      [&](AuditEvent&) -> Result<void> {
        auto may = parts.require_self_or_admin(actor, principal, "make sign-in links for others");
        if (!may) return may;
        auto row = parts.require_principal(principal);
        if (!row) return std::unexpected(row.error());
        if (row->disabled) {
          return fail(ErrorCode::conflict, "\"{}\" is disabled: enable it first", row->name);
        }
        if (row->kind == "group") {
          return fail(ErrorCode::invalid_argument,
                      "a group cannot sign in: make a link for a user");
        }
        return parts.database->put(
            index::LinkRow{id_of(link.token), principal.value, to_stored(link.expires)});
      });
  if (!done) return std::unexpected(done.error());
  return link;
}

Result<NewSession> Sessions::store(const Actor& actor, const PrincipalName& principal,
                                   const std::string* link_hash) {
  auto& parts = registry_.parts();
  NewSession made{.token = make_token(random_), .session = {}};
  Session& session = made.session;
  session.id = id_of(made.token);
  session.principal = principal;
  session.created = session.last_used = clock_.now();
  session.expires = session.created + session_lifetime;
  Actor who = actor;
  if (who.principal.empty()) who.principal = principal;
  bool spent = false;
  auto done =
      parts.change(who, {.action = "session.create", .target = principal.value}, Touches::other,
                   [&](AuditEvent& event) -> Result<void> {
                     if (link_hash) {
                       auto link = parts.database->take_link(*link_hash);
                       if (!link) return std::unexpected(link.error());
                       if (!*link || time_from((*link)->expires) <= clock_.now()) {
                         spent = true;  // an expired link is removed all the same
                         event.outcome = "denied";
                         event.detail = R"({"why":"the link is used, expired or unknown"})";
                         return {};
                       }
                       session.principal = PrincipalName((*link)->principal);
                       event.actor = session.principal;
                       event.target = session.principal.value;
                     }
                     auto row = parts.require_principal(session.principal);
                     if (!row) return std::unexpected(row.error());
                     if (row->disabled)
                       return fail(ErrorCode::access_denied, "\"{}\" is disabled", row->name);
                     event.detail = fmt::format(R"({{"session":"{}"}})", session.id.substr(0, 16));
                     return parts.database->put(index::SessionRow{
                         session.id, session.principal.value, to_stored(session.created),
                         to_stored(session.expires), to_stored(session.last_used)});
                   });
  if (!done) return std::unexpected(done.error());
  if (spent) {
    return fail(ErrorCode::expired,
                "this sign-in link has been used or has expired: ask for a new one with "
                "\"holdfast user link NAME\"");
  }
  std::lock_guard guard(mutex_);
  sessions_[session.id] = session;
  return made;
}

Result<NewSession> Sessions::sign_in(const Actor& actor, std::string_view link_token) {
  const auto hash = id_of(link_token);
  return store(actor, PrincipalName(), &hash);
}

Result<NewSession> Sessions::begin(const Actor& actor, const PrincipalName& principal) {
  return store(actor, principal, nullptr);
}

std::optional<Session> Sessions::find(std::string_view token) {
  const auto id = id_of(token);
  const auto now = clock_.now();
  std::lock_guard guard(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return std::nullopt;
  if (found->second.expires <= now) {
    sessions_.erase(found);
    return std::nullopt;
  }
  found->second.last_used = now;
  return found->second;
}

Result<void> Sessions::end(const Actor& actor, std::string_view token) {
  const auto id = id_of(token);
  auto& parts = registry_.parts();
  auto done = parts.change(actor, {.action = "session.end", .target = actor.principal.value},
                           Touches::other, [&](AuditEvent& event) -> Result<void> {
                             auto removed = parts.database->remove_session(id);
                             if (!removed) return std::unexpected(removed.error());
                             if (*removed == 0) event.action.clear();
                             return {};
                           });
  if (!done) return done;
  std::lock_guard guard(mutex_);
  sessions_.erase(id);
  return {};
}

Result<void> Sessions::end_all(const Actor& actor, const PrincipalName& principal) {
  auto& parts = registry_.parts();
  auto done = parts.change(actor, {.action = "session.end_all", .target = principal.value},
                           Touches::other, [&](AuditEvent&) -> Result<void> {
                             auto may = parts.require_self_or_admin(actor, principal,
                                                                    "end another's sessions");
                             if (!may) return may;
                             auto removed = parts.database->remove_sessions_of(principal.value);
                             if (!removed) return std::unexpected(removed.error());
                             return {};
                           });
  if (done) forget(principal);
  return done;
}

std::vector<Session> Sessions::of(const PrincipalName& principal) {
  std::lock_guard guard(mutex_);
  std::vector<Session> found;
  for (const auto& [id, session] : sessions_) {
    if (session.principal == principal) found.push_back(session);
  }
  return found;
}

}  // namespace holdfast::control

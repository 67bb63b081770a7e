// The registry's principals and groups.
#include <algorithm>

#include "control/names.h"
#include "control/registry.h"
#include "control/registry_parts.h"

namespace holdfast::control {
namespace {

using Touches = Registry::Parts::Touches;

struct Toggle {
  std::string_view action, sentence;
  void (*apply)(index::PrincipalRow&);
};

Result<void> toggle(Registry::Parts& parts, const Actor& actor, const PrincipalName& name,
                    const Toggle& how) {
  return parts.change(actor, {.action = std::string(how.action), .target = name.value},
                      Touches::access, [&](AuditEvent&) -> Result<void> {
                        if (auto may = parts.require_admin(actor, how.sentence); !may) return may;
                        auto row = parts.require_principal(name);
                        if (!row) return std::unexpected(row.error());
                        how.apply(*row);
                        return parts.database->put(*row);
                      });
}

}  // namespace

Result<Principal> Registry::create_principal(const Actor& actor, const NewPrincipal& wanted) {
  if (auto fits = check_principal_name(wanted.name.value); !fits) {
    return std::unexpected(fits.error());
  }
  index::PrincipalRow row{.name = wanted.name.value,
                          .kind = std::string(to_string(wanted.kind)),
                          .admin = wanted.admin};
  auto done = parts_->change(
      actor, {.action = "principal.create", .target = row.name}, Touches::access,
      [&](AuditEvent& event) -> Result<void> {
        if (auto may = parts_->require_admin(actor, "create users and groups"); !may) return may;
        auto present = parts_->database->principal(row.name);
        if (!present) return std::unexpected(present.error());
        if (*present) {
          return fail(ErrorCode::already_exists, "there is a {} named \"{}\" already",
                      (*present)->kind, row.name);
        }
        if (wanted.admin && wanted.kind == PrincipalKind::group) {
          return fail(ErrorCode::invalid_argument, "a group cannot be an administrator");
        }
        if (wanted.kind == PrincipalKind::user) {
          auto uid = parts_->next_uid();
          if (!uid) return std::unexpected(uid.error());
          row.uid = *uid;
        }
        row.created = to_stored(parts_->clock.now());
        event.detail =
            fmt::format(R"({{"kind":"{}","admin":{},"uid":{}}})", row.kind, row.admin, row.uid);
        return parts_->database->put(row);
      });
  if (!done) return std::unexpected(done.error());
  return to_principal(row);
}

Result<void> Registry::remove_principal(const Actor& actor, const PrincipalName& name) {
  auto done =
      parts_->change(actor, {.action = "principal.remove", .target = name.value}, Touches::access,
                     [&](AuditEvent&) -> Result<void> {
                       if (auto may = parts_->require_admin(actor, "remove users and groups"); !may)
                         return may;
                       if (auto row = parts_->require_principal(name); !row)
                         return std::unexpected(row.error());
                       auto removed = parts_->database->remove_principal(name.value);
                       if (!removed) return std::unexpected(removed.error());
                       return {};
                     });
  if (done && parts_->principal_ended) parts_->principal_ended(name);
  return done;
}

Result<void> Registry::disable_principal(const Actor& actor, const PrincipalName& name) {
  auto& parts = *parts_;
  auto done =
      parts.change(actor, {.action = "principal.disable", .target = name.value}, Touches::access,
                   [&](AuditEvent&) -> Result<void> {
                     if (auto may = parts.require_admin(actor, "disable users"); !may) return may;
                     auto row = parts.require_principal(name);
                     if (!row) return std::unexpected(row.error());
                     row->disabled = true;
                     if (auto kept = parts.database->put(*row); !kept) return kept;
                     // Who is disabled keeps no open session and no running tool.
                     if (auto ended = parts.database->remove_sessions_of(name.value); !ended) {
                       return std::unexpected(ended.error());
                     }
                     auto tools = parts.database->tools();
                     if (!tools) return std::unexpected(tools.error());
                     for (auto& tool : *tools) {
                       if (tool.user != name.value || !tool.running) continue;
                       tool.running = false;
                       tool.changed = to_stored(parts.clock.now());
                       if (auto stopped = parts.database->put(tool); !stopped) return stopped;
                     }
                     return {};
                   });
  if (done && parts.principal_ended) parts.principal_ended(name);
  return done;
}

Result<void> Registry::enable_principal(const Actor& actor, const PrincipalName& name) {
  return toggle(
      *parts_, actor, name,
      {"principal.enable", "enable users", [](index::PrincipalRow& row) { row.disabled = false; }});
}

Result<void> Registry::make_admin(const Actor& actor, const PrincipalName& name) {
  auto row = principal(name);
  if (!row) return std::unexpected(row.error());
  if (row->kind == PrincipalKind::group) {
    return fail(ErrorCode::invalid_argument, "a group cannot be an administrator");
  }
  return toggle(*parts_, actor, name,
                {"principal.make_admin", "make administrators",
                 [](index::PrincipalRow& present) { present.admin = true; }});
}

Result<void> Registry::take_admin(const Actor& actor, const PrincipalName& name) {
  return toggle(*parts_, actor, name,
                {"principal.take_admin", "take an administrator's rights",
                 [](index::PrincipalRow& row) { row.admin = false; }});
}

Result<Principal> Registry::principal(const PrincipalName& name) {
  std::lock_guard guard(parts_->database->mutex());
  auto row = parts_->require_principal(name);
  if (!row) return std::unexpected(row.error());
  return to_principal(*row);
}

Result<std::vector<Principal>> Registry::principals() {
  std::lock_guard guard(parts_->database->mutex());
  auto rows = parts_->database->principals();
  if (!rows) return std::unexpected(rows.error());
  std::vector<Principal> all;
  for (const auto& row : *rows) all.push_back(to_principal(row));
  return all;
}

Result<void> Registry::add_member(const Actor& actor, const Membership& membership) {
  return parts_->change(actor, {.action = "group.add_member", .target = membership.group.value},
                        Touches::access, [&](AuditEvent& event) -> Result<void> {
                          if (auto may = parts_->require_admin(actor, "change groups"); !may)
                            return may;
                          auto group = parts_->require_principal(membership.group);
                          if (!group) return std::unexpected(group.error());
                          auto member = parts_->require_principal(membership.member);
                          if (!member) return std::unexpected(member.error());
                          if (group->kind != "group") {
                            return fail(ErrorCode::invalid_argument, "\"{}\" is a {}, not a group",
                                        group->name, group->kind);
                          }
                          if (member->kind == "group") {
                            return fail(
                                ErrorCode::invalid_argument,
                                "groups cannot hold groups: add the members of \"{}\" one by one",
                                member->name);
                          }
                          event.detail = fmt::format(R"({{"member":"{}"}})", member->name);
                          return parts_->database->put(index::MemberRow{group->name, member->name});
                        });
}

Result<void> Registry::remove_member(const Actor& actor, const Membership& membership) {
  return parts_->change(actor, {.action = "group.remove_member", .target = membership.group.value},
                        Touches::access, [&](AuditEvent& event) -> Result<void> {
                          if (auto may = parts_->require_admin(actor, "change groups"); !may)
                            return may;
                          auto removed = parts_->database->remove(
                              index::MemberRow{membership.group.value, membership.member.value});
                          if (!removed) return std::unexpected(removed.error());
                          if (*removed == 0) {
                            return fail(ErrorCode::not_found, "\"{}\" is not in the group \"{}\"",
                                        membership.member.value, membership.group.value);
                          }
                          event.detail =
                              fmt::format(R"({{"member":"{}"}})", membership.member.value);
                          return {};
                        });
}

Result<std::vector<PrincipalName>> Registry::members(const PrincipalName& group) {
  std::lock_guard guard(parts_->database->mutex());
  auto rows = parts_->database->members();
  if (!rows) return std::unexpected(rows.error());
  std::vector<PrincipalName> found;
  for (const auto& row : *rows) {
    if (row.group == group.value) found.emplace_back(row.member);
  }
  return found;
}

}  // namespace holdfast::control

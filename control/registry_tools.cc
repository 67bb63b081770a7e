// The registry's templates and tools: what is desired, never what is.
#include <algorithm>
#include <boost/json.hpp>

#include "base/log.h"
#include "control/registry.h"
#include "control/registry_parts.h"
#include "control/templates.h"

namespace holdfast::control {
namespace {

using Touches = Registry::Parts::Touches;
constexpr std::size_t log_limit = 16u << 10;

std::string tool_name(const ToolId& id) { return id.tool + "-" + id.user.value; }

// The newest of that name, or that version of it. Needs the lock.
Result<ToolTemplate> look_up_template(Registry::Parts& parts, const std::string& name,
                                      std::uint32_t version) {
  auto rows = parts.database->templates();
  if (!rows) return std::unexpected(rows.error());
  const index::TemplateRow* found = nullptr;
  for (const auto& row : *rows) {
    if (row.name == name && (version == 0 || row.version == version)) found = &row;
  }
  if (found) return template_from_row(*found);
  return fail(ErrorCode::not_found, "there is no tool template \"{}\"{}", log_field(name, 64),
              version == 0 ? std::string() : fmt::format(" of version {}", version));
}

Result<void> require_tool_user(Registry::Parts& parts, const PrincipalName& user) {
  auto row = parts.require_principal(user);
  if (!row) return std::unexpected(row.error());
  if (row->uid == 0) {
    return fail(ErrorCode::invalid_argument, "\"{}\" is a {}: only users have tools", row->name,
                row->kind);
  }
  if (row->disabled) return fail(ErrorCode::conflict, "\"{}\" is disabled", row->name);
  return {};
}

Result<ToolRecord> tool_or_new(Registry::Parts& parts, const ToolId& id) {
  auto row = parts.database->tool(id.user.value, id.tool);
  if (!row) return std::unexpected(row.error());
  if (*row) return to_tool(**row);
  return ToolRecord{.id = id};
}

Result<void> begin_generation(Registry::Parts& parts, ToolRecord& record) {
  auto chosen = look_up_template(parts, record.id.tool, 0);
  if (!chosen) return std::unexpected(chosen.error());
  record.desired = Desired::running;
  record.generation += 1;
  record.template_version = chosen->version;
  record.attempts = 0;
  record.changed = parts.clock.now();
  record.failure.clear();
  record.failure_log.clear();
  return parts.database->put(to_row(record));
}

enum class Begin : std::uint8_t { if_needed, always };

Result<ToolRecord> begin_tool(Registry::Parts& parts, const Actor& actor, const ToolId& id,
                              Begin begin) {
  ToolRecord record;
  const std::string action = begin == Begin::always ? "tool.restart" : "tool.start";
  auto done = parts.change(
      actor, {.action = action, .target = tool_name(id)}, Touches::other,
      [&](AuditEvent& event) -> Result<void> {
        auto may = parts.require_self_or_admin(actor, id.user, "start another's tools");
        if (!may) return may;
        if (auto fits = require_tool_user(parts, id.user); !fits) return fits;
        auto present = tool_or_new(parts, id);
        if (!present) return std::unexpected(present.error());
        record = std::move(*present);
        const bool runs =
            record.desired == Desired::running && record.failed_generation != record.generation;
        if (begin == Begin::if_needed && runs) {
          event.action.clear();  // nothing changes, nothing is told
          return {};
        }
        if (auto begun = begin_generation(parts, record); !begun) return begun;
        event.detail = fmt::format(R"({{"generation":{},"template_version":{}}})",
                                   record.generation, record.template_version);
        return {};
      });
  if (!done) return std::unexpected(done.error());
  return record;
}

// A report about one generation; a later one is not touched by it.
Result<void> report(Registry::Parts& parts, const ToolRecord& seen, AuditEvent event,
                    Touches touches,
                    const std::function<Result<void>(ToolRecord&, AuditEvent&)>& apply) {
  const Actor actor{.kind = Actor::Kind::system,
                    .principal = PrincipalName("holdfast"),
                    .on_behalf_of = seen.id.user,
                    .source = "launcher"};
  event.target = tool_name(seen.id);
  return parts.change(actor, std::move(event), touches, [&](AuditEvent& told) -> Result<void> {
    auto row = parts.database->tool(seen.id.user.value, seen.id.tool);
    if (!row) return std::unexpected(row.error());
    if (!*row) return fail(ErrorCode::not_found, "the tool {} is gone", tool_name(seen.id));
    auto record = to_tool(**row);
    if (record.generation != seen.generation) {
      return fail(ErrorCode::conflict, "the tool {} has begun generation {} meanwhile",
                  tool_name(seen.id), record.generation);
    }
    if (auto applied = apply(record, told); !applied) return applied;
    return parts.database->put(to_row(record));
  });
}

}  // namespace

Result<ToolTemplate> Registry::add_template(const Actor& actor, ToolTemplate wanted) {
  if (wanted.title.empty()) wanted.title = wanted.name;
  if (auto fits = check_template(wanted); !fits) return std::unexpected(fits.error());
  auto done = parts_->change(
      actor, {.action = "template.add", .target = wanted.name}, Touches::other,
      [&](AuditEvent& event) -> Result<void> {
        if (auto may = parts_->require_admin(actor, "add templates"); !may) return may;
        auto newest = look_up_template(*parts_, wanted.name, 0);
        wanted.version = newest ? newest->version + 1 : 1;
        event.detail = fmt::format(R"({{"version":{}}})", wanted.version);
        return parts_->database->put(index::TemplateRow{
            .name = wanted.name, .version = wanted.version, .body = template_to_json(wanted)});
      });
  if (!done) return std::unexpected(done.error());
  return wanted;
}

Result<std::vector<ToolTemplate>> Registry::templates() {
  std::lock_guard guard(parts_->database->mutex());
  auto rows = parts_->database->templates();
  if (!rows) return std::unexpected(rows.error());
  std::vector<ToolTemplate> newest;
  for (const auto& row : *rows) {
    auto tool = template_from_row(row);
    if (!tool) return std::unexpected(tool.error());
    if (!newest.empty() && newest.back().name == tool->name) newest.pop_back();
    newest.push_back(std::move(*tool));
  }
  return newest;
}

Result<ToolTemplate> Registry::find_template(const std::string& name, std::uint32_t version) {
  std::lock_guard guard(parts_->database->mutex());
  return look_up_template(*parts_, name, version);
}

Result<ToolRecord> Registry::start_tool(const Actor& actor, const ToolId& id) {
  return begin_tool(*parts_, actor, id, Begin::if_needed);
}

Result<ToolRecord> Registry::restart_tool(const Actor& actor, const ToolId& id) {
  return begin_tool(*parts_, actor, id, Begin::always);
}

Result<ToolRecord> Registry::stop_tool(const Actor& actor, const ToolId& id) {
  ToolRecord record;
  auto done = parts_->change(
      actor, {.action = "tool.stop", .target = tool_name(id)}, Touches::other,
      [&](AuditEvent& event) -> Result<void> {
        auto may = parts_->require_self_or_admin(actor, id.user, "stop another's tools");
        if (!may) return may;
        if (auto user = parts_->require_principal(id.user); !user) {
          return std::unexpected(user.error());
        }
        if (auto known = look_up_template(*parts_, id.tool, 0); !known) {
          return std::unexpected(known.error());
        }
        auto present = tool_or_new(*parts_, id);
        if (!present) return std::unexpected(present.error());
        record = std::move(*present);
        if (record.desired == Desired::stopped) {
          event.action.clear();
          return {};
        }
        record.desired = Desired::stopped;
        record.changed = parts_->clock.now();
        event.detail = fmt::format(R"({{"generation":{}}})", record.generation);
        return parts_->database->put(to_row(record));
      });
  if (!done) return std::unexpected(done.error());
  return record;
}

Result<std::vector<ToolRecord>> Registry::tools() {
  std::lock_guard guard(parts_->database->mutex());
  auto rows = parts_->database->tools();
  if (!rows) return std::unexpected(rows.error());
  std::vector<ToolRecord> all;
  for (const auto& row : *rows) all.push_back(to_tool(row));
  return all;
}

Result<void> Registry::record_tool_failure(const ToolRecord& seen, std::string failure,
                                           std::string log) {
  if (log.size() > log_limit) log.erase(0, log.size() - log_limit);
  return report(*parts_, seen, {.action = "tool.failed", .outcome = "failed"}, Touches::other,
                [&](ToolRecord& record, AuditEvent& event) -> Result<void> {
                  event.detail = boost::json::serialize(boost::json::object{
                      {"generation", record.generation}, {"why", log_field(failure, 500)}});
                  record.failed_generation = record.generation;
                  record.failure = std::move(failure);
                  record.failure_log = std::move(log);
                  return {};
                });
}

Result<void> Registry::record_tool_attempt(const ToolRecord& seen) {
  return report(*parts_, seen, {}, Touches::other, [](ToolRecord& record, AuditEvent&) {
    record.attempts += 1;
    return Result<void>();
  });
}

Result<KeyRecord> Registry::renew_tool_key(const ToolRecord& seen) {
  KeyRecord key;
  auto done = report(*parts_, seen, {.action = "tool.key"}, Touches::access,
                     [&](ToolRecord& record, AuditEvent& event) -> Result<void> {
                       auto removed = parts_->database->remove_key(record.key.value);
                       if (!removed) return std::unexpected(removed.error());
                       auto made =
                           parts_->store_key({.principal = record.id.user, .purpose = "tool"});
                       if (!made) return std::unexpected(made.error());
                       key = std::move(*made);
                       record.key = key.id;
                       event.detail = fmt::format(R"({{"key":"{}","generation":{}}})", key.id.value,
                                                  record.generation);
                       return {};
                     });
  if (!done) return std::unexpected(done.error());
  return key;
}

Result<void> Registry::revoke_tool_key(const ToolRecord& seen) {
  return report(*parts_, seen, {.action = "tool.key_revoke"}, Touches::access,
                [&](ToolRecord& record, AuditEvent& event) -> Result<void> {
                  event.detail = fmt::format(R"({{"key":"{}"}})", record.key.value);
                  auto removed = parts_->database->remove_key(record.key.value);
                  if (!removed) return std::unexpected(removed.error());
                  record.key = AccessKeyId();
                  return {};
                });
}

}  // namespace holdfast::control

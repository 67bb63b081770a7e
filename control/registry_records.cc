// Rows to records and back, and the JSON that two columns hold.
#include <array>
#include <boost/json.hpp>

#include "base/encoding.h"
#include "control/registry_parts.h"

namespace holdfast::control {
namespace json = boost::json;
namespace {

constexpr std::array kinds{std::pair{PrincipalKind::user, std::string_view("user")},
                           std::pair{PrincipalKind::group, std::string_view("group")},
                           std::pair{PrincipalKind::app, std::string_view("app")},
                           std::pair{PrincipalKind::service, std::string_view("service")}};

// boost::json reports a missing or mistyped member by an exception; it ends here.
template <class T, class Parse>
Result<T> parse_json(std::string_view what, std::string_view text, Parse parse) {
  try {
    return parse(json::parse(json::string_view(text.data(), text.size())).as_object());
  } catch (const std::exception& error) {
    return fail(ErrorCode::corrupted, "the registry's {} is not valid: {}", what, error.what());
  }
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto& value = object.at(json::string_view(name.data(), name.size())).as_string();
  return std::string(value.data(), value.size());
}

template <class T>
T number_of(const json::object& object, std::string_view name) {
  return object.at(json::string_view(name.data(), name.size())).to_number<T>();
}

}  // namespace

std::string_view to_string(PrincipalKind kind) {
  for (const auto& [value, name] : kinds) {
    if (value == kind) return name;
  }
  return "unknown";
}

std::optional<PrincipalKind> principal_kind_from(std::string_view text) {
  for (const auto& [value, name] : kinds) {
    if (name == text) return value;
  }
  return std::nullopt;
}

std::int64_t to_stored(TimePoint time) { return time.time_since_epoch().count(); }
std::int64_t to_stored(const std::optional<TimePoint>& time) {
  return time ? to_stored(*time) : index::no_time;
}
TimePoint time_from(std::int64_t stored) { return TimePoint(std::chrono::nanoseconds(stored)); }
std::optional<TimePoint> maybe_time_from(std::int64_t stored) {
  return stored == index::no_time ? std::nullopt : std::optional(time_from(stored));
}

Principal to_principal(const index::PrincipalRow& row) {
  return {.name = PrincipalName(row.name),
          .kind = principal_kind_from(row.kind).value_or(PrincipalKind::service),
          .admin = row.admin,
          .disabled = row.disabled,
          .uid = static_cast<std::uint32_t>(row.uid),
          .created = time_from(row.created)};
}

Result<Grant> to_grant(const index::GrantRow& row) {
  const auto level = level_from(row.level);
  if (!level) return fail(ErrorCode::corrupted, "grant {} has the level {}", row.id, row.level);
  return Grant{.id = row.id,
               .principal = PrincipalName(row.principal),
               .bucket = BucketName(row.bucket),
               .prefix = row.prefix,
               .level = *level,
               .not_after = maybe_time_from(row.not_after),
               .granted_by = PrincipalName(row.granted_by)};
}

Result<KeyRecord> to_key(const index::KeyRow& row) {
  KeyRecord key{.id = AccessKeyId(row.id),
                .secret = row.secret,
                .principal = PrincipalName(row.principal),
                .purpose = row.purpose,
                .session_token = row.session_token,
                .not_after = maybe_time_from(row.not_after),
                .scope = std::nullopt};
  if (row.scope.empty()) return key;
  auto scope = scope_from_json(row.scope);
  if (!scope) return std::unexpected(scope.error());
  key.scope = std::move(*scope);
  return key;
}

ToolRecord to_tool(const index::ToolRow& row) {
  return {.id = {PrincipalName(row.user), row.tool},
          .desired = row.running ? Desired::running : Desired::stopped,
          .generation = static_cast<std::uint64_t>(row.generation),
          .template_version = static_cast<std::uint32_t>(row.template_version),
          .attempts = static_cast<std::uint32_t>(row.attempts),
          .changed = time_from(row.changed),
          .failed_generation = static_cast<std::uint64_t>(row.failed_generation),
          .failure = row.failure,
          .failure_log = row.failure_log,
          .key = AccessKeyId(row.key)};
}

index::ToolRow to_row(const ToolRecord& record) {
  return {.user = record.id.user.value,
          .tool = record.id.tool,
          .running = record.desired == Desired::running,
          .generation = static_cast<std::int64_t>(record.generation),
          .template_version = record.template_version,
          .attempts = record.attempts,
          .changed = to_stored(record.changed),
          .failed_generation = static_cast<std::int64_t>(record.failed_generation),
          .failure = record.failure,
          .failure_log = record.failure_log,
          .key = record.key.value};
}

// Prefixes are bytes, JSON is not: base64.
std::string scope_to_json(const KeyScope& scope) {
  json::array rows;
  for (const auto& grant : scope.allow) {
    rows.push_back(json::object{{"bucket", grant.bucket.value},
                                {"prefix", to_base64(as_bytes(grant.prefix))},
                                {"level", std::string(to_string(grant.level))},
                                {"not_after", to_stored(grant.not_after)}});
  }
  return json::serialize(json::object{{"allow", std::move(rows)}});
}

Result<KeyScope> scope_from_json(std::string_view text) {
  return parse_json<KeyScope>("key scope", text, [](const json::object& object) {
    KeyScope scope;
    for (const auto& value : object.at("allow").as_array()) {
      const auto& row = value.as_object();
      Grant grant;
      grant.bucket = BucketName(text_of(row, "bucket"));
      grant.prefix = from_base64(text_of(row, "prefix")).value();
      grant.level = level_from(text_of(row, "level")).value();
      grant.not_after = maybe_time_from(number_of<std::int64_t>(row, "not_after"));
      scope.allow.push_back(std::move(grant));
    }
    return scope;
  });
}

std::string template_to_json(const ToolTemplate& tool) {
  json::array command;
  for (const auto& word : tool.command) command.push_back(json::string(word));
  json::object environment;
  for (const auto& [name, value] : tool.environment) environment[name] = value;
  return json::serialize(json::object{
      {"title", tool.title},
      {"command", std::move(command)},
      {"environment", std::move(environment)},
      {"port", tool.port},
      {"ready_path", tool.ready_path},
      {"memory_bytes", tool.memory_bytes},
      {"pids", tool.pids},
      {"start_seconds", tool.start_seconds},
      {"image", tool.image},
      {"network", tool.network == ToolTemplate::Network::open ? "open" : "gateway_only"}});
}

Result<ToolTemplate> template_from_row(const index::TemplateRow& row) {
  return parse_json<ToolTemplate>("template", row.body, [&row](const json::object& object) {
    ToolTemplate tool;
    tool.name = row.name;
    tool.version = static_cast<std::uint32_t>(row.version);
    tool.title = text_of(object, "title");
    for (const auto& word : object.at("command").as_array()) {
      tool.command.emplace_back(word.as_string().data(), word.as_string().size());
    }
    for (const auto& member : object.at("environment").as_object()) {
      tool.environment[std::string(member.key())] = std::string(member.value().as_string());
    }
    tool.port = number_of<std::uint16_t>(object, "port");
    tool.ready_path = text_of(object, "ready_path");
    tool.memory_bytes = number_of<std::uint64_t>(object, "memory_bytes");
    tool.pids = number_of<std::uint32_t>(object, "pids");
    tool.start_seconds = number_of<std::uint32_t>(object, "start_seconds");
    tool.image = text_of(object, "image");
    tool.network = text_of(object, "network") == "open" ? ToolTemplate::Network::open
                                                        : ToolTemplate::Network::gateway_only;
    return tool;
  });
}

}  // namespace holdfast::control

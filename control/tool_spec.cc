#include "control/tool_spec.h"

#include <fmt/format.h>

#include <string_view>

#include "base/encoding.h"
#include "control/digest.h"

namespace holdfast::control {
namespace {

void replace_all(std::string& text, std::string_view name, std::string_view value) {
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at)) {
    text.replace(at, name.size(), value);
    at += value.size();
  }
}

std::string filled(std::string text,
                   const std::vector<std::pair<std::string_view, std::string>>& values) {
  for (const auto& [name, value] : values) replace_all(text, name, value);
  return text;
}

std::string hash_of(const ContainerSpec& spec) {
  std::string all;
  const auto add = [&all](std::string_view field) {
    all += fmt::format("{}:", field.size());
    all += field;
  };
  for (const auto& word : spec.command) add(word);
  for (const auto& [name, value] : spec.environment) {
    add(name);
    add(value);
  }
  for (const auto& mount : spec.mounts) {
    add(mount.source);
    add(mount.destination);
  }
  for (const auto& path : spec.hidden) add(path);
  add(spec.image);
  add(fmt::format("{} {} {} {} {}", spec.generation, spec.uid, spec.memory_bytes, spec.pids,
                  int(spec.network)));
  return to_hex(as_bytes(sha256(all))).substr(0, 16);
}

}  // namespace

std::string container_name(const std::string& instance_id, const ToolId& tool) {
  return fmt::format("holdfast-{}-{}-{}", instance_id, tool.tool, tool.user.value);
}

std::string tool_host(const ToolId& tool, const std::string& public_domain) {
  return fmt::format("{}-{}.{}", tool.tool, tool.user.value, public_domain);
}

ContainerSpec build_spec(const SpecInputs& in, const LauncherOptions& options) {
  const auto& tool = in.tool_template;
  const std::string user = in.record.id.user.value;
  const std::string host = tool_host(in.record.id, options.public_domain);
  ContainerSpec spec;
  spec.name = container_name(in.instance_id, in.record.id);
  spec.tool = in.record.id;
  spec.generation = in.record.generation;
  spec.uid = in.uid;
  spec.user_name = user;
  spec.home = "/home/" + user;
  spec.image = tool.image;
  spec.memory_bytes = tool.memory_bytes;
  spec.pids = tool.pids;
  spec.network = tool.network;
  spec.hidden = options.hidden_paths;
  const std::vector<std::pair<std::string_view, std::string>> values{
      {"{home}", spec.home},
      {"{user}", user},
      {"{port}", std::to_string(tool.port)},
      {"{host}", host},
      {"{origin}", options.public_scheme + "://" + host}};
  for (const auto& word : tool.command) spec.command.push_back(filled(word, values));
  spec.environment = {{"HOME", spec.home},
                      {"USER", user},
                      {"LOGNAME", user},
                      {"LANG", "C.UTF-8"},
                      {"PATH", "/usr/local/bin:/usr/bin:/bin"},
                      {"AWS_ENDPOINT_URL", options.s3_endpoint},
                      {"AWS_DEFAULT_REGION", options.region},
                      {"AWS_REGION", options.region},
                      {"S3_BUCKET", in.homes_bucket.value},
                      {"S3_PREFIX", user + "/"}};
  for (const auto& [name, value] : tool.environment) {
    spec.environment[name] = filled(value, values);
  }
  spec.mounts.push_back({in.mounts.home, spec.home});
  if (!in.mounts.buckets.empty()) spec.mounts.push_back({in.mounts.buckets, "/buckets"});
  spec.spec_hash = hash_of(spec);
  spec.environment["AWS_ACCESS_KEY_ID"] = in.key.id.value;
  spec.environment["AWS_SECRET_ACCESS_KEY"] = in.key.secret;
  return spec;
}

}  // namespace holdfast::control

#include "control/podman_json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "base/encoding.h"
#include "base/log.h"

namespace holdfast::control {
namespace json = boost::json;
namespace {

constexpr std::string_view label_user = "io.holdfast.user";
constexpr std::string_view label_tool = "io.holdfast.tool";
constexpr std::string_view label_generation = "io.holdfast.generation";
constexpr std::string_view label_spec = "io.holdfast.spec";

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
json::string_view key(std::string_view text) { return {text.data(), text.size()}; }

json::object bind_mount(const std::string& source, const std::string& destination,
                        std::string_view access) {
  // rslave: what the mount process mounts below later shows up inside, never the other way.
  return {{"type", "bind"},
          {"source", source},
          {"destination", destination},
          {"options", json::array{"rbind", "rslave", "nosuid", "nodev", key(access)}}};
}

json::object memory_mount(const std::string& destination, std::string_view size,
                          std::string_view mode, std::string_view access) {
  // notmpcopyup: the tmpfs must begin empty, not with a copy of what it hides.
  return {{"type", "tmpfs"},
          {"source", "tmpfs"},
          {"destination", destination},
          {"options", json::array{"nosuid", "nodev", "notmpcopyup", key(access),
                                  "size=" + std::string(size), "mode=" + std::string(mode)}}};
}

json::array mounts_of(const ContainerSpec& spec, const CreateInputs& in) {
  json::array mounts;
  mounts.push_back(memory_mount("/tmp", "25%", "1777", "rw"));
  if (spec.home.starts_with("/home/")) mounts.push_back(memory_mount("/home", "64k", "0755", "rw"));
  for (const auto& path : spec.hidden) {
    if (path.empty() || path == "/" || path.starts_with("/tmp/")) continue;  // /tmp is ours already
    mounts.push_back(memory_mount(path, "4k", "0000", "ro"));
  }
  for (const auto& mount : spec.mounts) {
    mounts.push_back(bind_mount(mount.source, mount.destination,
                                mount.mode == ContainerMount::Mode::read_only ? "ro" : "rw"));
  }
  if (!in.passwd_file.empty()) mounts.push_back(bind_mount(in.passwd_file, "/etc/passwd", "ro"));
  if (!in.group_file.empty()) mounts.push_back(bind_mount(in.group_file, "/etc/group", "ro"));
  return mounts;
}

json::array limits_of(const ProcessLimits& given) {
  json::array limits;
  const auto add = [&limits](std::string_view type, std::uint64_t soft, std::uint64_t hard) {
    limits.push_back(json::object{{"type", key(type)}, {"soft", soft}, {"hard", hard}});
  };
  // Podman's own defaults may lie above what this host allows, and raising is refused there.
  if (given.open_files) {
    add("NOFILE", std::min<std::uint64_t>(*given.open_files, 1024), *given.open_files);
  }
  if (given.processes) add("NPROC", *given.processes, *given.processes);
  return limits;
}

template <class T, class Read>
Result<T> parsed(std::string_view what, std::string_view body, Read read) {
  try {
    return read(json::parse(key(body)));
  } catch (const std::exception& error) {
    return fail(ErrorCode::malformed, "podman's answer to {} cannot be read: {}", what,
                error.what());
  }
}

TimePoint time_of(const json::object& state, std::string_view name) {
  const auto* value = state.if_contains(key(name));
  if (!value || !value->is_string()) return {};
  const auto time = from_rfc3339(view(value->as_string()));
  return time && *time > TimePoint{} ? *time : TimePoint{};
}

std::string label(const json::object& labels, std::string_view name) {
  const auto* value = labels.if_contains(key(name));
  return value && value->is_string() ? std::string(view(value->as_string())) : std::string();
}

ContainerState::Phase phase_of(std::string_view status) {
  if (status == "running" || status == "paused" || status == "stopping") {
    return ContainerState::Phase::running;
  }
  if (status == "exited" || status == "stopped" || status == "dead") {
    return ContainerState::Phase::exited;
  }
  return ContainerState::Phase::created;  // created, initialized, configured, removing
}

std::string address_of(const json::object& container) {
  const auto* settings = container.if_contains("NetworkSettings");
  if (!settings || !settings->is_object()) return {};
  const auto* networks = settings->as_object().if_contains("Networks");
  if (!networks || !networks->is_object()) return {};
  for (const auto& network : networks->as_object()) {
    const auto* address = network.value().as_object().if_contains("IPAddress");
    if (address && address->is_string() && !address->as_string().empty()) {
      return std::string(view(address->as_string()));
    }
  }
  return {};
}

}  // namespace

std::string create_body(const ContainerSpec& spec, const CreateInputs& in) {
  json::array command;
  for (const auto& word : spec.command) command.push_back(json::string(word));
  json::object environment;
  for (const auto& [name, value] : spec.environment) environment[name] = value;
  json::object body{
      {"name", spec.name},
      {"hostname", spec.tool.tool + "-" + spec.tool.user.value},
      {"user", fmt::format("{}:{}", spec.uid, spec.uid)},
      {"work_dir", spec.home},
      {"command", std::move(command)},
      {"env", std::move(environment)},
      {"labels", json::object{{"io.holdfast.managed-by", "holdfast"},
                              {key(label_instance), in.instance_id},
                              {key(label_user), spec.tool.user.value},
                              {key(label_tool), spec.tool.tool},
                              {key(label_generation), std::to_string(spec.generation)},
                              {key(label_spec), spec.spec_hash}}},
      {"cap_drop", json::array{"ALL"}},
      {"no_new_privileges", true},
      {"systemd", "false"},
      {"netns", json::object{{"nsmode", "bridge"}}},
      {"Networks", json::object{{in.network, json::object{}}}},
      {"log_configuration", json::object{{"driver", "k8s-file"}, {"size", 8 << 20}}},
      {"mounts", mounts_of(spec, in)},
      {"r_limits", limits_of(in.limits)},
      {"resource_limits", json::object{{"memory", json::object{{"limit", spec.memory_bytes},
                                                               {"swap", spec.memory_bytes}}},
                                       {"pids", json::object{{"limit", spec.pids}}}}}};
  if (spec.image.empty()) {
    body["rootfs"] = "/";
    body["rootfs_overlay"] = true;
  } else {
    body["image"] = spec.image;
  }
  return json::serialize(body);
}

std::string network_body(const std::string& name, const std::string& bridge,
                         const std::string& instance_id, ToolTemplate::Network kind,
                         const std::optional<Leases>& leases) {
  json::object body{{"name", name},
                    {"driver", "bridge"},
                    {"network_interface", bridge},
                    {"internal", kind == ToolTemplate::Network::gateway_only},
                    {"dns_enabled", false},
                    {"labels", json::object{{"io.holdfast.managed-by", "holdfast"},
                                            {key(label_instance), instance_id}}}};
  if (leases) {
    body["subnets"] = json::array{json::object{
        {"subnet", leases->subnet},
        {"lease_range", json::object{{"start_ip", leases->first}, {"end_ip", leases->last}}}}};
  }
  return json::serialize(body);
}

Result<std::vector<std::string>> read_names(std::string_view body) {
  return parsed<std::vector<std::string>>("list", body, [](const json::value& value) {
    std::vector<std::string> names;
    for (const auto& row : value.as_array()) {
      names.emplace_back(view(row.as_object().at("Names").as_array().at(0).as_string()));
    }
    return names;
  });
}

Result<std::optional<ContainerState>> read_inspection(std::string_view body) {
  using Answer = std::optional<ContainerState>;
  return parsed<Answer>("inspect", body, [](const json::value& value) -> Answer {
    const auto& object = value.as_object();
    const auto* labels = object.at("Config").as_object().if_contains("Labels");
    if (!labels || !labels->is_object()) return std::nullopt;
    const auto& state = object.at("State").as_object();
    ContainerState seen;
    seen.name = std::string(view(object.at("Name").as_string()));
    seen.engine_id = std::string(view(object.at("Id").as_string()));
    seen.tool = {PrincipalName(label(labels->as_object(), label_user)),
                 label(labels->as_object(), label_tool)};
    const auto generation = label(labels->as_object(), label_generation);
    std::from_chars(generation.data(), generation.data() + generation.size(), seen.generation);
    seen.spec_hash = label(labels->as_object(), label_spec);
    seen.phase = phase_of(view(state.at("Status").as_string()));
    seen.started = time_of(state, "StartedAt");
    seen.finished = time_of(state, "FinishedAt");
    seen.exit_code = state.at("ExitCode").to_number<int>();
    seen.out_of_memory = state.at("OOMKilled").as_bool();
    seen.address = address_of(object);
    return seen;
  });
}

Result<std::string> read_subnet(std::string_view body) {
  return parsed<std::string>("network inspect", body, [](const json::value& value) {
    const auto& network = value.is_array() ? value.as_array().at(0) : value;
    const auto& subnets = network.as_object().at("subnets").as_array();
    return std::string(view(subnets.at(0).as_object().at("subnet").as_string()));
  });
}

std::string error_message(std::string_view body) {
  auto read = parsed<std::string>("a request", body, [](const json::value& value) {
    return std::string(view(value.as_object().at("message").as_string()));
  });
  return log_field(read ? *read : std::string(body), 600);
}

std::string read_log_frames(std::string_view body) {
  std::string text;
  while (body.size() >= 8 && body[0] >= 0 && body[0] <= 2 && body[1] == 0) {
    std::size_t length = 0;
    for (int i = 4; i < 8; ++i) length = length << 8 | static_cast<unsigned char>(body[i]);
    body.remove_prefix(8);
    const auto frame = body.substr(0, length);
    text += frame;
    if (!frame.ends_with('\n')) text += '\n';
    body.remove_prefix(frame.size());
  }
  return text;
}

}  // namespace holdfast::control

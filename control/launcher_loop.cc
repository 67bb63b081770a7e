// The launcher's reconcile loop: scan, decide, act. One worker a tool.
#include <algorithm>

#include "base/log.h"
#include "control/launcher_state.h"
#include "control/tool_spec.h"

namespace holdfast::control {
namespace asio = boost::asio;
using State = ToolLauncher::State;
using Engine = Observation::Engine;
namespace {

constexpr std::uint32_t attempt_limit = 3;
constexpr auto retry_delay = std::chrono::milliseconds(1'000);

// The engine could not be asked: nothing is known, nothing may be concluded.
bool means_unknown(ErrorCode code) {
  return code == ErrorCode::unavailable || code == ErrorCode::timed_out ||
         code == ErrorCode::cancelled;
}

}  // namespace

asio::awaitable<void> State::loop() {
  while (!stopping_) {
    if (!dirty_) co_await changed_.wait(options_.full_scan_every);
    if (stopping_) break;
    dirty_ = false;
    if (!prepared_) {
      auto prepared = co_await parts_.engine.prepare();
      prepared_ = prepared.has_value();
      if (!prepared_) retry_soon();
    }
    co_await scan();
  }
}

asio::awaitable<void> State::watch() {
  while (!stopping_) {
    if (prepared_) {
      auto ended = co_await parts_.engine.watch([self = weak_from_this()] {
        if (auto state = self.lock()) state->wake();
      });
      if (!ended) spdlog::debug("control: the engine's events ended: {}", ended.error().context);
      wake();  // events may have been lost
    }
    if (stopping_) break;
    co_await sleep_for(retry_delay);
  }
}

// One retry is under way at most: a failing engine must not pile up timers.
void State::retry_soon() {
  if (retrying_) return;
  retrying_ = tasks_.spawn("try again", retry());
}

asio::awaitable<void> State::retry() {
  co_await sleep_for(retry_delay);
  retrying_ = false;
  wake();
}

asio::awaitable<Result<void>> State::read_registry() {
  std::map<ToolId, std::uint64_t> versions;
  for (const auto& [id, instance] : tools_) versions[id] = instance.version;
  Registry& registry = parts_.registry;
  auto records = co_await parts_.pool.run([&registry] { return registry.tools(); });
  if (!records) co_return std::unexpected(records.error());
  auto templates = co_await parts_.pool.run([&registry] { return registry.templates(); });
  if (!templates) co_return std::unexpected(templates.error());
  templates_ = std::move(*templates);
  std::map<ToolId, bool> present;
  for (auto& record : *records) {
    present[record.id] = true;
    auto* known = find(record.id);
    if (known && (known->working || known->version != versions[record.id])) continue;
    if (!known || known->tool_template.version != record.template_version) {
      auto chosen = co_await parts_.pool.run([&registry, &record] {
        return registry.find_template(record.id.tool, record.template_version);
      });
      if (!chosen) co_return std::unexpected(chosen.error());
      tools_[record.id].tool_template = std::move(*chosen);
    }
    auto& instance = tools_[record.id];
    if (instance.record.generation < record.generation) instance.observed.answers = false;
    if (record.desired == Desired::running) instance.observed.released = false;
    instance.record = std::move(record);
  }
  // Whose user was removed: its container is an orphan now.
  std::erase_if(tools_, [&](const auto& entry) {
    const bool as_listed =
        versions.contains(entry.first) && versions[entry.first] == entry.second.version;
    return !entry.second.working && as_listed && !present.contains(entry.first);
  });
  co_return Result<void>();
}

void State::see(Instance& instance, const Result<std::vector<ContainerState>>& containers) {
  auto& observed = instance.observed;
  observed.mount = parts_.mounts.state(instance.record.id.user);
  if (!containers) {
    observed.engine = Engine::unknown;
    observed.engine_error = containers.error().context;
    return;
  }
  observed.engine_error.clear();
  const auto name = container_name(parts_.registry.instance_id(), instance.record.id);
  const auto found = std::ranges::find(*containers, name, &ContainerState::name);
  observed.engine = found == containers->end() ? Engine::absent : Engine::present;
  if (found == containers->end()) {
    observed.answers = false;
    return;
  }
  if (found->generation != observed.container.generation ||
      found->phase != ContainerState::Phase::running) {
    observed.answers = false;
  }
  observed.container = *found;
}

asio::awaitable<void> State::scan() {
  if (auto read = co_await read_registry(); !read) {
    spdlog::error("control: cannot read the tools: {}", read.error().context);
    retry_soon();
    co_return;
  }
  std::map<ToolId, std::uint64_t> versions;
  for (const auto& [id, instance] : tools_) versions[id] = instance.version;
  auto containers = co_await parts_.engine.list();
  for (auto& [id, instance] : tools_) {
    // Whoever works on it, or changed it meanwhile, knows better than this list.
    if (instance.working || !versions.contains(id) || versions[id] != instance.version) continue;
    see(instance, containers);
  }
  publish();
  if (!containers) {
    retry_soon();
    co_return;
  }
  std::map<std::string, bool> ours;
  for (const auto& [id, instance] : tools_) {
    ours[container_name(parts_.registry.instance_id(), id)] = true;
  }
  for (const auto& container : *containers) {
    if (ours.contains(container.name) || orphans_.contains(container.name)) continue;
    orphans_[container.name] = true;
    tasks_.spawn("end " + container.name, remove_orphan(container.name, container.tool.user));
  }
  start_work();
}

void State::start_work() {
  const auto now = parts_.clock.now();
  for (auto& [id, instance] : tools_) {
    if (instance.working || stopping_) continue;
    if (instance.not_before && parts_.clock.monotonic() < *instance.not_before) {
      retry_soon();
      continue;
    }
    if (next_step(instance.record, instance.tool_template, instance.observed, now) == Step::none) {
      continue;
    }
    instance.working = true;
    if (!tasks_.spawn("work on " + id.tool + "-" + id.user.value, work(id))) {
      instance.working = false;
    }
  }
}

asio::awaitable<void> State::remove_orphan(std::string name, PrincipalName user) {
  auto removed = co_await parts_.engine.remove(name, options_.stop_grace);
  if (!removed) spdlog::warn("control: cannot end {}: {}", name, removed.error().context);
  orphans_.erase(name);
  const bool used = std::ranges::any_of(tools_, [&](const auto& entry) {
    return entry.first.user == user && entry.second.record.desired == Desired::running;
  });
  if (!used || stopping_) co_await parts_.mounts.release(user);
}

asio::awaitable<void> State::work(ToolId id) {
  while (!stopping_) {
    auto* instance = find(id);
    if (!instance) co_return;
    const auto step = next_step(instance->record, instance->tool_template, instance->observed,
                                parts_.clock.now());
    if (step == Step::none) break;
    auto done = co_await take_step(id, step);
    instance = find(id);
    if (!instance) co_return;
    ++instance->version;
    if (!done && !stopping_ && done.error().code != ErrorCode::conflict) {
      spdlog::warn("control: {}-{}: {}", id.tool, id.user.value, done.error().context);
      if (means_unknown(done.error().code)) {
        instance->observed.engine = Engine::unknown;
        instance->observed.engine_error = done.error().context;
      }
      instance->not_before = parts_.clock.monotonic() + retry_delay;
      retry_soon();
      break;
    }
    publish();
  }
  if (auto* instance = find(id)) {
    instance->working = false;
    ++instance->version;
  }
  publish();
  dirty_ = true;  // what was passed over while working is looked at once more
  changed_.notify();
}

asio::awaitable<Result<void>> State::take_step(ToolId id, Step step) {
  const auto name = container_name(parts_.registry.instance_id(), id);
  Result<void> done;
  switch (step) {
    case Step::none:
      break;
    case Step::bring_up:
      done = co_await bring_up(id);
      break;
    case Step::probe:
      co_return co_await probe(id);
    case Step::record_failure:
      done = co_await record_failure(id);
      break;
    case Step::release:
      co_return co_await release(id);
    case Step::remove:
      publish();
      done = co_await parts_.engine.remove(name, options_.stop_grace);
      break;
    case Step::mount: {
      auto user = co_await parts_.pool.run(
          [&registry = parts_.registry, who = id.user] { return registry.principal(who); });
      if (!user) co_return std::unexpected(user.error());
      auto paths = co_await parts_.mounts.ensure({id.user, user->uid});
      if (!paths) co_return std::unexpected(paths.error());
      break;
    }
  }
  if (done || !means_unknown(done.error().code)) co_await observe(id);
  co_return done;
}

// This tool's record and container as they are now.
asio::awaitable<void> State::observe(ToolId id) {
  Registry& registry = parts_.registry;
  auto* instance = find(id);
  const auto version = instance ? instance->version : 0;
  auto records = co_await parts_.pool.run([&registry] { return registry.tools(); });
  auto containers = co_await parts_.engine.list();
  instance = find(id);
  if (!instance) co_return;
  if (records && instance->version == version) {
    const auto found = std::ranges::find(*records, id, &ToolRecord::id);
    if (found != records->end())
      instance->record = *found;
    else
      instance->record.desired = Desired::stopped;  // the user is gone
  }
  see(*instance, containers);
}

asio::awaitable<Result<void>> State::bring_up(ToolId id) {
  auto* instance = find(id);
  const auto record = instance->record;
  const auto tool = instance->tool_template;
  instance->observed.released = false;
  Registry& registry = parts_.registry;
  auto user =
      co_await parts_.pool.run([&registry, who = id.user] { return registry.principal(who); });
  if (!user) co_return std::unexpected(user.error());
  instance->observed.mount = {.state = MountState::starting};
  publish();
  auto paths = co_await parts_.mounts.ensure({id.user, user->uid});
  if ((instance = find(id))) instance->observed.mount = parts_.mounts.state(id.user);
  publish();
  if (!paths) co_return co_await give_up_after_attempts(id, paths.error());
  auto key =
      co_await parts_.pool.run([&registry, record] { return registry.renew_tool_key(record); });
  if (!key) co_return std::unexpected(key.error());
  auto options = options_;
  if (options.s3_endpoint.find("{host}") != std::string::npos) {
    options.s3_endpoint.replace(options.s3_endpoint.find("{host}"), 6,
                                parts_.engine.host_address());
  }
  const SpecInputs inputs{.record = record,
                          .tool_template = tool,
                          .uid = user->uid,
                          .mounts = *paths,
                          .key = *key,
                          .homes_bucket = registry.homes_bucket(),
                          .instance_id = registry.instance_id()};
  const auto spec = build_spec(inputs, options);
  auto made = co_await make(spec);
  if (made || means_unknown(made.error().code)) co_return made;
  co_return co_await give_up_after_attempts(id, made.error());
}

// Some failures pass (a store that is just starting); what fails three times needs a person.
asio::awaitable<Result<void>> State::give_up_after_attempts(ToolId id, Error error) {
  auto* instance = find(id);
  if (!instance) co_return Result<void>();
  const auto record = instance->record;
  Registry& registry = parts_.registry;
  if (record.attempts + 1 >= attempt_limit) {
    co_return co_await parts_.pool.run([&registry, record, error] {
      return registry.record_tool_failure(record, "it could not be started: " + error.context, "");
    });
  }
  auto counted = co_await parts_.pool.run(
      [&registry, record] { return registry.record_tool_attempt(record); });
  if (!counted) co_return counted;
  if (auto* present = find(id); present && present->record.generation == record.generation) {
    present->record.attempts = record.attempts + 1;
  }
  co_return std::unexpected(Error{ErrorCode::internal, error.context});
}

asio::awaitable<Result<void>> State::probe(ToolId id) {
  const auto* instance = find(id);
  net::ClientRequest request;
  request.url = fmt::format("http://{}:{}{}", instance->observed.container.address,
                            instance->tool_template.port, instance->tool_template.ready_path);
  request.connect_timeout = std::chrono::milliseconds(1'000);
  request.head_timeout = std::chrono::milliseconds(2'000);
  auto response = co_await http_.send(std::move(request));
  auto* probed = find(id);
  if (!probed) co_return Result<void>();
  if (response && response->status < 500) {
    probed->observed.answers = true;
    co_return Result<void>();
  }
  co_await sleep_for(options_.ready_poll_every);
  co_await observe(id);
  co_return Result<void>();
}

asio::awaitable<Result<void>> State::record_failure(ToolId id) {
  const auto* instance = find(id);
  const auto record = instance->record;
  const auto& observed = instance->observed;
  auto sentence = observed.mount.state == MountState::lost
                      ? observed.mount.reason
                      : exit_sentence(observed.container, instance->tool_template);
  auto log = co_await parts_.engine.logs(instance->observed.container.name, 100);
  spdlog::warn("control: {}-{} failed: {}", id.tool, id.user.value, sentence);
  Registry& registry = parts_.registry;
  co_return co_await parts_.pool.run(
      [&registry, record, sentence, tail = log.value_or(std::string())] {
        return registry.record_tool_failure(record, sentence, tail);
      });
}

bool State::others_need_mounts(const ToolId& id) const {
  return std::ranges::any_of(tools_, [&](const auto& entry) {
    const auto& other = entry.second;
    return entry.first.user == id.user && entry.first != id &&
           (other.record.desired == Desired::running || other.observed.engine == Engine::present);
  });
}

asio::awaitable<Result<void>> State::release(ToolId id) {
  auto* instance = find(id);
  const auto record = instance->record;
  instance->observed.released = true;
  if (!record.key.empty()) {
    Registry& registry = parts_.registry;
    auto revoked =
        co_await parts_.pool.run([&registry, record] { return registry.revoke_tool_key(record); });
    if (!revoked && revoked.error().code != ErrorCode::not_found) co_return revoked;
    if ((instance = find(id)) && instance->record.key == record.key) instance->record.key = {};
  }
  if (!others_need_mounts(id)) co_await parts_.mounts.release(id.user);
  if ((instance = find(id))) instance->observed.mount = parts_.mounts.state(id.user);
  co_return Result<void>();
}

}  // namespace holdfast::control

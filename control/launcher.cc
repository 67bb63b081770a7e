#include "control/launcher.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "control/launcher_state.h"
#include "control/names.h"
#include "control/tool_spec.h"

namespace holdfast::control {
namespace asio = boost::asio;
using State = ToolLauncher::State;

// --- The face: any thread ---------------------------------------------------------------------

ToolLauncher::ToolLauncher(asio::any_io_executor executor, Parts parts, LauncherOptions options)
    : state_(std::make_shared<State>(std::move(executor), parts, std::move(options))) {}
ToolLauncher::~ToolLauncher() = default;

namespace {

// Runs `task` on the launcher's executor and resumes on the caller's.
template <class T>
asio::awaitable<T> hop(asio::any_io_executor executor, asio::awaitable<T> task) {
  co_return co_await asio::co_spawn(executor, std::move(task), asio::use_awaitable);
}

}  // namespace

asio::awaitable<Result<void>> ToolLauncher::run() { return hop(state_->executor(), state_->run()); }
asio::awaitable<void> ToolLauncher::stop(Ending ending) {
  co_await asio::co_spawn(state_->executor(), state_->stop(ending), asio::use_awaitable);
}
asio::awaitable<Result<ToolStatus>> ToolLauncher::start(Actor actor, ToolId id) {
  return hop(state_->executor(),
             state_->change(std::move(actor), std::move(id), &Registry::start_tool));
}
asio::awaitable<Result<ToolStatus>> ToolLauncher::stop_tool(Actor actor, ToolId id) {
  return hop(state_->executor(),
             state_->change(std::move(actor), std::move(id), &Registry::stop_tool));
}
asio::awaitable<Result<ToolStatus>> ToolLauncher::restart(Actor actor, ToolId id) {
  return hop(state_->executor(),
             state_->change(std::move(actor), std::move(id), &Registry::restart_tool));
}
asio::awaitable<Result<std::string>> ToolLauncher::logs(ToolId id, std::size_t lines) {
  return hop(state_->executor(), state_->logs(std::move(id), lines));
}

void ToolLauncher::user_changed(const PrincipalName&) {
  asio::post(state_->executor(), [state = state_] { state->wake(); });
}

std::optional<ToolStatus> ToolLauncher::status(const ToolId& id) const {
  const auto table = state_->table();
  if (const auto found = table->tools.find(id); found != table->tools.end()) {
    return state_->status_of(found->second);
  }
  for (const auto& tool : table->templates) {
    if (tool.name != id.tool) continue;
    State::Instance never{.record = {.id = id}, .tool_template = tool};
    return state_->status_of(never);
  }
  return std::nullopt;
}

std::vector<ToolStatus> ToolLauncher::list(const PrincipalName& user) const {
  std::vector<ToolStatus> rows;
  for (const auto& tool : state_->table()->templates) {
    if (auto row = status({user, tool.name})) rows.push_back(std::move(*row));
  }
  return rows;
}

std::vector<ToolStatus> ToolLauncher::list_all() const {
  std::vector<ToolStatus> rows;
  const auto table = state_->table();
  for (const auto& [id, instance] : table->tools) rows.push_back(state_->status_of(instance));
  return rows;
}

std::optional<ToolAddress> ToolLauncher::address(const ToolId& id) const {
  const auto table = state_->table();
  const auto found = table->tools.find(id);
  if (found == table->tools.end()) return std::nullopt;
  const auto& instance = found->second;
  if (state_->status_of(instance).shown.state != ToolState::ready) return std::nullopt;
  return ToolAddress{instance.observed.container.address, instance.tool_template.port,
                     instance.record.generation};
}

std::optional<ToolId> ToolLauncher::parse_host_label(std::string_view label) {
  const auto dash = label.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  ToolId id{PrincipalName(std::string(label.substr(dash + 1))), std::string(label.substr(0, dash))};
  if (!check_template_name(id.tool) || !check_principal_name(id.user.value)) return std::nullopt;
  return id;
}

// --- State: start, stop, look-ups -------------------------------------------------------------

State::State(asio::any_io_executor where, Parts given, LauncherOptions opts)
    : executor_(where),
      parts_(given),
      options_(std::move(opts)),
      http_(where, {}),
      tasks_(where),
      changed_(where),
      made_(where),
      table_(std::make_shared<Table>()) {}

asio::awaitable<Result<void>> State::run() {
  parts_.mounts.on_lost([weak = weak_from_this()] {
    if (auto self = weak.lock()) asio::post(self->executor_, [self] { self->wake(); });
  });
  if (auto read = co_await read_registry(); !read) co_return std::unexpected(read.error());
  auto prepared = co_await parts_.engine.prepare();
  prepared_ = prepared.has_value();
  co_await scan();
  tasks_.spawn("reconcile tools", loop());
  tasks_.spawn("watch the engine", watch());
  co_return prepared;
}

// The engine makes what it was asked for also when nobody waits for its answer any more, so what is
// under way is known to stop().
asio::awaitable<Result<void>> State::make(ContainerSpec spec) {
  if (stopping_) co_return fail(ErrorCode::cancelled, "the server is being stopped");
  const auto name = spec.name;
  making_[name] = spec.tool.user;
  auto ensured = co_await parts_.engine.ensure(std::move(spec));
  if (!ensured && ensured.error().code == ErrorCode::conflict) {  // a half-made one of that name
    (void)co_await parts_.engine.remove(name, std::chrono::seconds(0));
  }
  making_.erase(name);
  made_.notify();
  if (!ensured) co_return std::unexpected(ensured.error());
  co_return Result<void>();
}

// What the engine has not answered within the limit.
asio::awaitable<std::map<std::string, PrincipalName>> State::wait_for_making() {
  const auto deadline = parts_.clock.monotonic() + options_.making_limit;
  while (!making_.empty()) {
    const auto left = deadline - parts_.clock.monotonic();
    if (left.count() <= 0) break;
    co_await made_.wait(std::chrono::ceil<std::chrono::milliseconds>(left));
  }
  co_return making_;
}

asio::awaitable<void> State::stop(Ending ending) {
  stopping_ = true;
  wake();
  auto unfinished = co_await wait_for_making();
  co_await tasks_.stop(std::chrono::milliseconds(100));
  if (ending == Ending::keep_tools || !prepared_) co_return;
  auto containers = co_await parts_.engine.list();
  if (!containers) {
    spdlog::error("control: cannot list the tools to end them: {}", containers.error().context);
    co_return;
  }
  TaskGroup removals(executor_);
  for (const auto& container : *containers) {
    unfinished.erase(container.name);
    removals.spawn("end " + container.name, remove_orphan(container.name, container.tool.user));
  }
  for (const auto& [name, user] : unfinished) {
    spdlog::error("control: the engine still makes the container {}; remove it if it appears",
                  name);
    removals.spawn("end " + name, remove_orphan(name, user));
  }
  co_await removals.wait_idle();
  co_await removals.stop(std::chrono::milliseconds(0));
  co_await parts_.engine.retire();
}

asio::awaitable<Result<ToolStatus>> State::change(
    Actor actor, ToolId id, Result<ToolRecord> (Registry::*how)(const Actor&, const ToolId&)) {
  if (stopping_) co_return fail(ErrorCode::unavailable, "the server is being stopped");
  Registry& registry = parts_.registry;
  auto record =
      co_await parts_.pool.run([&registry, how, actor, id] { return (registry.*how)(actor, id); });
  if (!record) co_return std::unexpected(record.error());
  auto chosen =
      co_await parts_.pool.run([&registry, name = id.tool, version = record->template_version] {
        return registry.find_template(name, version);
      });
  if (!chosen) co_return std::unexpected(chosen.error());
  auto& instance = tools_[id];
  if (instance.record.generation <= record->generation) {
    if (instance.record.generation < record->generation) {
      instance.observed.answers = false;
      instance.observed.released = false;
    }
    instance.record = std::move(*record);
    instance.tool_template = std::move(*chosen);
    instance.not_before.reset();
    ++instance.version;
    if (instance.observed.engine == Observation::Engine::unknown && prepared_ &&
        instance.observed.engine_error.empty()) {
      instance.observed.engine = Observation::Engine::absent;  // the scan that follows looks
    }
  }
  publish();
  wake();
  co_return status_of(instance);
}

asio::awaitable<Result<std::string>> State::logs(ToolId id, std::size_t lines) {
  const auto* instance = find(id);
  if (!instance) {
    co_return fail(ErrorCode::not_found, "the tool {}-{} has never been started", id.tool,
                   id.user.value);
  }
  if (instance->observed.engine != Observation::Engine::present) {
    co_return instance->record.failure_log;
  }
  co_return co_await parts_.engine.logs(container_name(parts_.registry.instance_id(), id), lines);
}

void State::wake() {
  dirty_ = true;
  changed_.notify();
}

std::shared_ptr<const State::Table> State::table() const {
  std::lock_guard lock(mutex_);
  return table_;
}

void State::publish() {
  auto next = std::make_shared<Table>(Table{tools_, templates_});
  std::lock_guard lock(mutex_);
  table_ = std::move(next);
}

ToolStatus State::status_of(const Instance& instance) const {
  ToolStatus status{.id = instance.record.id,
                    .title = instance.tool_template.title,
                    .shown = shown_state(instance.record, instance.tool_template, instance.observed,
                                         parts_.clock.now()),
                    .since = instance.record.changed,
                    .generation = instance.record.generation,
                    .template_version = instance.tool_template.version};
  if (status.shown.state == ToolState::ready) status.since = instance.observed.container.started;
  return status;
}

State::Instance* State::find(const ToolId& id) {
  const auto found = tools_.find(id);
  return found == tools_.end() ? nullptr : &found->second;
}

}  // namespace holdfast::control

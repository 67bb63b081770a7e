#include "syncd/sidecar.h"

#include "base/event.h"
#include "base/log.h"
#include "base/task_group.h"
#include "syncd/watcher.h"

namespace holdfast::syncd {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

// Rescans make good what inotify cannot see; more often where it could not watch everything.
constexpr milliseconds rescan_every{10 * 60'000};
constexpr milliseconds rescan_unwatched{30'000};

HomeConfig without_stubs(HomeConfig config) {
  config.stubs = false;
  // Nobody says when a file is closed for good, so quiet has to say it.
  config.settle = std::max(config.settle, milliseconds(100));
  return config;
}

}  // namespace

struct Sidecar::State final : WatchListener {
  State(asio::any_io_executor strand, const HomeConfig& wanted, store::ObjectStore& store,
        Clock& clock, Random& random)
      : executor(strand),
        config(wanted),
        tasks(strand),
        engine(strand, without_stubs(wanted), store, clock, random, nullptr) {}

  void changed(const std::string& path) override { engine.changed(path); }
  void renamed(const std::string& from, const std::string& to) override {
    engine.renamed(from, to);
  }
  void rescan(const std::string& directory) override { engine.rescan(directory); }

  asio::awaitable<void> watch(std::shared_ptr<State> self) { co_await self->watcher->run(); }
  asio::awaitable<void> rescan_at_times(std::shared_ptr<State> self) {
    while (!self->tasks.stopping()) {
      co_await sleep_for(self->watcher->complete() ? rescan_every : rescan_unwatched);
      if (!self->tasks.stopping()) self->engine.rescan("");
    }
  }

  asio::any_io_executor executor;
  HomeConfig config;
  TaskGroup tasks;
  std::unique_ptr<Watcher> watcher;
  HomeEngine engine;
};

Sidecar::Sidecar(asio::any_io_executor strand, HomeConfig config, store::ObjectStore& store,
                 Clock& clock, Random& random)
    : state_(std::make_shared<State>(std::move(strand), config, store, clock, random)) {}

Sidecar::~Sidecar() = default;

asio::awaitable<Result<void>> Sidecar::start() {
  auto state = state_;
  auto watcher = Watcher::open(state->executor, state->config.tree, state->config.exclude, *state);
  if (!watcher) co_return std::unexpected(watcher.error());
  state->watcher = std::move(*watcher);
  auto started = co_await state->engine.start();
  if (!started) co_return started;
  // Events have queued in the kernel since the watches were set.
  state->tasks.spawn("watch the tree", state->watch(state));
  state->tasks.spawn("rescan the tree", state->rescan_at_times(state));
  co_return Result<void>();
}

asio::awaitable<Result<void>> Sidecar::run_once(milliseconds limit) {
  auto state = state_;
  auto started = co_await state->engine.start();
  if (!started) co_return started;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  Result<void> result;
  for (;;) {
    const HomeStatus now = state->engine.status();
    if (now.started && now.working == 0) break;
    if (!now.started && !now.last_error.empty()) {
      result = fail(ErrorCode::unavailable, "the store does not answer: {}", now.last_error);
      break;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      result = fail(ErrorCode::timed_out, "{} paths are not equal yet; run it again", now.working);
      break;
    }
    co_await sleep_for(milliseconds(20));
  }
  co_await state->engine.stop();
  co_return result;
}

asio::awaitable<Result<void>> Sidecar::drain(milliseconds limit) {
  auto state = state_;
  co_return co_await state->engine.drain(limit);
}

asio::awaitable<void> Sidecar::stop() {
  auto state = state_;
  if (state->watcher) state->watcher->close();
  co_await state->tasks.stop(milliseconds(0));
  co_await state->engine.stop();
}

HomeStatus Sidecar::status() const { return state_->engine.status(); }

HomeEngine& Sidecar::engine() { return state_->engine; }

}  // namespace holdfast::syncd

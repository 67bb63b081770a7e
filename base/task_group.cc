#include "base/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "base/error.h"
#include "base/log.h"

namespace holdfast {

namespace asio = boost::asio;

struct TaskGroup::State {
  explicit State(asio::any_io_executor e) : executor(std::move(e)), idle(executor) {}

  asio::any_io_executor executor;
  asio::steady_timer idle;
  std::list<asio::cancellation_signal> signals;
  bool stopping = false;
};

TaskGroup::TaskGroup(asio::any_io_executor executor)
    : state_(std::make_shared<State>(std::move(executor))) {}

TaskGroup::~TaskGroup() {
  // A context that was stopped destroys its coroutines itself; their handlers never run.
  state_->stopping = true;
}

bool TaskGroup::spawn(std::string name, asio::awaitable<void> task) {
  if (state_->stopping) return false;
  auto signal = state_->signals.emplace(state_->signals.end());
  asio::co_spawn(
      state_->executor, std::move(task),
      asio::bind_cancellation_slot(signal->slot(), [state = state_, signal, name = std::move(name)](
                                                       std::exception_ptr error) {
        if (error) {
          try {
            std::rethrow_exception(error);
          } catch (const std::exception& e) {
            if (!state->stopping)
              spdlog::error("base: task {} ended by an exception: {}", name, e.what());
          }
        }
        state->signals.erase(signal);
        if (state->signals.empty()) state->idle.cancel();
      }));
  return true;
}

std::size_t TaskGroup::running() const { return state_->signals.size(); }
bool TaskGroup::stopping() const { return state_->stopping; }

asio::awaitable<void> TaskGroup::wait_idle() {
  auto state = state_;
  while (!state->signals.empty()) {
    state->idle.expires_at(asio::steady_timer::time_point::max());
    boost::system::error_code ignored;
    co_await state->idle.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

asio::awaitable<void> TaskGroup::stop(std::chrono::milliseconds grace) {
  auto state = state_;
  state->stopping = true;
  boost::system::error_code ignored;
  if (!state->signals.empty() && grace.count() > 0) {
    state->idle.expires_after(grace);
    co_await state->idle.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  // Emitting may end a task at once and erase its node, so step before each emit.
  for (auto it = state->signals.begin(); it != state->signals.end();) {
    auto next = std::next(it);
    it->emit(asio::cancellation_type::terminal);
    it = next;
  }
  co_await wait_idle();
}

}  // namespace holdfast

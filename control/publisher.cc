#include "control/publisher.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "control/registry.h"

namespace holdfast::control {
namespace asio = boost::asio;

// Its timer is touched on its own executor only; publish() posts there.
struct PolicyPublisher::Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

PolicyPublisher::PolicyPublisher(const Clock& clock)
    : clock_(clock), current_(std::make_shared<const PolicySnapshot>(PolicyContent{})) {}

PolicyPublisher::~PolicyPublisher() = default;

Result<void> PolicyPublisher::attach(Registry& registry) {
  // The listener first: a commit between the two is then published twice, never missed.
  registry.on_access_change([this](PolicyContent content) { publish(std::move(content)); });
  auto content = registry.policy_content();
  if (!content) return std::unexpected(content.error());
  publish(std::move(*content));
  return {};
}

void PolicyPublisher::publish(PolicyContent content) {
  auto next = std::make_shared<const PolicySnapshot>(std::move(content));
  std::list<std::shared_ptr<Waiter>> woken;
  std::list<std::function<void(std::shared_ptr<const PolicySnapshot>)>> told;
  {
    std::lock_guard lock(mutex_);
    if (next->epoch() < std::atomic_load(&current_)->epoch()) return;
    std::atomic_store(&current_, next);
    woken.swap(waiters_);
    told = listeners_;
  }
  for (const auto& waiter : woken) {
    asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
  }
  for (const auto& listener : told) listener(next);
}

std::shared_ptr<const PolicySnapshot> PolicyPublisher::current() const {
  return std::atomic_load(&current_);
}

void PolicyPublisher::subscribe(
    std::function<void(std::shared_ptr<const PolicySnapshot>)> listener) {
  std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

asio::awaitable<std::uint64_t> PolicyPublisher::wait_for_epoch(std::uint64_t after,
                                                               std::chrono::milliseconds limit) {
  auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
  {
    std::lock_guard lock(mutex_);
    const auto snapshot = std::atomic_load(&current_);
    if (snapshot->epoch() > after) co_return snapshot->epoch();
    const auto now = clock_.now();
    std::chrono::nanoseconds wait = limit;
    if (const auto expiry = snapshot->next_expiry(now)) wait = std::min(wait, *expiry - now);
    waiter->timer.expires_after(wait);
    waiters_.push_back(waiter);
  }
  boost::system::error_code ignored;
  co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  std::lock_guard lock(mutex_);
  waiters_.remove(waiter);
  co_return std::atomic_load(&current_)->epoch();
}

}  // namespace holdfast::control

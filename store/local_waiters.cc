#include "store/local_waiters.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <utility>

namespace holdfast::store {

namespace asio = boost::asio;

// The timer is touched on its strand only, whatever threads the caller's executor has.
class ChangeWaiters::Ticket {
 public:
  explicit Ticket(const asio::any_io_executor& executor)
      : strand(asio::make_strand(executor)), timer(strand) {}

  asio::strand<asio::any_io_executor> strand;
  asio::steady_timer timer;
  bool woken = false;
};

asio::awaitable<std::shared_ptr<ChangeWaiters::Ticket>> ChangeWaiters::enter(std::uint64_t bucket) {
  auto ticket = std::make_shared<Ticket>(co_await asio::this_coro::executor);
  const std::lock_guard lock(mutex_);
  auto& queue = waiting_[bucket];
  std::erase_if(queue, [](const auto& other) { return other.expired(); });
  queue.push_back(ticket);
  co_return ticket;
}

namespace {

template <class Ticket>
asio::awaitable<void> wait_on_strand(std::shared_ptr<Ticket> ticket,
                                     std::chrono::milliseconds limit) {
  if (ticket->woken) co_return;
  ticket->timer.expires_after(limit);
  boost::system::error_code ignored;
  co_await ticket->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

asio::awaitable<void> ChangeWaiters::wait(std::shared_ptr<Ticket> ticket,
                                          std::chrono::milliseconds limit) {
  auto& strand = ticket->strand;
  co_await asio::co_spawn(strand, wait_on_strand(std::move(ticket), limit), asio::use_awaitable);
}

void ChangeWaiters::notify(const std::set<std::uint64_t>& buckets) {
  std::vector<std::shared_ptr<Ticket>> woken;
  {
    const std::lock_guard lock(mutex_);
    for (const auto bucket : buckets) {
      const auto found = waiting_.find(bucket);
      if (found == waiting_.end()) continue;
      for (const auto& waiting : found->second) {
        if (auto ticket = waiting.lock()) woken.push_back(std::move(ticket));
      }
      waiting_.erase(found);
    }
  }
  for (auto& ticket : woken) {
    // Let go after the strand, whose context may end as soon as its waiter has been woken.
    const auto guard = asio::make_work_guard(ticket->strand.get_inner_executor());
    const auto strand = ticket->strand;
    asio::post(strand, [ticket = std::move(ticket)] {
      ticket->woken = true;
      ticket->timer.cancel();
    });
  }
}

}  // namespace holdfast::store

#include "base/event.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace holdfast {

namespace asio = boost::asio;

Event::Event(asio::any_io_executor executor) : timer_(std::move(executor)) {
  timer_.expires_at(asio::steady_timer::time_point::max());
}

void Event::notify() { timer_.cancel(); }

asio::awaitable<void> Event::wait(std::chrono::milliseconds limit) {
  // Each waiter needs its own expiry, notify() must wake them all: so each call re-arms the shared
  // timer to the earlier of the two, and an early wake-up is part of the contract.
  const auto deadline = std::chrono::steady_clock::now() + limit;
  if (deadline < timer_.expiry() || timer_.expiry() <= std::chrono::steady_clock::now()) {
    timer_.expires_at(deadline);
  }
  boost::system::error_code ignored;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> sleep_for(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace holdfast

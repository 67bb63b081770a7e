#include "store/parallel.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <memory>
#include <utility>

#include "base/task_group.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;

struct Queue {
  std::size_t next = 0;
  std::size_t count = 0;
  std::function<asio::awaitable<void>(std::size_t)> work;
};

asio::awaitable<void> serve(std::shared_ptr<Queue> queue) {
  while (queue->next < queue->count) co_await queue->work(queue->next++);
}

}  // namespace

asio::awaitable<void> for_each_index(std::size_t count, std::size_t limit,
                                     std::function<asio::awaitable<void>(std::size_t)> work) {
  auto queue = std::make_shared<Queue>(0, count, std::move(work));
  TaskGroup group(co_await asio::this_coro::executor);
  for (std::size_t i = 0; i < std::min(count, limit); ++i) group.spawn("store", serve(queue));
  co_await group.wait_idle();
}

}  // namespace holdfast::store

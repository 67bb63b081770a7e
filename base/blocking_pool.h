// BlockingPool: threads for work that blocks (file I/O that io_uring does not cover, SQLite).
// Any thread may call; the coroutine of run() resumes on its own executor. The queue is bounded by
// the callers: each coroutine waits for its one call.
// A pool's thread may still be within its post() to an executor when the answer has been handled:
// whoever ends that executor's context ends the pool's threads first, by join().
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace holdfast {

class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads) : pool_(threads) {}
  ~BlockingPool() { join(); }
  // Finishes what was given and ends the threads; what is given later never runs.
  void join() { pool_.join(); }
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work`, which does not throw, on a pool thread. Nobody waits for it: the caller bounds it.
  template <class Work>
  void post(Work work) {
    boost::asio::post(pool_, std::move(work));
  }

  // The same for a coroutine that waits for what `work` returns (not void).
  template <class Work>
  boost::asio::awaitable<std::invoke_result_t<Work>> run(Work work) {
    using Answer = std::invoke_result_t<Work>;
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Answer)>(
        [this](auto handler, Work job) {
          auto home = boost::asio::get_associated_executor(handler);
          auto guard = boost::asio::make_work_guard(home);
          boost::asio::post(pool_, [handler = std::move(handler), job = std::move(job),
                                    guard = std::move(guard)]() mutable {
            Answer answer = job();
            auto executor = guard.get_executor();
            // The guard goes with the answer: once the handler has run, its context may be gone.
            boost::asio::post(executor, [handler = std::move(handler), answer = std::move(answer),
                                         guard = std::move(guard)]() mutable {
              std::move(handler)(std::move(answer));
            });
          });
        },
        boost::asio::use_awaitable, std::move(work));
  }

 private:
  boost::asio::thread_pool pool_;
};

}  // namespace holdfast

// BlockingPool: threads for work that blocks (file I/O that io_uring does not cover, SQLite).
// run() may be called from any thread; its coroutine resumes on its own executor. The queue is
// bounded by the callers: each coroutine waits for its one call.
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
  // Finishes what was given and ends the threads, so that none holds on to a caller's executor any
  // more; what is given later never runs. Before the executors' contexts go.
  void join() { pool_.join(); }
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work` (a callable that returns a non-void value and does not throw) on a pool thread.
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

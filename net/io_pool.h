// IoPool: one io_context and one thread a core; a connection stays on the context that took it, so
// its handlers need no locks. Thread-safe.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <vector>

namespace holdfast::net {

class IoPool {
 public:
  explicit IoPool(std::size_t threads);
  ~IoPool();  // stop() and join
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  std::size_t size() const;
  boost::asio::io_context& next();  // round robin
  boost::asio::io_context& at(std::size_t index);
  void stop();  // makes every context return; pending coroutines are destroyed with the pool

 private:
  struct Worker;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<std::size_t> next_ = 0;
};

}  // namespace holdfast::net

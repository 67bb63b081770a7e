#include "net/io_pool.h"

#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <exception>
#include <thread>

namespace holdfast::net {

struct IoPool::Worker {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      context.get_executor()};
  std::thread thread;

  // sendfile(2) and OpenSSL cannot suppress SIGPIPE call by call, so these threads never take it.
  static void block_sigpipe() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
  }

  // A handler that throws is a bug, but must not take the other connections with it.
  void run() {
    block_sigpipe();
    for (;;) {
      try {
        context.run();
        return;
      } catch (const std::exception& e) {
        spdlog::error("net: a handler threw: {}", e.what());
      }
    }
  }
};

IoPool::IoPool(std::size_t threads) {
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
  for (auto& worker : workers_) worker->thread = std::thread([w = worker.get()] { w->run(); });
}

IoPool::~IoPool() { stop(); }

std::size_t IoPool::size() const { return workers_.size(); }

boost::asio::io_context& IoPool::next() {
  return at(next_.fetch_add(1, std::memory_order_relaxed) % workers_.size());
}

boost::asio::io_context& IoPool::at(std::size_t index) { return workers_.at(index)->context; }

void IoPool::stop() {
  for (auto& worker : workers_) worker->context.stop();
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

}  // namespace holdfast::net

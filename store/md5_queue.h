// Md5Queue: the MD5 of the large bodies that are under way. Bodies that wait at the same time
// advance together in a processor's vectors, on one thread of the pool (s3/md5.h); more threads
// join while more wait than those take. Any thread. The queue is bounded by its callers: each waits
// for its one piece.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/blocking_pool.h"
#include "s3/md5.h"

namespace holdfast::store {

class Md5Queue {
 public:
  // At most `threads` of the pool's work here at once. The pool is joined before the queue goes.
  Md5Queue(BlockingPool& pool, std::size_t threads, s3::Md5Lanes lanes = s3::Md5Lanes());
  Md5Queue(const Md5Queue&) = delete;
  Md5Queue& operator=(const Md5Queue&) = delete;

  // Lets `stream` take the bytes; resumes on the coroutine's executor when it has. `owner` holds
  // both until then, also where the coroutine is cancelled and does not wait.
  boost::asio::awaitable<void> update(s3::Md5& stream, std::string_view bytes,
                                      std::shared_ptr<const void> owner) {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
        [this](auto handler, s3::Md5Lanes::Piece piece, std::shared_ptr<const void> held) {
          auto guard = boost::asio::make_work_guard(boost::asio::get_associated_executor(handler));
          add({piece, std::move(held),
               [handler = std::move(handler), guard = std::move(guard)]() mutable {
                 auto executor = guard.get_executor();
                 // As in BlockingPool: the guard goes with the answer.
                 boost::asio::post(
                     executor, [handler = std::move(handler), guard = std::move(guard)]() mutable {
                       std::move(handler)();
                     });
               }});
        },
        boost::asio::use_awaitable, s3::Md5Lanes::Piece{&stream, bytes}, std::move(owner));
  }

 private:
  struct Job {
    s3::Md5Lanes::Piece piece;
    std::shared_ptr<const void> owner;
    std::move_only_function<void()> answer;
  };

  void add(Job job);
  void work();  // until nothing waits
  bool take_waiting(std::vector<Job>& taken);

  BlockingPool& pool_;
  const std::size_t threads_;
  const s3::Md5Lanes lanes_;
  std::mutex mutex_;
  std::deque<Job> waiting_;
  std::size_t working_ = 0;  // threads
};

}  // namespace holdfast::store

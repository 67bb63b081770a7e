// The sequencer: one thread that puts all writes of a local store into one order.
// It takes what is queued as a group: each write is judged and applied in turn inside one index
// transaction (so that it sees those before it), the group's records become durable by one
// fdatasync, the transaction commits, and only then the writers are answered, each on its own
// executor. If any of that fails the log and the index are as they were and all of the group fail.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "store/local_group.h"
#include "store/local_hot.h"

namespace holdfast::store {

class Sequencer {
 public:
  struct Limits {
    std::size_t group_writes = 512;
    std::size_t group_bytes = 8u << 20;
    std::size_t queued_writes = 16384;
    std::uint64_t checkpoint_records = 16384;  // as LocalStoreOptions
  };
  // What surrounds it, and outlives it.
  struct Surroundings {
    HotObjects& hot;  // the keys of a group are closed here while it commits
    std::function<void(const ApplyEffects&)> committed;  // on our thread, after each group
    // Makes most of the index durable on a connection and a thread of its own.
    std::function<Result<void>()> checkpoint_aside;
  };

  Sequencer(index::Catalogue catalogue, LogWriter log, index::AppliedState state, Clock& clock,
            Random& random, Limits limits, Surroundings around);
  ~Sequencer() { finish(); }
  // Finishes what is queued, marks the index as cleanly closed and ends the thread, so that nothing
  // holds on to a writer's executor any more. What is submitted later is refused (throttled).
  void finish();

  // Runs `write`, a callable Result<T>(WriteGroup&), in its turn; `bytes` is what it holds in
  // memory. throttled: too many writes wait already.
  template <class Write>
  boost::asio::awaitable<std::invoke_result_t<Write, WriteGroup&>> submit(Write write,
                                                                          std::size_t bytes = 0);

 private:
  class Intent {
   public:
    virtual ~Intent() = default;
    virtual void judge(WriteGroup& group) = 0;
    virtual void answer(const Error* failure) = 0;
    std::size_t bytes = 0;
  };
  template <class Write, class Handler>
  class TypedIntent;

  bool enqueue(std::unique_ptr<Intent> intent);
  std::vector<std::unique_ptr<Intent>> next_group();
  void run();
  void process(std::vector<std::unique_ptr<Intent>>& intents);
  void checkpoint();
  void finish_checkpoint();
  std::optional<Error> commit_group(std::vector<std::unique_ptr<Intent>>& intents);
  Result<void> make_durable(WriteGroup& group);

  index::Catalogue catalogue_;
  LogWriter log_;
  index::AppliedState state_;
  std::string buffer_;  // of a group's records
  std::uint64_t feed_trimmed_at_ = 0, checkpointed_at_ = 0;
  Clock& clock_;
  Random& random_;
  const Limits limits_;
  const Surroundings around_;
  std::future<Result<void>> aside_;  // a checkpoint that runs beside us

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Intent>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

template <class Write, class Handler>
class Sequencer::TypedIntent final : public Intent {
 public:
  using Answer = std::invoke_result_t<Write, WriteGroup&>;
  TypedIntent(Write write, Handler handler)
      : write_(std::in_place, std::move(write)),
        handler_(std::move(handler)),
        guard_(boost::asio::make_work_guard(boost::asio::get_associated_executor(handler_))) {}

  void judge(WriteGroup& group) override { answer_.emplace((*write_)(group)); }
  void answer(const Error* failure) override {
    write_.reset();  // the file of a refused body is gone before its writer hears of it
    if (failure || !answer_) answer_.emplace(make_failure(failure));
    auto executor = guard_.get_executor();
    // The guard goes with it: once the handler has run, its context may be gone.
    boost::asio::post(
        executor, [handler = std::move(handler_), answer = std::move(*answer_),
                   guard = std::move(guard_)]() mutable { std::move(handler)(std::move(answer)); });
  }

 private:
  static Answer make_failure(const Error* failure) {
    return std::unexpected(failure ? *failure : Error{ErrorCode::internal, "never judged"});
  }

  std::optional<Write> write_;
  Handler handler_;
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> guard_;
  std::optional<Answer> answer_;
};

template <class Write>
boost::asio::awaitable<std::invoke_result_t<Write, WriteGroup&>> Sequencer::submit(
    Write write, std::size_t bytes) {
  using Answer = std::invoke_result_t<Write, WriteGroup&>;
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Answer)>(
      [this, bytes](auto handler, Write work) {
        using Handler = decltype(handler);
        auto intent =
            std::make_unique<TypedIntent<Write, Handler>>(std::move(work), std::move(handler));
        intent->bytes = bytes;
        enqueue(std::move(intent));
      },
      boost::asio::use_awaitable, std::move(write));
}

}  // namespace holdfast::store

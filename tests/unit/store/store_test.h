// What the store's unit tests share: a clock that a test moves, and running a coroutine to its end.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/random.h"
#include "store/memory_store.h"

namespace holdfast::store {

class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  MonotonicTime monotonic() const override { return MonotonicTime(now_.time_since_epoch()); }
  void advance(std::chrono::nanoseconds by) { now_ += by; }
  void set(TimePoint time) { now_ = time; }

 private:
  TimePoint now_ = from_rfc3339("2026-11-22T05:00:00Z").value();
};

template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : std::string(to_string(result.error().code));
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() : memory_(io_.get_executor(), clock_, random_) {
    EXPECT_EQ(outcome(run(memory_.create_bucket(bucket_, false))), "ok");
    EXPECT_EQ(outcome(run(memory_.set_versioning(bucket_, Versioning::enabled))), "ok");
  }

  template <class T>
  T run(boost::asio::awaitable<T> operation) {
    std::optional<T> answer;
    std::exception_ptr error;
    boost::asio::co_spawn(io_, std::move(operation), [&](std::exception_ptr e, T value) {
      error = e;
      answer.emplace(std::move(value));
    });
    io_.restart();
    io_.run_for(std::chrono::seconds(30));
    if (error) std::rethrow_exception(error);
    if (!answer) throw std::runtime_error("the coroutine did not end");
    return std::move(*answer);
  }

  // Writes a file of a home; the clock goes on a second before, so that no two share a time.
  PutResult write(ObjectStore& store, const std::string& key, std::string text,
                  std::map<std::string, std::string> metadata = {{"mode", "33188"}}) {
    clock_.advance(std::chrono::seconds(1));
    PutRequest request{.bucket = bucket_, .key = ObjectKey(key)};
    request.attributes.metadata = std::move(metadata);
    auto body = make_string_reader(std::move(text));
    auto done = run(store.put(std::move(request), *body));
    EXPECT_EQ(outcome(done), "ok") << key;
    return done.value_or(PutResult());
  }
  PutResult write(const std::string& key, std::string text) {
    return write(memory_, key, std::move(text));
  }
  void erase(const std::string& key) {
    clock_.advance(std::chrono::seconds(1));
    EXPECT_EQ(outcome(run(memory_.remove({.bucket = bucket_, .key = ObjectKey(key)}))), "ok");
  }
  // The text, or the error's name in angle brackets.
  std::string text(const std::string& key) {
    auto got = run(memory_.get({.bucket = bucket_, .key = ObjectKey(key)}));
    if (!got) return "<" + outcome(got) + ">";
    auto reader = make_reader(std::move(got->body));
    return run(read_all(*reader, 1u << 30)).value_or("<broken>");
  }
  std::size_t versions(const std::string& key) {
    auto page = run(memory_.list_versions({.bucket = bucket_, .prefix = key}));
    return page ? page->versions.size() : 0;
  }

  boost::asio::io_context io_;
  ManualClock clock_;
  SeededRandom random_{7};
  MemoryStore memory_;
  BucketName bucket_{"homes"};
};

}  // namespace holdfast::store

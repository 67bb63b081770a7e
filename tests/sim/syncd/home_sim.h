// HomeSim: one home's engine over the memory store and a real tree, in one thread, on a clock that
// only the simulator moves; programs, other clients, faults, crashes and restarts drawn from a
// seed. At the end everything becomes quiet and is checked: tree and store are equal, every content
// that was left in the tree exists somewhere, every version is one content that somebody wrote.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "store/fault_store.h"
#include "store/memory_store.h"
#include "syncd/home_engine.h"
#include "tests/sim/syncd/yielding_store.h"

namespace holdfast::syncd {

class SimClock final : public Clock {
 public:
  TimePoint now() const override {
    return TimePoint(std::chrono::nanoseconds(1795320000000000000 + ns_));
  }
  MonotonicTime monotonic() const override {
    return MonotonicTime(std::chrono::nanoseconds(1'000'000'000 + ns_));
  }
  void advance(std::chrono::milliseconds time) { ns_ += time.count() * 1'000'000; }

 private:
  std::int64_t ns_ = 0;
};

struct SimOptions {
  std::uint64_t seed = 1;
  int steps = 60;
  bool trace = false;
};

class HomeSim {
 public:
  HomeSim(SimOptions options, std::string directory);
  ~HomeSim();
  // Empty, or what is wrong.
  std::string run();

 private:
  std::string start();
  void stop();
  void crash();
  void turn(std::chrono::milliseconds time, int handlers);
  std::string quiesce();
  void step();
  void local_step();
  void remote_step();
  void disturb();

  void write(const std::string& path);
  void append(const std::string& path);
  void remove(const std::string& path);
  void rename(const std::string& from, const std::string& to);
  void touch(const std::string& path);
  void say(const std::string& path);
  void forget_content(const std::string& path);  // a program is about to destroy it
  std::string random_path();
  std::string random_existing();
  std::string full(const std::string& path) const { return config_.tree + "/" + path; }

  struct Thing {
    char kind;  // f, d, l
    std::string content;
    std::string mode, mtime;
    bool operator==(const Thing&) const = default;
  };
  std::map<std::string, Thing> look_at_tree();
  std::map<std::string, Thing> look_at_store();
  std::set<std::string> all_versions();
  std::string check();
  std::string fill_stubs();

  template <class T>
  T now(boost::asio::awaitable<T> task);
  void note(const std::string& what);

  SimOptions options_;
  SimClock clock_;
  SeededRandom random_, engine_random_, store_random_;
  HomeConfig config_;
  boost::asio::io_context store_context_;
  std::unique_ptr<store::MemoryStore> memory_;
  store::SeededFaults faults_;
  std::unique_ptr<store::FaultStore> faulty_;
  std::unique_ptr<YieldingStore> store_;
  std::unique_ptr<boost::asio::io_context> context_;
  std::unique_ptr<HomeEngine> engine_;
  std::set<std::string> contents_;  // ever written by anybody
  std::set<std::string> owned_;     // left in the tree by a program
  int counter_ = 0;
};

template <class T>
T HomeSim::now(boost::asio::awaitable<T> task) {
  std::optional<T> answer;
  boost::asio::io_context own;
  boost::asio::co_spawn(own, std::move(task), [&](std::exception_ptr error, T value) {
    if (error) std::rethrow_exception(error);
    answer = std::move(value);
  });
  own.run();
  return std::move(*answer);
}

}  // namespace holdfast::syncd

// Scrubbing: reads the whole store again and again, at a rate, and tells what is damaged: in the
// log of the server, in the audit, and to whoever asks. A pass goes on after a restart. run() is
// one task on the executor; report() and start() may be called from any thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/event.h"
#include "control/audit.h"
#include "store/local_store.h"

namespace holdfast::cli {

struct ScrubbingOptions {
  std::string state_file;              // where a pass stands and what the last one found
  std::chrono::seconds between{0};     // from one pass's start to the next's; 0: when asked only
  std::uint64_t bytes_per_second = 0;  // of such a pass; 0: no limit
};

class Scrubbing {
 public:
  Scrubbing(boost::asio::any_io_executor executor, store::LocalStore& store,
            control::AuditLog& audit, const Clock& clock, ScrubbingOptions options);

  // Until the token says stop and wake() was called.
  boost::asio::awaitable<void> run(std::stop_token stop);
  void wake();  // on the executor

  // A new pass from the beginning, now; one that runs at the usual rate is given up for it, one
  // that was asked for goes on. Answers the pass's number.
  std::uint64_t start(std::optional<std::uint64_t> bytes_per_second);
  // As GET scrub of the admin API answers it (docs/API.md).
  boost::json::object report() const;

 private:
  struct Pass {
    std::uint64_t number = 0;
    TimePoint started{}, ended{};
    store::ScrubReport report;
  };

  void load();
  void save();
  bool due() const;
  boost::asio::awaitable<void> run_pass(std::stop_token stop);
  void note_damage(const store::ScrubReport::Damage& damage);
  void note_end();
  void note_progress(const store::ScrubReport& report);
  static boost::json::object to_json(const Pass& pass);
  static Pass from_json(const boost::json::object& object);

  boost::asio::any_io_executor executor_;
  store::LocalStore& store_;
  control::AuditLog& audit_;
  const Clock& clock_;
  const ScrubbingOptions options_;
  Event woken_;
  MonotonicTime saved_{};
  mutable std::mutex mutex_;  // guards what follows
  std::stop_source given_up_;
  bool running_ = false;
  std::optional<std::uint64_t> asked_;  // a pass, at this rate
  Pass present_, last_;                 // number 0: there is none
  std::string error_;                   // why the last one ended early
};

}  // namespace holdfast::cli

// Clock: the only source of time. Injected, so that tests and the simulator own it.
// Implementations are thread-safe.
#pragma once

#include <chrono>

namespace holdfast {

// UTC wall time, nanoseconds since 1970. Only stored and shown; never compared between two hosts.
using TimePoint = std::chrono::sys_time<std::chrono::nanoseconds>;
using MonotonicTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual MonotonicTime monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::system_clock::now(); }
  MonotonicTime monotonic() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace holdfast

// One line on a terminal that says how far something has come, written over itself and taken away
// at the end. Where the descriptor is no terminal nothing is ever written. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace holdfast::cli {

class ProgressLine {
 public:
  // `fd` and `clock` outlive it.
  ProgressLine(int fd, const Clock& clock);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Whether anybody sees it: else what it would say need not be found out.
  bool shown() const { return terminal_; }
  // At most ten times a second; what comes between is left out.
  void show_bytes(std::uint64_t done, std::uint64_t total);

 private:
  int fd_;
  const Clock& clock_;
  bool terminal_;
  MonotonicTime next_{};
  bool written_ = false;
};

// "1.5 GiB of 6.0 GiB (25 %)"; a total that was passed meanwhile grows with what is done.
std::string bytes_of_total(std::uint64_t done, std::uint64_t total);

}  // namespace holdfast::cli

// ProcessWatch: says when processes end, children of ours (which it collects) and adopted ones
// alike, by pidfd_open(2). One thread of its own, on which `ended` runs. Any thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/fd.h"

namespace holdfast::cli {

class ProcessWatch {
 public:
  // How it ended, as a sentence's end: "killed by signal 9", "with exit code 1"; "" when another
  // process knows.
  using Ended = std::function<void(const std::string& name, const std::string& how)>;

  explicit ProcessWatch(Ended ended);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // `name` is for the caller. A process watched already is not watched twice. not_found: it is
  // gone (and was no child).
  Result<void> add(pid_t pid, std::string name);

 private:
  struct Watched {
    std::string name;
    Fd process;
  };
  void run();
  void end(pid_t pid);

  Ended ended_;
  Fd poll_, stop_;
  std::mutex mutex_;
  std::map<pid_t, Watched> watched_;
  std::thread thread_;
};

}  // namespace holdfast::cli

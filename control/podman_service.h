// PodmanService: `podman system service` on a socket of ours, as a child process in a process group
// of its own (a Ctrl-C at the terminal must not end it before the tools are ended). One that an
// earlier, killed server left behind is taken over. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/error.h"

namespace holdfast::control {

struct ServiceOptions {
  std::string socket;    // path where it is to listen
  std::string log_file;  // its output
  std::string runtime;   // "auto", "runc", "crun", …
};

class PodmanService {
 public:
  explicit PodmanService(ServiceOptions options) : options_(std::move(options)) {}
  ~PodmanService();  // ends it
  PodmanService(const PodmanService&) = delete;
  PodmanService& operator=(const PodmanService&) = delete;

  // Starts it where nothing listens on the socket. Answers at once; poll the API for readiness.
  Result<void> start();
  bool running();  // reaps a child that ended

 private:
  ServiceOptions options_;
  pid_t child_ = -1;    // that we started
  pid_t adopted_ = -1;  // that an earlier server started
};

// The process that listens on a unix socket (SO_PEERCRED, unix(7)); nullopt: nobody.
std::optional<pid_t> listener_of(const std::string& socket);

// The hard limits of a process (proc(5), "limits"): what its children may be given at most.
struct ProcessLimits {
  std::optional<std::uint64_t> open_files, processes;  // nullopt: unlimited or unknown
};
ProcessLimits limits_of(pid_t process);

// The first of PATH that holds `program`; empty: none.
std::string find_program(const std::string& program);

}  // namespace holdfast::control

#include "control/podman_service.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sstream>
#include <vector>

#include "base/fd.h"

namespace holdfast::control {
namespace {

// Waits for at most five seconds, then kills.
void end_child(pid_t child) {
  kill(child, SIGTERM);
  for (int i = 0; i < 250; ++i) {
    if (waitpid(child, nullptr, WNOHANG) != 0) return;
    const timespec pause{.tv_sec = 0, .tv_nsec = 20'000'000};
    nanosleep(&pause, nullptr);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

}  // namespace

std::string find_program(const std::string& program) {
  const char* path = getenv("PATH");
  std::stringstream places(std::string(path ? path : "") + ":/usr/bin:/usr/sbin:/bin:/sbin");
  for (std::string place; std::getline(places, place, ':');) {
    const auto candidate = place + "/" + program;
    if (!place.empty() && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

std::optional<pid_t> listener_of(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) return std::nullopt;
  socket.copy(address.sun_path, socket.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return std::nullopt;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::nullopt;
  }
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.pid;
}

ProcessLimits limits_of(pid_t process) {
  ProcessLimits limits;
  auto text = read_file(fmt::format("/proc/{}/limits", process), 1u << 16);
  if (!text) return limits;
  std::stringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto hard = [&line](std::string_view name) -> std::optional<std::uint64_t> {
      std::string soft, value;
      std::stringstream(line.substr(name.size())) >> soft >> value;
      if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos) {
        return std::nullopt;
      }
      return std::strtoull(value.c_str(), nullptr, 10);
    };
    if (line.starts_with("Max processes")) limits.processes = hard("Max processes");
    if (line.starts_with("Max open files")) limits.open_files = hard("Max open files");
  }
  return limits;
}

Result<void> PodmanService::start() {
  if (const auto listener = listener_of(options_.socket)) {
    if (*listener != child_) adopted_ = *listener;
    return {};
  }
  const auto podman = find_program("podman");
  if (podman.empty()) {
    return fail(ErrorCode::not_supported,
                "podman is not installed, so no tool can run: apt install podman runc");
  }
  std::vector<std::string> words{podman};
  // crun refuses a host whose cgroup tree is a mix of v1 and v2; runc takes both.
  const std::string runtime =
      options_.runtime == "auto" ? (find_program("runc").empty() ? "" : "runc") : options_.runtime;
  if (!runtime.empty()) words.insert(words.end(), {"--runtime", runtime});
  words.insert(words.end(), {"system", "service", "--time=0", "unix://" + options_.socket});
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  unlink(options_.socket.c_str());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, options_.log_file.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  // What podman starts outlives us: a listening socket kept there would block the next server.
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t child = -1;
  const int failed =
      posix_spawn(&child, podman.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return fail_errno(failed, "start " + podman);
  child_ = child;
  return {};
}

bool PodmanService::running() {
  if (child_ > 0 && waitpid(child_, nullptr, WNOHANG) != 0) child_ = -1;
  return child_ > 0 || (adopted_ > 0 && kill(adopted_, 0) == 0);
}

PodmanService::~PodmanService() {
  if (child_ > 0) end_child(child_);
  // Only what still listens on our socket: a number may have been given to another process.
  if (adopted_ > 0 && listener_of(options_.socket) == adopted_) kill(adopted_, SIGTERM);
  unlink(options_.socket.c_str());
}

}  // namespace holdfast::control

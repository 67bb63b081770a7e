#include "cli/process_watch.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace holdfast::cli {
namespace {

// Collects a child; empty for what is nobody of ours.
std::string how_it_ended(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return {};
  if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
  return fmt::format("with exit code {}", WEXITSTATUS(status));
}

}  // namespace

ProcessWatch::ProcessWatch(Ended ended)
    : ended_(std::move(ended)),
      poll_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  HOLDFAST_CHECK(poll_.valid() && stop_.valid());
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};  // 0: no process
  ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, stop_.get(), &event);
  thread_ = std::thread([this] { run(); });
}

ProcessWatch::~ProcessWatch() {
  const std::uint64_t one = 1;
  (void)::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

Result<void> ProcessWatch::add(pid_t pid, std::string name) {
  const std::lock_guard lock(mutex_);
  if (watched_.contains(pid)) return {};
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) {
    if (errno == ESRCH) return fail(ErrorCode::not_found, "process {} is gone", pid);
    return fail_errno(errno, "watch process " + std::to_string(pid));
  }
  epoll_event event{.events = EPOLLIN, .data = {.u64 = static_cast<std::uint64_t>(pid)}};
  if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, process.get(), &event) != 0) {
    return fail_errno(errno, "watch process " + std::to_string(pid));
  }
  watched_.emplace(pid, Watched{std::move(name), std::move(process)});
  return {};
}

void ProcessWatch::run() {
  std::array<epoll_event, 16> events;
  for (;;) {
    const int count = ::epoll_wait(poll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      if (events[static_cast<std::size_t>(i)].data.u64 == 0) return;
      end(static_cast<pid_t>(events[static_cast<std::size_t>(i)].data.u64));
    }
  }
}

void ProcessWatch::end(pid_t pid) {
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    const auto found = watched_.find(pid);
    if (found == watched_.end()) return;
    name = std::move(found->second.name);
    ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, found->second.process.get(), nullptr);
    watched_.erase(found);
  }
  ended_(name, how_it_ended(pid));
}

}  // namespace holdfast::cli

#include "syncd/watcher.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "syncd/home_paths.h"

namespace holdfast::syncd {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t wanted = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB |
                                 IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW |
                                 IN_EXCL_UNLINK;

std::string join(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

std::vector<std::string> directories_in(const std::string& path) {
  std::vector<std::string> names;
  DIR* stream = ::opendir(path.c_str());
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    // Filesystems that tell no type have inotify_add_watch (IN_ONLYDIR) decide.
    if (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) names.emplace_back(name);
  }
  ::closedir(stream);
  return names;
}

}  // namespace

Watcher::Watcher(asio::any_io_executor executor, std::string tree, std::vector<std::string> exclude,
                 WatchListener& listener)
    : tree_(std::move(tree)),
      exclude_(std::move(exclude)),
      listener_(listener),
      events_(std::move(executor)) {}

Result<std::unique_ptr<Watcher>> Watcher::open(asio::any_io_executor executor, std::string tree,
                                               std::vector<std::string> exclude,
                                               WatchListener& listener) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return fail_errno(errno, "watch " + tree);
  std::unique_ptr<Watcher> watcher(
      new Watcher(std::move(executor), std::move(tree), std::move(exclude), listener));
  watcher->events_.assign(fd);
  watcher->watch_below("");
  return watcher;
}

void Watcher::watch_below(const std::string& directory) {
  std::vector<std::string> left{directory};
  while (!left.empty()) {
    const std::string at = std::move(left.back());
    left.pop_back();
    if (!at.empty() && is_excluded(exclude_, at)) continue;
    const std::string full = at.empty() ? tree_ : tree_ + "/" + at;
    const int watch = ::inotify_add_watch(events_.native_handle(), full.c_str(), wanted);
    if (watch < 0) {
      if (errno == ENOSPC && complete_) {
        complete_ = false;
        spdlog::warn(
            "syncd: the kernel's limit of watches is reached; unwatched directories are "
            "found by rescans (raise fs.inotify.max_user_watches)");
      }
      continue;
    }
    paths_[watch] = at;
    for (const auto& name : directories_in(full)) left.push_back(join(at, name));
  }
}

// Entries made before the watch was in place raised no event, so a new directory is scanned.
void Watcher::appeared(const std::string& path, bool directory) {
  listener_.changed(path);
  if (!directory) return;
  watch_below(path);
  listener_.rescan(path);
}

void Watcher::move_watches(const std::string& from, const std::string& to) {
  for (auto& [watch, path] : paths_) {
    if (path == from || is_below(path, from)) path = to + path.substr(from.size());
  }
}

// It left the tree, or nobody can say where to.
void Watcher::flush_move() {
  if (!departed_) return;
  const Departed gone = *std::exchange(departed_, std::nullopt);
  listener_.changed(gone.path);
  if (!gone.directory) return;
  for (auto at = paths_.begin(); at != paths_.end();) {
    const bool below = at->second == gone.path || is_below(at->second, gone.path);
    if (below) ::inotify_rm_watch(events_.native_handle(), at->first);
    at = below ? paths_.erase(at) : std::next(at);
  }
}

void Watcher::take(const inotify_event& event) {
  if (event.mask & IN_Q_OVERFLOW) {
    flush_move();
    spdlog::warn("syncd: the kernel dropped change events; comparing everything");
    watch_below("");
    listener_.rescan("");
    return;
  }
  if (event.mask & IN_IGNORED) {
    paths_.erase(event.wd);
    return;
  }
  const auto at = paths_.find(event.wd);
  if (at == paths_.end() || event.len == 0) return;
  const std::string path = join(at->second, event.name);
  const bool directory = (event.mask & IN_ISDIR) != 0;
  if (event.mask & IN_MOVED_TO) {
    if (departed_ && departed_->cookie == event.cookie) {
      const Departed from = *std::exchange(departed_, std::nullopt);
      if (from.directory) move_watches(from.path, path);
      listener_.renamed(from.path, path);
      return;
    }
    flush_move();
    return appeared(path, directory);
  }
  flush_move();
  if (event.mask & IN_MOVED_FROM) {
    departed_ = Departed{event.cookie, path, directory};
    return;
  }
  if (event.mask & IN_CREATE) return appeared(path, directory);
  listener_.changed(path);
}

asio::awaitable<void> Watcher::run() {
  std::vector<char> buffer(64u << 10);
  for (;;) {
    boost::system::error_code error;
    co_await events_.async_wait(asio::posix::stream_descriptor::wait_read,
                                asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    for (;;) {
      const ssize_t got = ::read(events_.native_handle(), buffer.data(), buffer.size());
      if (got <= 0) break;
      for (ssize_t at = 0; at < got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        take(*event);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
    // Both halves of a rename are queued together, so no second half comes any more.
    flush_move();
  }
}

void Watcher::close() {
  boost::system::error_code ignored;
  events_.close(ignored);
}

}  // namespace holdfast::syncd

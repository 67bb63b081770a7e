// Watcher: tells what programs change in a tree, by inotify(7), for places without FUSE. All calls
// on its executor. What inotify loses (a full queue, too many directories) is answered by asking
// for a rescan; mmap writes are seen when the file is closed or at the next rescan.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

struct inotify_event;

namespace holdfast::syncd {

class WatchListener {
 public:
  virtual ~WatchListener() = default;
  virtual void changed(const std::string& path) = 0;
  virtual void renamed(const std::string& from, const std::string& to) = 0;
  virtual void rescan(const std::string& directory) = 0;  // "" is everything
};

class Watcher {
 public:
  // Watches `tree` and all directories below it that `exclude` does not name.
  static Result<std::unique_ptr<Watcher>> open(boost::asio::any_io_executor executor,
                                               std::string tree, std::vector<std::string> exclude,
                                               WatchListener& listener);
  // Reads events until cancelled or closed.
  boost::asio::awaitable<void> run();
  void close();
  // False when the kernel's watch limit (fs.inotify.max_user_watches) left directories unwatched.
  bool complete() const { return complete_; }
  std::size_t directories() const { return paths_.size(); }

 private:
  Watcher(boost::asio::any_io_executor executor, std::string tree, std::vector<std::string> exclude,
          WatchListener& listener);
  void watch_below(const std::string& directory);
  void take(const inotify_event& event);
  void appeared(const std::string& path, bool directory);
  void flush_move();
  void move_watches(const std::string& from, const std::string& to);

  std::string tree_;
  std::vector<std::string> exclude_;
  WatchListener& listener_;
  boost::asio::posix::stream_descriptor events_;
  std::map<int, std::string> paths_;  // by watch descriptor
  struct Departed {
    std::uint32_t cookie;
    std::string path;
    bool directory;
  };
  std::optional<Departed> departed_;  // waits for where it went
  bool complete_ = true;
};

}  // namespace holdfast::syncd

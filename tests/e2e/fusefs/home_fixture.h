// A home mounted for real over a tree in a temporary directory, with a fake engine that records
// what it is told and hydrates stubs when the test lets it.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fusefs/home_fs.h"
#include "fusefs/session.h"

namespace holdfast::fusefs::testing {

class FakeEngine final : public HomeEvents {
 public:
  ~FakeEngine() override;
  void changed(const std::string& path) override;
  void renamed(const std::string& from, const std::string& to) override;
  void opened_for_write(const std::string& path) override;
  std::unique_lock<std::mutex> hold_content(std::uint64_t inode) override;
  void closed_for_write(const std::string& path) override;
  void ensure_local(const std::string& path, Done done) override;
  void wait_uploaded(const std::string& path, Done done) override;

  // Content that ensure_local() gives; absent: it fails with `unavailable`.
  void offer(const std::string& path, std::string content);
  // Makes the file of the tree `path` a stub of that size.
  static void make_stub(const std::string& file, std::size_t size);

  std::vector<std::string> take_events();  // "changed a", "renamed a -> b", "open a", "close a"
  // Waits up to 10 s for the event; the events before it are dropped.
  bool wait_for(const std::string& event);
  std::size_t hydrations() const;

  std::string tree;
  enum class Hydration { in_place, replace } hydration = Hydration::in_place;
  std::function<void(const std::string&)> after_hydration;  // the observer

 private:
  void note(std::string event);
  std::mutex content_;  // hold_content
  mutable std::mutex mutex_;
  std::condition_variable noted_;
  std::vector<std::string> events_;
  std::map<std::string, std::string> offered_;
  std::size_t hydrations_ = 0;
  std::vector<std::jthread> threads_;
};

struct MountSetup {
  bool passthrough = true;
  FsyncMeaning fsync = FsyncMeaning::local_disk;
  std::size_t max_descriptors = 0;
};

class HomeMount {
 public:
  explicit HomeMount(MountSetup setup = {});
  ~HomeMount();

  std::string at(const std::string& name) const { return home + "/" + name; }
  std::string in_tree(const std::string& name) const { return tree + "/" + name; }

  std::string directory, tree, home;
  FakeEngine engine;
  std::shared_ptr<HomeFs> files;
  std::unique_ptr<Session> session;
};

void write_text(const std::string& path, const std::string& text);
std::string read_text(const std::string& path);
// Runs `body` in a child with that uid and gid; its return value is the exit code.
int as_user(unsigned uid, const std::function<int()>& body);
// Runs a shell command (set -eu); expects exit code 0, and answers its output.
std::string shell(const std::string& command);

}  // namespace holdfast::fusefs::testing

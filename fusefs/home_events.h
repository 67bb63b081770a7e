// HomeEvents: what the home filesystem tells the engine, and asks of it. Any thread; blocks for a
// few system calls at most. syncd::HomeEngine is behind it in the program (engine_bridge.h), a fake
// in tests.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "base/error.h"

namespace holdfast::fusefs {

class HomeEvents {
 public:
  virtual ~HomeEvents() = default;
  // After the change has happened in the tree. Paths as in syncd::HomePath.
  virtual void changed(const std::string& path) = 0;
  virtual void renamed(const std::string& from, const std::string& to) = 0;
  // Before the first byte can move; as many closes as opens, under the path of that moment. While a
  // path is open the engine takes no file away from it.
  virtual void opened_for_write(const std::string& path) = 0;
  virtual void closed_for_write(const std::string& path) = 0;
  // While held the engine writes nothing into this inode of the tree. Who empties a file does it,
  // and takes the mark of a stub away, under one hold.
  virtual std::unique_lock<std::mutex> hold_content(std::uint64_t inode) = 0;
  // `done` is called once, from any thread, also inside the call.
  using Done = std::move_only_function<void(Result<void>)>;
  virtual void ensure_local(const std::string& path, Done done) = 0;
  virtual void wait_uploaded(const std::string& path, Done done) = 0;
};

}  // namespace holdfast::fusefs

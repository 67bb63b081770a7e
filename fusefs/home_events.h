// HomeEvents: what the home filesystem tells the engine, and asks of it. Any thread; never blocks.
// syncd::HomeEngine is behind it in the program (engine_bridge.h), a fake in tests.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace holdfast::fusefs {

class HomeEvents {
 public:
  virtual ~HomeEvents() = default;
  // After the change has happened in the tree. Paths as in syncd::HomePath.
  virtual void changed(const std::string& path) = 0;
  virtual void renamed(const std::string& from, const std::string& to) = 0;
  // Before the first byte can move; as many closes as opens, under the path of that moment.
  virtual void opened_for_write(const std::string& path) = 0;
  virtual void closed_for_write(const std::string& path) = 0;
  // `done` is called once, from any thread, also inside the call.
  using Done = std::move_only_function<void(Result<void>)>;
  virtual void ensure_local(const std::string& path, Done done) = 0;
  virtual void wait_uploaded(const std::string& path, Done done) = 0;
};

}  // namespace holdfast::fusefs

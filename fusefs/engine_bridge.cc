#include "fusefs/engine_bridge.h"

#include <string_view>
#include <utility>

#include "fusefs/home_internal.h"

namespace holdfast::fusefs {

static_assert(std::string_view(stub_attribute) == syncd::stub_xattr);

namespace {

// The engine takes copyable functions; a Done answers a request and cannot be copied.
std::function<void(Result<void>)> shared(HomeEvents::Done done) {
  return [held = std::make_shared<HomeEvents::Done>(std::move(done))](Result<void> outcome) {
    (*held)(std::move(outcome));
  };
}

}  // namespace

void EngineBridge::set_files(std::shared_ptr<HomeFs> files) {
  const std::lock_guard lock(mutex_);
  files_ = std::move(files);
}

std::shared_ptr<HomeFs> EngineBridge::files() {
  const std::lock_guard lock(mutex_);
  return files_;
}

void EngineBridge::ensure_local(const std::string& path, Done done) {
  engine_->ensure_local(path, shared(std::move(done)));
}

void EngineBridge::wait_uploaded(const std::string& path, Done done) {
  engine_->wait_uploaded(path, shared(std::move(done)));
}

void EngineBridge::entry_changed(const syncd::HomePath& path) {
  if (const auto mounted = files()) mounted->invalidate_entry(path);
}

void EngineBridge::content_changed(const syncd::HomePath& path) {
  if (const auto mounted = files()) mounted->invalidate_content(path);
}

}  // namespace holdfast::fusefs

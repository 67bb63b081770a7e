// A clock that the test moves, a directory that goes away, a registry in it. One thread.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "control/registry.h"

namespace holdfast::control::testing {

using namespace std::chrono_literals;

class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return TimePoint(std::chrono::nanoseconds(now_.load())); }
  MonotonicTime monotonic() const override { return MonotonicTime(now().time_since_epoch()); }
  void advance(std::chrono::nanoseconds time) { now_ += time.count(); }

 private:
  std::atomic<std::int64_t> now_{1'800'000'000'000'000'000};
};

struct TemporaryDirectory {
  std::string path;
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
};

inline Actor administrator() {
  return {.kind = Actor::Kind::administrator,
          .principal = PrincipalName("root"),
          .request_id = "r-1",
          .source = "admin-socket"};
}
inline Actor as(std::string name) {
  return {.principal = PrincipalName(std::move(name)), .source = "127.0.0.1"};
}
inline ToolId jupyter_of(std::string user) { return {PrincipalName(std::move(user)), "jupyter"}; }

class RegistryTest : public ::testing::Test {
 protected:
  explicit RegistryTest(std::uint64_t seed = 7) : random(seed) { reopen(); }
  void reopen() {
    registry.reset();
    auto opened = Registry::open({.path = directory.path + "/registry.db"}, clock, random);
    EXPECT_TRUE(opened) << opened.error().context;
    registry = std::move(*opened);
  }
  Principal user(std::string name, PrincipalKind kind = PrincipalKind::user) {
    auto made = registry->create_principal(administrator(), {PrincipalName(std::move(name)), kind});
    EXPECT_TRUE(made) << made.error().context;
    return *made;
  }
  NewGrant wanted(std::string who, std::string prefix, Level level) {
    return {.principal = PrincipalName(std::move(who)),
            .bucket = BucketName("research"),
            .prefix = std::move(prefix),
            .level = level};
  }
  ErrorCode code(const auto& result) { return result ? ErrorCode::internal : result.error().code; }

  TemporaryDirectory directory;
  ManualClock clock;
  SeededRandom random;
  std::unique_ptr<Registry> registry;
};

}  // namespace holdfast::control::testing

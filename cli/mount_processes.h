// MountProcesses: the MountSupervisor of `holdfast serve`: one `holdfast mount` process a user, in
// a session of its own so that it outlives a killed server and is adopted by the next one. What is
// mounted stays mounted until stop_all(), so that a tool's restart finds a warm home.
// ensure and release run on the launcher's executor; the rest from any thread.
#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "base/blocking_pool.h"
#include "cli/process_watch.h"
#include "control/mount_supervisor.h"
#include "control/registry.h"

namespace holdfast::cli {

struct MountProcessOptions {
  std::string program;      // of ourselves: /proc/self/exe resolved
  std::string homes;        // <data>/homes
  std::string log;          // <data>/log
  std::string s3_endpoint;  // as the mounts reach it: "unix:DATA/run/s3.sock"
  std::string region;
  std::string homes_bucket;
  std::string log_level;
};

class MountProcesses final : public control::MountSupervisor {
 public:
  MountProcesses(control::Registry& registry, BlockingPool& pool, MountProcessOptions options);

  boost::asio::awaitable<Result<control::MountPaths>> ensure(
      control::MountRequest request) override;
  boost::asio::awaitable<void> release(PrincipalName user) override;
  control::MountReport state(const PrincipalName& user) const override;
  void on_lost(std::function<void()> notify) override;

  // Drains uploads for at most `limit`, unmounts, ends every process of this data directory,
  // adopted ones too. Blocks. What could not be uploaded stays in the home for the next start.
  void stop_all(std::chrono::seconds limit);
  // Rows for GET /status. Blocks.
  boost::json::value status();
  // Answers what the home's engine has parked; an empty path answers all. Blocks. unavailable: the
  // home is not mounted.
  Result<void> decide_parked(const PrincipalName& user, const std::string& path, bool bring_back);

 private:
  Result<control::MountPaths> ensure_blocking(const control::MountRequest& request);
  Result<void> start(const control::MountRequest& request, const control::MountPaths& paths);
  Result<void> spawn(const control::MountRequest& request, const control::MountPaths& paths,
                     const control::KeyRecord& key);
  void ended(const PrincipalName& user, const std::string& how);
  void note(const PrincipalName& user, control::MountReport report);
  std::string cache_of(const std::string& user) const;

  control::Registry& registry_;
  BlockingPool& pool_;
  MountProcessOptions options_;
  mutable std::mutex mutex_;
  std::map<PrincipalName, control::MountReport> reports_;
  std::function<void()> notify_;
  ProcessWatch watch_;  // last: its thread uses the rest
};

}  // namespace holdfast::cli

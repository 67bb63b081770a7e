// MountSupervisor: what the launcher needs of the mounts: before a tool's container starts, its
// user's home and bucket view are mounted on this host, to be bound into the container.
// Implemented where the mount processes are (cli/); a fake in the launcher's tests.
// ensure and release run on the launcher's executor; state() from any thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/ids.h"

namespace holdfast::control {

struct MountRequest {
  PrincipalName user;
  std::uint32_t uid = 0;  // owner of the files in the home; gid is the same
};
struct MountPaths {
  std::string home;     // absolute; bound to /home/<user>
  std::string buckets;  // absolute; bound to /buckets; empty: none
};
// lost: they served and their process ended: what is bound into a container is dead.
enum class MountState : std::uint8_t { absent, starting, ready, draining, failed, lost };
struct MountReport {
  MountState state = MountState::absent;
  std::string reason;  // a sentence, for failed and lost
};

class MountSupervisor {
 public:
  virtual ~MountSupervisor() = default;
  // Answers when the mounts serve. Idempotent: a live mount is taken as it is.
  virtual boost::asio::awaitable<Result<MountPaths>> ensure(MountRequest request) = 0;
  // No tool of the user needs the mounts any more. May keep them for a while; drains uploads.
  virtual boost::asio::awaitable<void> release(PrincipalName user) = 0;
  virtual MountReport state(const PrincipalName& user) const = 0;
  // Called, from any thread, whenever a state has become lost. Set once, before the first ensure.
  virtual void on_lost(std::function<void()> notify) { (void)notify; }
};

}  // namespace holdfast::control

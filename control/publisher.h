// PolicyPublisher: holds the current policy snapshot and tells who waits for the next one. Built
// over a Registry, which hands it the content of every commit that touches access. Thread-safe.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/error.h"
#include "control/policy.h"

namespace holdfast::control {

class Registry;

class PolicyPublisher final : public PolicySource {
 public:
  explicit PolicyPublisher(const Clock& clock);
  ~PolicyPublisher() override;
  // Takes the registry's present content and every later one. Once. The publisher must outlive the
  // registry's last change.
  Result<void> attach(Registry& registry);
  void publish(PolicyContent content);  // an older epoch than the current one is ignored

  std::shared_ptr<const PolicySnapshot> current() const override;

  // For whoever holds something open (a body in flight, a socket, a mount): returns when the epoch
  // is above `after`, when the nearest expiry of a grant or key passes, or after `limit`; judge
  // again in every case. Answers the current epoch. Resumes on the caller's executor, which must be
  // a strand or a context with one thread.
  boost::asio::awaitable<std::uint64_t> wait_for_epoch(std::uint64_t after,
                                                       std::chrono::milliseconds limit);
  // Called on the publishing thread after each new snapshot; must not block or call back.
  void subscribe(std::function<void(std::shared_ptr<const PolicySnapshot>)> listener);

 private:
  struct Waiter;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<const PolicySnapshot> current_;  // std::atomic_load / store
  std::list<std::shared_ptr<Waiter>> waiters_;
  std::list<std::function<void(std::shared_ptr<const PolicySnapshot>)>> listeners_;
};

}  // namespace holdfast::control

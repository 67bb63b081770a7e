#include "store/key_locks.h"

#include <mutex>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "store/local_waiters.h"

namespace holdfast::store {

struct KeyLocks::State {
  ChangeWaiters waiters;
  std::mutex mutex;
  std::unordered_set<std::string> held;
};

namespace {

// Waiters of keys that share this number wake for nothing, and look again.
std::uint64_t number_of(const std::string& name) { return std::hash<std::string>{}(name); }

}  // namespace

KeyLocks::Held::Held(std::shared_ptr<State> state, std::string name)
    : state_(std::move(state)), name_(std::move(name)) {}

KeyLocks::Held::~Held() {
  if (!state_) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->held.erase(name_);
  }
  state_->waiters.notify({number_of(name_)});
}

KeyLocks::KeyLocks() : state_(std::make_shared<State>()) {}

Async<KeyLocks::Held> KeyLocks::acquire(BucketName bucket, ObjectKey key,
                                        std::chrono::seconds limit) {
  const auto state = state_;
  const std::string name = bucket.value + "/" + key.value;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    auto ticket = co_await state->waiters.enter(number_of(name));
    {
      const std::lock_guard lock(state->mutex);
      if (state->held.insert(name).second) co_return Held(state, name);
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      co_return fail(ErrorCode::conflict, "another write of {} did not end within {} s",
                     log_field(key.value), limit.count());
    }
    co_await ChangeWaiters::wait(std::move(ticket), left);
  }
}

}  // namespace holdfast::store

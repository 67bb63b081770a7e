// KeyLocks: one writer a key at a time, for stores that judge conditions themselves because the
// endpoint behind them does not. Thread-safe; coroutines of any executor.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "store/object_store.h"

namespace holdfast::store {

class KeyLocks {
  struct State;

 public:
  class Held {
   public:
    Held(std::shared_ptr<State> state, std::string name);
    Held(Held&&) noexcept = default;
    Held& operator=(Held&& other) noexcept {
      state_.swap(other.state_);
      name_.swap(other.name_);
      return *this;
    }
    ~Held();

   private:
    std::shared_ptr<State> state_;  // outlives the locks themselves
    std::string name_;
  };

  KeyLocks();
  // conflict when another holds it for longer than `limit`.
  Async<Held> acquire(BucketName bucket, ObjectKey key,
                      std::chrono::seconds limit = std::chrono::seconds(30));

 private:
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::store

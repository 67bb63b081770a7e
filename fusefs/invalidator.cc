#include "fusefs/invalidator.h"

#include <utility>

namespace holdfast::fusefs {

Invalidator::Invalidator(std::function<void()> everything, std::size_t limit)
    : everything_action_(std::move(everything)), limit_(limit), thread_([this] { run(); }) {}

Invalidator::~Invalidator() { stop(); }

void Invalidator::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Invalidator::post(std::string identity, std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  if (everything_ || stopping_) return;
  if (queue_.size() >= limit_) {
    queue_.clear();
    queued_.clear();
    everything_ = true;
  } else if (queued_.insert(identity).second) {
    queue_.push_back({std::move(identity), std::move(action)});
  }
  changed_.notify_all();
}

void Invalidator::wait_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || (queue_.empty() && !everything_ && !busy_); });
}

void Invalidator::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || everything_ || !queue_.empty(); });
    if (stopping_) return;
    busy_ = true;
    if (std::exchange(everything_, false)) {
      lock.unlock();
      everything_action_();
    } else {
      const Item item = std::move(queue_.front());
      queue_.pop_front();
      // Erased first: a change that is posted while this one is carried out counts anew.
      queued_.erase(item.identity);
      lock.unlock();
      item.action();
    }
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace holdfast::fusefs

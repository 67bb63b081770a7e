#include "fusefs/invalidator.h"

#include <utility>

namespace holdfast::fusefs {

Invalidator::Invalidator(Actions actions, std::size_t limit)
    : actions_(std::move(actions)), limit_(limit), thread_([this] { run(); }) {}

Invalidator::~Invalidator() { stop(); }

void Invalidator::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

std::string Invalidator::identity(const Item& item) {
  std::string text(1, static_cast<char>(item.kind));
  return item.kind == Kind::attributes ? text + std::to_string(item.node) : text + item.path;
}

void Invalidator::post(Item item) {
  const std::lock_guard lock(mutex_);
  if (everything_ || stopping_) return;
  if (queue_.size() >= limit_) {
    queue_.clear();
    queued_.clear();
    everything_ = true;
  } else if (queued_.insert(identity(item)).second) {
    queue_.push_back(std::move(item));
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
      actions_.everything();
    } else {
      const Item item = std::move(queue_.front());
      queue_.pop_front();
      // Erased first: a change that is posted while this one is carried out counts anew.
      queued_.erase(identity(item));
      lock.unlock();
      switch (item.kind) {
        case Kind::entry: actions_.entry(item.path); break;
        case Kind::content: actions_.content(item.path); break;
        case Kind::attributes: actions_.attributes(item.node); break;
      }
    }
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace holdfast::fusefs

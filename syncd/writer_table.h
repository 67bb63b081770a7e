// What a mount and the engine must not do to one file at the same time.
// WriterTable: the paths that are open for writing. ContentGate: the bytes of a stub, which the
// engine fills in place and a mount may empty. Any thread; locks are held for a few system calls.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::syncd {

class WriterTable {
 public:
  void opened(const std::string& path) {
    Stripe& stripe = of(path);
    const std::lock_guard lock(stripe.mutex);
    ++stripe.open[path];
  }
  void closed(const std::string& path) {
    Stripe& stripe = of(path);
    const std::lock_guard lock(stripe.mutex);
    const auto at = stripe.open.find(path);
    if (at != stripe.open.end() && --at->second == 0) stripe.open.erase(at);
  }
  bool contains(const std::string& path) {
    Stripe& stripe = of(path);
    const std::lock_guard lock(stripe.mutex);
    return stripe.open.contains(path);
  }

  // For who takes a file away from its name: nullopt when it is open for writing; otherwise
  // opened(path) waits while the hold lives. A mount that announces first and then looks whether
  // its file still has the name so never writes into one that has lost it.
  using Hold = std::unique_lock<std::mutex>;
  std::optional<Hold> hold(const std::string& path) {
    Stripe& stripe = of(path);
    Hold lock(stripe.mutex);
    if (stripe.open.contains(path)) return std::nullopt;
    return lock;
  }

 private:
  struct Stripe {
    std::mutex mutex;
    std::map<std::string, unsigned> open;
  };
  Stripe& of(std::string_view path) {
    return stripes_[std::hash<std::string_view>{}(path) % stripes_.size()];
  }
  std::array<Stripe, 64> stripes_;
};

// Bytes from the store go into a file only under its gate and only while it is marked as a stub;
// whoever empties a file does it, and takes the mark away, under the gate.
class ContentGate {
 public:
  using Hold = std::unique_lock<std::mutex>;
  Hold hold(std::uint64_t inode) { return Hold(stripes_[inode % stripes_.size()]); }

 private:
  std::array<std::mutex, 64> stripes_;
};

}  // namespace holdfast::syncd

// What LocalStore::scrub() is told and what it answers. Plain values.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace holdfast::store {

// How far a pass has come: first the log, then the blobs in the order of their names.
struct ScrubPosition {
  enum class Phase : std::uint8_t { log, blobs };
  Phase phase = Phase::log;
  std::uint64_t segment = 0, offset = 0;  // of the log, read up to here
  std::string blob;                       // the last one that was read
};

struct ScrubReport {
  static constexpr std::size_t most_damage = 1000, most_objects = 1000;

  std::uint64_t log_bytes = 0, blobs = 0, blob_bytes = 0;  // read
  struct Damage {
    std::string where;                 // "segment 3 at byte 4096, 80 bytes", "blob 0f…"
    std::vector<std::string> objects;  // "bucket/key (version)" that cannot be read whole any more
    std::uint64_t object_count = 0;    // of which `objects` names the first most_objects
  };
  std::vector<Damage> damage;  // the first most_damage
  std::uint64_t damaged = 0;   // how many there are
  ScrubPosition position;
  bool complete = false;  // false: told to stop; hand it in again to go on
};

struct ScrubRules {
  std::uint64_t bytes_per_second = 0;  // read; 0: no limit
  // Awaited between two reads to keep to the rate; empty: sleep_for.
  std::function<boost::asio::awaitable<void>(std::chrono::milliseconds)> pause;
  // Called on the caller's executor: with each damage once its objects are known, and after each
  // step with what is known by then. What was found is told before the position passes it.
  std::function<void(const ScrubReport::Damage&)> found;
  std::function<void(const ScrubReport&)> passed;
};

}  // namespace holdfast::store

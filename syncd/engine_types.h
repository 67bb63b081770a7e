// The values that the engine's parts hand to each other. Strand only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "index/journal.h"
#include "syncd/content.h"
#include "syncd/home_engine.h"
#include "syncd/home_tree.h"
#include "syncd/planner.h"
#include "syncd/remote_home.h"

namespace holdfast::syncd {

// Who goes first. Urgent: a reader waits. Interactive: a few saves. Bulk: the burst behind them.
// Background: filling stubs that nobody has asked for yet.
enum class Lane : std::uint8_t { urgent, interactive, bulk, background };
inline constexpr std::size_t lanes = 4;

enum class Step : std::uint8_t {
  done,   // nothing more is known to be wrong with the path
  again,  // something moved underneath: gather and plan anew, now
  later,  // at Work::due, without a failure
};

// Facts in the journal.
inline constexpr const char* feed_fact = "feed";              // position of the change feed
inline constexpr const char* operations_fact = "operations";  // up to here all are in the base
inline constexpr const char* instance_fact = "instance";      // the tree's marker
inline constexpr const char* clean_fact = "clean";            // "1" after a clean stop
inline constexpr const char* boot_fact = "boot";              // the machine's boot, at start

// Operation numbers of two runs cannot meet: each begins this far above what is saved.
inline constexpr std::uint64_t operations_a_run = std::uint64_t{1} << 32;

// What the displaced file must be for a replacement to be silent.
enum class Displaced : std::uint8_t { as_observed, keep_always };
// Of a scan that only seeks what appeared, absence is no finding.
// Reasons to park what would be a burst of deletions. Nothing is removed on either side until a
// person has decided, whatever else makes the engine look at such a path.
inline constexpr const char* burst_here =
    "missing after a time when nobody watched, with many others; the store keeps it until decided";
inline constexpr const char* burst_there =
    "gone from the store in a burst; the local file stays until decided";

enum class ScanMode : std::uint8_t { start, rescan, appeared };

// A path with something to do.
struct Work {
  bool local = false;                                  // the tree may differ from the base
  bool remote_file = false, remote_directory = false;  // the store may, under that key
  std::string file_version, directory_version;         // newest that was noted
  bool wanted = false;  // its content, by a reader or in the background
  bool active = false, queued = false;
  bool from_merge = false;  // counts towards the end of the first merge
  Lane lane = Lane::bulk;
  Lane running_lane = Lane::bulk;
  MonotonicTime due{}, first_noted{}, last_noted{};
  TimePoint noted_at{};
  std::optional<Stamp> seen;     // of a file open for writing, when last looked at
  std::uint64_t generation = 0;  // of local notes
  unsigned failures = 0;
  std::string operation;  // of the last upload that may have happened
  std::string moved_from, moved_to;
  std::vector<std::function<void(Result<void>)>> content_waiters, upload_waiters;

  bool idle() const { return !local && !remote_file && !remote_directory && !wanted; }
};

// One attempt at one path: the observations, and what was derived from them.
struct Case {
  HomePath path;
  Observed local;
  std::optional<index::BaseRow> base;
  bool fetched_file = false, fetched_directory = false;
  std::optional<RemoteNode> file, directory;  // meaningful where fetched
  std::optional<Content> content;
  Situation situation;

  // The store's object under the path's name, fetched or presumed from the base; null: none.
  const RemoteNode* fetched() const {
    if (fetched_directory && directory) return &*directory;
    if (fetched_file && file) return &*file;
    return nullptr;
  }
};

struct ScanFindings {
  std::vector<HomePath> changed;
  std::vector<index::BaseRow> missing;
  std::map<std::uint64_t, HomePath> fresh;  // by inode: files that no base row knows
  std::uint64_t rows = 0, entries = 0;
};

// Lets `rate` through a second, up to `burst` at once.
class TokenBucket {
 public:
  TokenBucket(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}
  bool take(MonotonicTime now) {
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    tokens_ = std::min(burst_, tokens_ + std::max(0.0, passed.count()) * rate_);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double rate_, burst_, tokens_;
  MonotonicTime last_{};
};

}  // namespace holdfast::syncd

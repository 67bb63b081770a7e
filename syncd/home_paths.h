// Paths of a home as text: parents, ancestors, exclusion, conflict names. Pure; any thread.
// A path is bytes, components joined by '/', no leading or trailing one; "" is the home itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace holdfast::syncd {

std::string_view parent_of(std::string_view path);  // "" for a top-level name
std::string_view name_of_path(std::string_view path);
// True when `path` lies strictly below `directory`; everything but "" lies below "".
bool is_below(std::string_view path, std::string_view directory);

// A glob (fnmatch(3), '*' crosses '/') that matches the path or one of its ancestors excludes it.
bool is_excluded(const std::vector<std::string>& globs, const std::string& path);

// "dir/report (conflict HOST 2026-11-22T04-31-34Z).txt"; attempt > 1 adds " 2", " 3"…
// The name stays within 255 bytes; what is cut is cut from the stem.
std::string conflict_path(std::string_view path, std::string_view host, TimePoint now,
                          unsigned attempt);

}  // namespace holdfast::syncd

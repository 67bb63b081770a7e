// Scopes: whether a grant's prefix covers a path or another prefix, and which level does what.
// Pure; any thread.
#pragma once

#include <string_view>

#include "control/policy.h"

namespace holdfast::control {

// By components: "data" and "data/" cover "data", "data/", "data/x", never "database".
bool covers_path(std::string_view prefix, std::string_view path);
// Everything that starts with `listed` lies within `prefix`.
bool covers_listing(std::string_view prefix, std::string_view listed);
// Whatever `inner` covers, `outer` covers.
bool covers_scope(std::string_view outer, std::string_view inner);

// Judged on the prefix of a listing rather than on a key.
bool is_listing(Action action);
// About the bucket as a whole, listings included, rather than about one key.
bool concerns_bucket(Action action);
bool level_allows(Level level, Action action);
// Whoever holds `higher` may do all that `lower` allows. read and drop do not compare.
bool level_includes(Level higher, Level lower);

}  // namespace holdfast::control

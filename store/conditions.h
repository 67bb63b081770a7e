// The pure rules that every store shares: conditional requests (RFC 9110 section 13 as S3 applies
// it), ranges and part numbers (section 14), and how a listing rolls keys up at a
// delimiter. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/object_types.h"

namespace holdfast::store {

inline constexpr std::uint32_t max_part_number = 10'000;
inline constexpr std::uint64_t min_part_bytes = 5u << 20;  // of all parts but the last

// not_modified, precondition_failed.
Result<void> check_read(const ReadConditions& conditions, const ObjectInfo& info);
// The same for the source of a copy, where every condition that fails is precondition_failed.
Result<void> check_copy_source(const ReadConditions& conditions, const ObjectInfo& info);
// `current` is the latest version, null where there is none or it is a delete marker.
// precondition_failed; no_such_key for If-Match on nothing.
Result<void> check_write(const WriteConditions& conditions, const ObjectInfo* current,
                         const ObjectKey& key);
// `named` is what a removal names: the version, else the latest, markers too; null where there is
// none, so that nothing is left to remove and every condition is met. precondition_failed.
Result<void> check_removal(const WriteConditions& conditions, const ObjectInfo* named);
bool is_conditional(const WriteConditions& conditions);

struct Window {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
  bool partial = false;
};
// What of the object `range` or `part_number` asks for. invalid_range; invalid_part when there is
// no such part; invalid_argument when both are given.
Result<Window> resolve_window(const std::optional<ByteRange>& range,
                              const std::optional<std::uint32_t>& part_number,
                              const ObjectInfo& info);

// `key` up to and including the first delimiter after `prefix`; nullopt when nothing rolls up.
// REQUIRES: key starts with prefix.
std::optional<std::string> common_prefix_of(std::string_view key, std::string_view prefix,
                                            std::string_view delimiter);
// The first string after every string that starts with `prefix`; nullopt when there is none.
std::optional<std::string> after_prefix(std::string_view prefix);

}  // namespace holdfast::store

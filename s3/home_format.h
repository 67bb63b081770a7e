// The objects of a home: how files, directories and links are named and described in a bucket.
// Compatible with mobius3 and rclone: x-amz-meta-mtime is seconds with decimals, x-amz-meta-mode
// the full st_mode in decimal, a symlink's body its target, a directory an empty object "path/".
// The x-amz-meta-holdfast-* ones are ours and optional. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace holdfast::s3 {

using Metadata = std::map<std::string, std::string>;  // as store::ObjectAttributes::metadata

// "1700000000.123456789", trailing zeros dropped, "-0.5" before 1970. Exact to the nanosecond.
std::string encode_mtime(TimePoint time);
std::optional<TimePoint> decode_mtime(std::string_view text);

struct HomeAttributes {
  std::optional<TimePoint> mtime;
  std::optional<std::uint32_t> mode;          // full st_mode
  std::optional<std::string> hash;            // XXH3-128, 32 hex digits
  std::optional<std::string> link;            // hard-link group: 1 to 64 of [A-Za-z0-9._-]
  std::map<std::string, std::string> xattrs;  // names and values are bytes
  std::optional<std::string> operation;       // 1 to 64 of [A-Za-z0-9._-]
};
// invalid_argument: the attributes would take more than S3's 2 KiB of metadata (xattrs do).
Result<Metadata> encode_attributes(const HomeAttributes& attributes);
// Never fails: other writers' and broken values are treated as absent.
HomeAttributes decode_attributes(const Metadata& metadata);

enum class HomeKind : std::uint8_t { file, directory };

// A path within a home: components joined by '/', no leading or trailing one; "" is the home
// itself.
struct HomeName {
  std::string path;
  HomeKind kind = HomeKind::file;
  bool operator==(const HomeName&) const = default;
};
// `prefix` is empty or ends in '/'. One to one: key_of(name_of(k)) == k. invalid_name: a component
// that is empty, ".", ".." or holds NUL, a key over 1024 bytes, or the home itself as a file.
Result<std::string> key_of(std::string_view prefix, const HomeName& name);
// nullopt: the key is outside the prefix, or names nothing that a home can hold.
std::optional<HomeName> name_of(std::string_view prefix, std::string_view key);

}  // namespace holdfast::s3

// Leaves and roots of store/restore.h. Pure; any thread.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "s3/checksum.h"
#include "store/object_types.h"

namespace holdfast::store {

using Leaf = std::array<std::byte, 16>;

// `info` must hold its user metadata.
Leaf leaf_of(std::string_view relative_key, const ObjectInfo& info);

class RootHasher {
 public:
  RootHasher() : hasher_(s3::Algorithm::xxh3_128) {}
  void add(const Leaf& leaf) { hasher_.update(std::span<const std::byte>(leaf)); }
  std::string hex() const { return hasher_.hex(); }

 private:
  s3::Hasher hasher_;
};

// The key below a restored path: "docs" and "docs/a" of the path "docs" are "" and "/a".
std::string_view relative_key(std::string_view key, std::string_view path);

}  // namespace holdfast::store

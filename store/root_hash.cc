#include "store/root_hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace holdfast::store {
namespace {

std::string_view value_of(const ObjectInfo& info, const std::string& name) {
  const auto found = info.attributes.metadata.find(name);
  return found == info.attributes.metadata.end() ? std::string_view() : found->second;
}

}  // namespace

Leaf leaf_of(std::string_view relative_key, const ObjectInfo& info) {
  const auto hash = value_of(info, "holdfast-hash");
  // Lengths come first: no two leaves share a text.
  const std::string text = fmt::format("{}:{}\n{}\n{}\n{}\n{}\n", relative_key.size(), relative_key,
                                       hash.empty() ? std::string_view(info.etag.value) : hash,
                                       info.size, value_of(info, "mtime"), value_of(info, "mode"));
  const std::string digest = s3::digest_of(s3::Algorithm::xxh3_128, text);
  Leaf leaf{};
  HOLDFAST_CHECK(digest.size() == leaf.size());
  std::memcpy(leaf.data(), digest.data(), leaf.size());
  return leaf;
}

std::string_view relative_key(std::string_view key, std::string_view path) {
  return key.substr(std::min(key.size(), path.size()));
}

}  // namespace holdfast::store

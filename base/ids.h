// The names of things that cross folders, each its own type so that none is passed for another.
// Values; any thread.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace holdfast {

template <class Tag>
struct Name {
  std::string value;

  Name() = default;
  explicit Name(std::string text) : value(std::move(text)) {}
  bool empty() const { return value.empty(); }
  auto operator<=>(const Name&) const = default;
};

// 3 to 63 characters, see s3::validate_bucket_name.
using BucketName = Name<struct BucketNameTag>;
// 1 to 1024 bytes of anything; a byte string, never a path.
using ObjectKey = Name<struct ObjectKeyTag>;
// Without the quotes that HTTP puts around it.
using ETag = Name<struct ETagTag>;
// "null" is the version of an object written while versioning was off or suspended.
using VersionId = Name<struct VersionIdTag>;
using UploadId = Name<struct UploadIdTag>;
// User, group, app or service: "alice".
using PrincipalName = Name<struct PrincipalNameTag>;
// "AK" + 18 characters; names a key pair, is no secret.
using AccessKeyId = Name<struct AccessKeyIdTag>;

}  // namespace holdfast

template <class Tag>
struct std::hash<holdfast::Name<Tag>> {
  std::size_t operator()(const holdfast::Name<Tag>& name) const noexcept {
    return std::hash<std::string>{}(name.value);
  }
};

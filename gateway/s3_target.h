// The target of an S3 request, decoded exactly once: routing, authorisation and storage all use
// these values and nothing reads the raw target again (signatures are over its canonical form).
// Path style, virtual-host style and "<region>.<host>" (AWS S3 user guide, "Virtual hosting of
// general purpose buckets"). Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "net/http_message.h"
#include "s3/error.h"
#include "s3/names.h"

namespace holdfast::gateway {

// Decoded query parameters. A name occurs once: duplicates are refused, since two readers could
// take different ones.
class Query {
 public:
  static s3::ApiResult<Query> parse(std::string_view raw);

  bool has(std::string_view name) const { return s3::find_query(items_, name) != nullptr; }
  // Empty when absent.
  std::string_view get(std::string_view name) const;
  const s3::QueryParameters& items() const { return items_; }

 private:
  s3::QueryParameters items_;
};

struct S3Target {
  BucketName bucket;  // empty: the service
  ObjectKey key;      // empty: the bucket
  Query query;
  bool virtual_host = false;
};

struct HostNames {
  std::vector<std::string> domains{"localhost"};  // "<bucket>.<domain>" names a bucket
  std::string region = "us-east-1";               // "<region>.<domain>" names none
};

// Checks the key's length and the bucket's name.
s3::ApiResult<S3Target> parse_target(const net::RequestHead& request, const HostNames& names);

// The bucket that the Host header names, empty for path style.
std::string bucket_of_host(std::string_view host, const HostNames& names);

}  // namespace holdfast::gateway

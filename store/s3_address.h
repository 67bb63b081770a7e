// Where an S3 endpoint is and how it names an object in a URL: path or virtual-host style. Pure;
// any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"

namespace holdfast::store {

struct S3Address {
  std::string scheme;  // "https://"
  std::string host;    // with its port, if any
  std::string base_path;
  std::string unix_socket;  // a path; empty: TCP
  bool path_style = true;   // false: BUCKET.HOST

  // invalid_argument: no http:// or https:// URL and no unix:PATH.
  static Result<S3Address> parse(const std::string& endpoint, bool path_style);

  struct Place {
    std::string host;  // as the Host header says it
    std::string path;  // escaped as it is signed
  };
  // Empty: the service itself, or the bucket itself.
  Place place(const BucketName& bucket, std::string_view key) const;
};

}  // namespace holdfast::store

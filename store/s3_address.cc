#include "store/s3_address.h"

#include "base/log.h"
#include "s3/names.h"

namespace holdfast::store {

Result<S3Address> S3Address::parse(const std::string& endpoint, bool path_style) {
  S3Address address;
  address.path_style = path_style;
  if (endpoint.starts_with("unix:/")) {
    address.scheme = "http://";
    address.host = "localhost";
    address.unix_socket = endpoint.substr(5);
    return address;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!endpoint.starts_with(scheme)) continue;
    const auto slash = endpoint.find('/', scheme.size());
    address.scheme = scheme;
    address.host = endpoint.substr(scheme.size(), slash - scheme.size());
    address.base_path = slash == std::string::npos ? "" : endpoint.substr(slash);
    while (address.base_path.ends_with('/')) address.base_path.pop_back();
    if (!address.host.empty()) return address;
  }
  return fail(ErrorCode::invalid_argument,
              "the S3 endpoint \"{}\" is no URL: it looks like http://127.0.0.1:7070",
              log_field(endpoint));
}

S3Address::Place S3Address::place(const BucketName& bucket, std::string_view key) const {
  Place place{host, base_path};
  if (!bucket.empty() && path_style) place.path += "/" + bucket.value;
  if (!bucket.empty() && !path_style) place.host = bucket.value + "." + host;
  if (!key.empty()) place.path += "/";
  s3::append_uri_encoded(place.path, key, s3::Slash::keep);
  if (place.path.empty()) place.path = "/";
  return place;
}

}  // namespace holdfast::store

// Presigned URLs for the console: where the browser sends and fetches bytes itself, past the web
// listener. AWS S3, "Authenticating Requests: Using Query Parameters". Internal to gateway/.
#pragma once

#include <string>
#include <string_view>

#include "control/policy.h"
#include "gateway/web_api.h"
#include "s3/names.h"

namespace holdfast::gateway {

struct UrlRequest {
  std::string method;  // "GET", "PUT"
  BucketName bucket;
  ObjectKey key;
  s3::QueryParameters query;    // signed with it
  s3::QueryParameters headers;  // that the browser has to send, signed too
};

std::string signed_url(const WebApiOptions& options, const control::KeyRecord& key,
                       const UrlRequest& request, TimePoint now);

// `attachment; filename="…"; filename*=UTF-8''…` (RFC 6266); control characters and quotes go.
std::string attachment_disposition(std::string_view name);

}  // namespace holdfast::gateway

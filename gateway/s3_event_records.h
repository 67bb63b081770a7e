// Changes of a bucket as S3 event records (AWS S3 user guide, "Event message structure", version
// 2.1), and which of them a subscription asks for. Pure; any thread.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "store/object_types.h"

namespace holdfast::gateway {

struct EventFilter {
  // "s3:*", "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"…; empty: all.
  std::vector<std::string> events;
  std::string prefix, suffix;

  bool wants(const store::Change& change) const;
};

// "ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete",
// "ObjectRemoved:DeleteMarkerCreated". A copy is told as a Put: the feed does not tell them apart.
std::string_view event_name(const store::Change& change);
// Is `name`, which has no "s3:", among what the pattern stands for?
bool event_matches(std::string_view pattern, std::string_view name);

struct EventSource {
  std::string region;
  BucketName bucket;
  std::string configuration_id;
  std::string name_prefix;  // "s3:" where MinIO's clients expect it, else empty
};
// One element of "Records".
boost::json::object event_record(const store::Change& change, const EventSource& source);

}  // namespace holdfast::gateway

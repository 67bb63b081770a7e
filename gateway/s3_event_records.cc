#include "gateway/s3_event_records.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "gateway/s3_owner.h"
#include "s3/names.h"

namespace holdfast::gateway {
namespace {

// As the records have always had it: a form's encoding, where a space is a plus sign.
std::string encoded_key(const std::string& key) {
  std::string plain, out;
  for (const char c : key) {
    if (c != ' ') {
      plain += c;
      continue;
    }
    s3::append_uri_encoded(out, plain, s3::Slash::keep);
    plain.clear();
    out += '+';
  }
  s3::append_uri_encoded(out, plain, s3::Slash::keep);
  return out;
}

}  // namespace

std::string_view event_name(const store::Change& change) {
  switch (change.kind) {
    case store::ChangeKind::put:
      return change.etag.value.contains('-') ? "ObjectCreated:CompleteMultipartUpload"
                                             : "ObjectCreated:Put";
    case store::ChangeKind::delete_marker:
      return "ObjectRemoved:DeleteMarkerCreated";
    case store::ChangeKind::version_removed:
      return "ObjectRemoved:Delete";
  }
  return "ObjectCreated:Put";
}

bool event_matches(std::string_view pattern, std::string_view name) {
  if (pattern.starts_with("s3:")) pattern.remove_prefix(3);
  if (pattern == "*") return true;
  if (pattern.ends_with(":*")) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

bool EventFilter::wants(const store::Change& change) const {
  const std::string& key = change.key.value;
  if (!key.starts_with(prefix) || !key.ends_with(suffix)) return false;
  const auto name = event_name(change);
  return events.empty() || std::ranges::any_of(events, [&](const std::string& pattern) {
           return event_matches(pattern, name);
         });
}

boost::json::object event_record(const store::Change& change, const EventSource& source) {
  boost::json::object object;
  object["key"] = encoded_key(change.key.value);
  if (change.kind == store::ChangeKind::put) {
    object["size"] = change.size;
    object["eTag"] = change.etag.value;
  }
  if (!change.version.empty()) object["versionId"] = change.version.value;
  object["sequencer"] = fmt::format("{:016X}", change.sequence);

  boost::json::object bucket;
  bucket["name"] = source.bucket.value;
  bucket["ownerIdentity"] = boost::json::object{{"principalId", store_owner_id}};
  bucket["arn"] = "arn:aws:s3:::" + source.bucket.value;

  boost::json::object s3;
  s3["s3SchemaVersion"] = "1.0";
  s3["configurationId"] = source.configuration_id;
  s3["bucket"] = std::move(bucket);
  s3["object"] = std::move(object);

  boost::json::object record;
  record["eventVersion"] = "2.1";
  record["eventSource"] = "aws:s3";
  record["awsRegion"] = source.region;
  record["eventTime"] = to_rfc3339(change.time);
  record["eventName"] = source.name_prefix + std::string(event_name(change));
  // The feed tells what happened, not who did it; the audit does.
  record["userIdentity"] = boost::json::object{{"principalId", ""}};
  record["requestParameters"] = boost::json::object{{"sourceIPAddress", ""}};
  record["responseElements"] = boost::json::object{};
  record["s3"] = std::move(s3);
  return record;
}

}  // namespace holdfast::gateway

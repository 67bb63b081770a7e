#include "store/session_policy.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>

namespace holdfast::store {
namespace {

namespace json = boost::json;

// Ceph 16 reads a '+' in the request for what it is and so it may stand; blanks are sent as %20.
constexpr std::string_view named_exactly = "/-_.!'()+=,;:@&~ ";

json::object allow(json::array actions, json::array resources) {
  return {{"Effect", "Allow"}, {"Action", std::move(actions)}, {"Resource", std::move(resources)}};
}

std::string written(json::array statements) {
  return json::serialize(
      json::object{{"Version", "2012-10-17"}, {"Statement", std::move(statements)}});
}

std::string folder_of(const SessionPlace& place) {
  const bool open = place.prefix.empty() || place.prefix.ends_with('/');
  return open ? place.prefix : place.prefix + "/";
}

void add_resources(json::array& out, const SessionPlace& place) {
  const std::string bucket = "arn:aws:s3:::" + place.bucket.value + "/";
  const std::string folder = folder_of(place);
  if (!folder.empty()) out.emplace_back(bucket + folder.substr(0, folder.size() - 1));
  out.emplace_back(bucket + folder + "*");
}

}  // namespace

bool can_be_named(std::string_view path) {
  return std::ranges::all_of(path, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           named_exactly.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::string session_policy(std::span<const SessionPlace> places) {
  json::array read, write;
  std::map<std::string, json::array> folders;  // to list, by bucket
  for (const auto& place : places) {
    add_resources(read, place);
    if (place.right == SessionRight::write) add_resources(write, place);
    folders[place.bucket.value].emplace_back(folder_of(place) + "*");
  }
  json::array statements{allow({"s3:GetObject", "s3:GetObjectVersion"}, std::move(read))};
  if (!write.empty()) {
    statements.push_back(allow({"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
                                "s3:ListMultipartUploadParts"},
                               std::move(write)));
  }
  for (auto& [bucket, prefixes] : folders) {
    auto list = allow({"s3:ListBucket", "s3:ListBucketVersions"}, {"arn:aws:s3:::" + bucket});
    const bool whole = std::ranges::find(prefixes, json::value("*")) != prefixes.end();
    if (!whole) {
      list["Condition"] =
          json::object{{"StringLike", json::object{{"s3:prefix", std::move(prefixes)}}}};
    }
    statements.push_back(std::move(list));
  }
  return written(std::move(statements));
}

std::optional<std::string> part_policy(const BucketName& bucket, const ObjectKey& key) {
  if (!can_be_named(key.value)) return std::nullopt;
  return written({allow({"s3:PutObject"}, {"arn:aws:s3:::" + bucket.value + "/" + key.value})});
}

}  // namespace holdfast::store

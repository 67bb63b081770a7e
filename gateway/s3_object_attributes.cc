#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "gateway/s3_attributes.h"
#include "gateway/s3_handlers.h"
#include "s3/results.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

// x-amz-object-attributes: names separated by commas, in one or several headers.
s3::ApiResult<std::vector<std::string>> wanted_attributes(const S3Call& call) {
  std::vector<std::string> wanted;
  for (std::string_view value : call.request().headers.all("x-amz-object-attributes")) {
    while (!value.empty()) {
      const std::size_t comma = std::min(value.find(','), value.size());
      wanted.emplace_back(s3::trim_spaces(value.substr(0, comma)));
      value.remove_prefix(std::min(comma + 1, value.size()));
    }
  }
  constexpr std::array<std::string_view, 5> known = {"ETag", "Checksum", "ObjectParts",
                                                     "StorageClass", "ObjectSize"};
  for (const std::string& name : wanted) {
    if (std::ranges::find(known, name) == known.end()) wanted.clear();
  }
  if (wanted.empty()) {
    return s3::refuse(ApiError::invalid_argument, "Invalid attribute name specified.");
  }
  return wanted;
}

s3::ApiResult<std::uint32_t> number_header(const S3Call& call, std::string_view name,
                                           std::uint32_t fallback) {
  if (!call.has_header(name)) return fallback;
  const auto number = s3::parse_u64(call.header(name));
  if (!number || *number > 1'000'000) return s3::refuse(ApiError::invalid_argument);
  return static_cast<std::uint32_t>(*number);
}

s3::ApiResult<s3::ObjectPartsPage> parts_of(const S3Call& call, const store::ObjectInfo& info) {
  auto limit = number_header(call, "x-amz-max-parts", 1000);
  if (!limit) return std::unexpected(std::move(limit.error()));
  auto marker = number_header(call, "x-amz-part-number-marker", 0);
  if (!marker) return std::unexpected(std::move(marker.error()));
  s3::ObjectPartsPage parts;
  parts.total = static_cast<std::uint32_t>(info.part_sizes.size());
  parts.max_parts = std::min<std::uint32_t>(*limit, 1000);
  parts.part_marker = *marker;
  std::uint32_t number = parts.part_marker;
  while (number < parts.total && parts.parts.size() < parts.max_parts) {
    ++number;
    s3::PartEntry entry;
    entry.number = number;
    entry.size = info.part_sizes[number - 1];
    if (number <= info.part_checksums.size()) {
      entry.checksums = checksum_values({info.part_checksums[number - 1]}, 0);
    }
    parts.parts.push_back(std::move(entry));
  }
  parts.next_part_marker = number;
  parts.truncated = number < parts.total;
  return parts;
}

}  // namespace

S3Answer get_attributes(S3Call& call) {
  auto wanted = wanted_attributes(call);
  if (!wanted) co_return std::unexpected(std::move(wanted.error()));
  auto found = co_await call.store().head({call.bucket(), call.key(), call.version(), {}, {}, {}});
  if (!found) co_return refuse_with(found.error());
  const store::ObjectInfo& info = found->info;
  const auto wants = [&](std::string_view name) {
    return std::ranges::find(*wanted, name) != wanted->end();
  };
  s3::ObjectAttributesResult result;
  if (wants("ETag")) result.etag = info.etag.value;
  if (wants("Checksum") && !info.checksums.empty()) {
    result.checksums = checksum_values(info.checksums, info.part_sizes.size());
    result.checksum_type = to_string(info.checksums.front().type);
  }
  if (wants("ObjectSize")) result.size = info.size;
  if (wants("StorageClass")) result.storage_class = "STANDARD";
  if (wants("ObjectParts") && !info.part_sizes.empty()) {
    auto parts = parts_of(call, info);
    if (!parts) co_return std::unexpected(std::move(parts.error()));
    result.parts = std::move(*parts);
  }
  S3Reply reply = xml_reply(s3::write_object_attributes(result));
  reply.head.headers.add("Last-Modified", to_http_date(info.modified));
  if (call.version() || info.version.value != "null") {
    reply.head.headers.add("x-amz-version-id", info.version.value);
  }
  co_return reply;
}

}  // namespace holdfast::gateway

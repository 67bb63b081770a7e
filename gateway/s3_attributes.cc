#include "gateway/s3_attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "gateway/s3_encryption.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::string_view meta_prefix = "x-amz-meta-";

// "aws-chunked" is transport; what is left describes the object.
std::string stored_encoding(std::string_view value) {
  std::string kept;
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view item = s3::trim_spaces(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    if (item.empty() || s3::equal_ascii_case(item, "aws-chunked")) continue;
    if (!kept.empty()) kept += ", ";
    kept += item;
  }
  return kept;
}

// A header, or its hoisted twin in the query of a presigned URL.
std::string_view header_or_hoisted(const S3Call& call, std::string_view name) {
  if (call.has_header(name)) return call.header(name);
  return call.identity.kind == s3::AuthKind::presigned ? call.query(name) : std::string_view();
}

s3::ApiResult<void> add_metadata(store::ObjectAttributes& attributes, std::string_view name,
                                 std::string_view value) {
  const std::string lower = s3::ascii_lower(name);
  if (!lower.starts_with(meta_prefix) || lower.size() == meta_prefix.size()) return {};
  if (!s3::safe_header_value(value)) return s3::refuse(ApiError::invalid_argument);
  auto [entry, added] =
      attributes.metadata.emplace(lower.substr(meta_prefix.size()), std::string(value));
  if (!added) entry->second.append(",").append(value);  // RFC 9110 section 5.3
  return {};
}

s3::ApiResult<void> collect_metadata(store::ObjectAttributes& attributes, const S3Call& call) {
  for (const auto& header : call.request().headers.items()) {
    if (auto good = add_metadata(attributes, header.name, header.value); !good) return good;
  }
  if (call.identity.kind == s3::AuthKind::presigned) {
    for (const auto& [name, value] : call.target.query.items()) {
      if (call.has_header(name)) continue;
      if (auto good = add_metadata(attributes, name, value); !good) return good;
    }
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : attributes.metadata) bytes += name.size() + value.size();
  if (bytes > max_metadata_bytes) return s3::refuse(ApiError::metadata_too_large);
  return {};
}

void add_if(net::Headers& headers, std::string_view name, std::string_view value) {
  if (!value.empty()) headers.add(name, value);
}

}  // namespace

s3::ApiResult<store::ObjectAttributes> attributes_of(const S3Call& call) {
  store::ObjectAttributes attributes;
  attributes.content_type = call.header("content-type");
  attributes.cache_control = call.header("cache-control");
  attributes.content_disposition = call.header("content-disposition");
  attributes.content_encoding = stored_encoding(call.header("content-encoding"));
  attributes.content_language = call.header("content-language");
  attributes.expires = call.header("expires");
  if (auto good = collect_metadata(attributes, call); !good) {
    return std::unexpected(std::move(good.error()));
  }
  const std::string_view tagging = header_or_hoisted(call, "x-amz-tagging");
  if (!tagging.empty()) {
    auto tags = s3::parse_tagging_header(tagging);
    if (!tags) return std::unexpected(std::move(tags.error()));
    attributes.tags = std::move(*tags);
  }
  return attributes;
}

s3::ApiResult<void> check_write_headers(const S3Call& call) {
  if (auto good = check_encryption(call); !good) return good;
  if (call.has_header("x-amz-website-redirect-location") ||
      call.has_header("x-amz-write-offset-bytes")) {
    return s3::refuse(ApiError::not_implemented);
  }
  constexpr std::array<std::string_view, 8> classes = {"",
                                                       "STANDARD",
                                                       "STANDARD_IA",
                                                       "ONEZONE_IA",
                                                       "INTELLIGENT_TIERING",
                                                       "REDUCED_REDUNDANCY",
                                                       "GLACIER_IR",
                                                       "EXPRESS_ONEZONE"};
  if (std::ranges::find(classes, call.header("x-amz-storage-class")) == classes.end()) {
    return s3::refuse(ApiError::invalid_storage_class);
  }
  return {};
}

std::string_view to_string(store::Retention::Mode mode) {
  switch (mode) {
    case store::Retention::Mode::governance:
      return "GOVERNANCE";
    case store::Retention::Mode::compliance:
      return "COMPLIANCE";
    case store::Retention::Mode::none:
      break;
  }
  return "";
}

s3::ApiResult<store::Retention::Mode> retention_mode(std::string_view text) {
  if (text == "GOVERNANCE") return store::Retention::Mode::governance;
  if (text == "COMPLIANCE") return store::Retention::Mode::compliance;
  return s3::refuse(ApiError::invalid_argument, "Unknown Object Lock mode.");
}

s3::ApiResult<store::Retention> retention_of(const S3Call& call) {
  store::Retention retention;
  const std::string_view mode = call.header("x-amz-object-lock-mode");
  const std::string_view until = call.header("x-amz-object-lock-retain-until-date");
  const std::string_view hold = call.header("x-amz-object-lock-legal-hold");
  if (mode.empty() != until.empty()) {
    return s3::refuse(ApiError::invalid_argument,
                      "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be "
                      "supplied.");
  }
  if (!mode.empty()) {
    auto parsed = retention_mode(mode);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    const auto time = from_rfc3339(until);
    if (!time) return s3::refuse(ApiError::invalid_argument, "The retain until date is malformed.");
    if (*time <= call.backend.clock.now()) {
      return s3::refuse(ApiError::invalid_argument, "The retain until date must be in the future.");
    }
    retention.mode = *parsed;
    retention.until = *time;
  }
  if (!hold.empty() && hold != "ON" && hold != "OFF") {
    return s3::refuse(ApiError::invalid_argument, "The legal hold status must be ON or OFF.");
  }
  retention.legal_hold = hold == "ON";
  return retention;
}

s3::ApiResult<store::WriteConditions> write_conditions(const S3Call& call) {
  store::WriteConditions conditions;
  if (call.has_header("if-none-match")) {
    auto tags = s3::parse_etags(call.header("if-none-match"));
    if (tags.size() != 1) return s3::refuse(ApiError::not_implemented);
    if (tags.front() == "*") {
      conditions.if_none_match_any = true;
    } else {
      conditions.if_none_match = ETag(std::move(tags.front()));
    }
  }
  if (call.has_header("if-match")) {
    auto tags = s3::parse_etags(call.header("if-match"));
    if (tags.size() != 1) return s3::refuse(ApiError::not_implemented);
    conditions.if_match = ETag(std::move(tags.front()));
  }
  return conditions;
}

s3::ApiResult<store::WriteConditions> removal_conditions(const S3Call& call) {
  if (call.has_header("if-none-match")) return s3::refuse(ApiError::not_implemented);
  auto conditions = write_conditions(call);
  if (!conditions) return conditions;
  if (call.has_header("x-amz-if-match-last-modified-time")) {
    conditions->if_modified_at = from_http_date(call.header("x-amz-if-match-last-modified-time"));
    if (!conditions->if_modified_at) {
      return s3::refuse(ApiError::invalid_argument,
                        "x-amz-if-match-last-modified-time is no HTTP date.");
    }
  }
  if (call.has_header("x-amz-if-match-size")) {
    conditions->if_size = s3::parse_u64(call.header("x-amz-if-match-size"));
    if (!conditions->if_size) {
      return s3::refuse(ApiError::invalid_argument, "x-amz-if-match-size is no number.");
    }
  }
  return conditions;
}

s3::ApiResult<store::ReadConditions> read_conditions(const S3Call& call, std::string_view prefix) {
  store::ReadConditions conditions;
  const auto value = [&](std::string_view rest) {
    return prefix.empty() ? call.header(rest) : call.header(std::string(prefix).append(rest));
  };
  for (auto& tag : s3::parse_etags(value("if-match"))) {
    conditions.if_match.emplace_back(std::move(tag));
  }
  for (auto& tag : s3::parse_etags(value("if-none-match"))) {
    conditions.if_none_match.emplace_back(std::move(tag));
  }
  // RFC 9110 sections 13.1.3 and 13.1.4: a date that does not parse is ignored.
  conditions.if_modified_since = from_http_date(value("if-modified-since"));
  conditions.if_unmodified_since = from_http_date(value("if-unmodified-since"));
  return conditions;
}

void add_object_headers(net::Headers& headers, const store::ObjectInfo& info) {
  const store::ObjectAttributes& attributes = info.attributes;
  headers.add("Last-Modified", to_http_date(info.modified));
  headers.add("ETag", s3::quote_etag(info.etag.value));
  headers.add("Accept-Ranges", "bytes");
  headers.add("Content-Type",
              attributes.content_type.empty() ? "binary/octet-stream" : attributes.content_type);
  add_if(headers, "Cache-Control", attributes.cache_control);
  add_if(headers, "Content-Disposition", attributes.content_disposition);
  add_if(headers, "Content-Encoding", attributes.content_encoding);
  add_if(headers, "Content-Language", attributes.content_language);
  add_if(headers, "Expires", attributes.expires);
  for (const auto& [name, value] : attributes.metadata) {
    headers.add(std::string(meta_prefix).append(name), value);
  }
  add_written_version(headers, info.version);
  if (!attributes.tags.empty()) {
    headers.add("x-amz-tagging-count", std::to_string(attributes.tags.size()));
  }
  if (info.retention.mode != store::Retention::Mode::none) {
    headers.add("x-amz-object-lock-mode", to_string(info.retention.mode));
    headers.add("x-amz-object-lock-retain-until-date", to_rfc3339(info.retention.until));
  }
  if (info.retention.legal_hold) headers.add("x-amz-object-lock-legal-hold", "ON");
}

void add_written_version(net::Headers& headers, const VersionId& version) {
  if (version.empty() || version.value == "null") return;
  headers.add("x-amz-version-id", version.value);
}

s3::ApiResult<void> apply_overrides(net::Headers& headers, const Query& query) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> overrides = {{
      {"response-content-type", "Content-Type"},
      {"response-content-language", "Content-Language"},
      {"response-expires", "Expires"},
      {"response-cache-control", "Cache-Control"},
      {"response-content-disposition", "Content-Disposition"},
      {"response-content-encoding", "Content-Encoding"},
  }};
  if (query.items().empty()) return {};
  for (const auto& [parameter, header] : overrides) {
    if (!query.has(parameter)) continue;
    const std::string_view value = query.get(parameter);
    if (!s3::safe_header_value(value)) {
      return s3::refuse(ApiError::invalid_argument,
                        fmt::format("{} holds a character that no header may.", parameter));
    }
    headers.set(header, value);
  }
  return {};
}

std::string checksum_text(const store::Checksum& checksum, std::size_t parts) {
  if (checksum.type == store::ChecksumType::full_object || parts == 0) return checksum.value;
  return fmt::format("{}-{}", checksum.value, parts);
}

std::string_view to_string(store::ChecksumType type) {
  return type == store::ChecksumType::composite ? "COMPOSITE" : "FULL_OBJECT";
}

void add_checksum_headers(net::Headers& headers, const std::vector<store::Checksum>& checksums,
                          std::size_t parts) {
  for (const store::Checksum& checksum : checksums) {
    headers.add(s3::checksum_header(to_api(checksum.algorithm)), checksum_text(checksum, parts));
  }
  if (!checksums.empty()) headers.add("x-amz-checksum-type", to_string(checksums.front().type));
}

std::vector<s3::ChecksumValue> checksum_values(const std::vector<store::Checksum>& checksums,
                                               std::size_t parts) {
  std::vector<s3::ChecksumValue> values;
  for (const store::Checksum& checksum : checksums) {
    values.push_back({to_api(checksum.algorithm), checksum_text(checksum, parts)});
  }
  return values;
}

}  // namespace holdfast::gateway

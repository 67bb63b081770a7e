#include "store/s3_headers.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "s3/headers.h"
#include "store/checksum_names.h"

namespace holdfast::store {
namespace {

constexpr std::string_view metadata_prefix = "x-amz-meta-";

void add_if(HeaderList& out, std::string_view name, const std::string& value) {
  if (!value.empty()) out.emplace_back(name, value);
}

std::string joined(const std::vector<ETag>& tags) {
  std::string all;
  for (const auto& tag : tags) {
    if (!all.empty()) all += ", ";
    all += tag.value == "*" ? tag.value : s3::quote_etag(tag.value);
  }
  return all;
}

Retention retention_of(const net::Headers& headers) {
  Retention retention;
  const auto mode = headers.get("x-amz-object-lock-mode");
  if (s3::equal_ascii_case(mode, "GOVERNANCE")) retention.mode = Retention::Mode::governance;
  if (s3::equal_ascii_case(mode, "COMPLIANCE")) retention.mode = Retention::Mode::compliance;
  retention.until =
      from_rfc3339(headers.get("x-amz-object-lock-retain-until-date")).value_or(TimePoint());
  retention.legal_hold = s3::equal_ascii_case(headers.get("x-amz-object-lock-legal-hold"), "ON");
  return retention;
}

}  // namespace

void add_attributes(HeaderList& out, const ObjectAttributes& attributes) {
  add_if(out, "content-type", attributes.content_type);
  add_if(out, "cache-control", attributes.cache_control);
  add_if(out, "content-disposition", attributes.content_disposition);
  add_if(out, "content-encoding", attributes.content_encoding);
  add_if(out, "content-language", attributes.content_language);
  add_if(out, "expires", attributes.expires);
  for (const auto& [name, value] : attributes.metadata) {
    out.emplace_back(fmt::format("{}{}", metadata_prefix, name), value);
  }
  if (!attributes.tags.empty()) {
    out.emplace_back("x-amz-tagging", s3::encode_tagging_header(attributes.tags));
  }
}

void add_conditions(HeaderList& out, const WriteConditions& conditions) {
  if (conditions.if_match) out.emplace_back("if-match", joined({*conditions.if_match}));
  if (conditions.if_none_match_any) out.emplace_back("if-none-match", "*");
  if (conditions.if_none_match) {
    out.emplace_back("if-none-match", joined({*conditions.if_none_match}));
  }
  if (conditions.if_modified_at) {
    out.emplace_back("x-amz-if-match-last-modified-time", to_http_date(*conditions.if_modified_at));
  }
  if (conditions.if_size) {
    out.emplace_back("x-amz-if-match-size", std::to_string(*conditions.if_size));
  }
}

void add_conditions(HeaderList& out, const ReadConditions& conditions, std::string_view prefix) {
  const auto add = [&](std::string_view name, std::string value) {
    out.emplace_back(fmt::format("{}{}", prefix, name), std::move(value));
  };
  if (!conditions.if_match.empty()) add("if-match", joined(conditions.if_match));
  if (!conditions.if_none_match.empty()) add("if-none-match", joined(conditions.if_none_match));
  if (conditions.if_modified_since) {
    add("if-modified-since", to_http_date(*conditions.if_modified_since));
  }
  if (conditions.if_unmodified_since) {
    add("if-unmodified-since", to_http_date(*conditions.if_unmodified_since));
  }
}

void add_checksums(HeaderList& out, const std::vector<Checksum>& checksums) {
  // S3 takes one checksum a request.
  if (checksums.empty()) return;
  out.emplace_back(s3::checksum_header(to_s3(checksums[0].algorithm)), checksums[0].value);
}

void add_retention(HeaderList& out, const Retention& retention) {
  if (retention.mode != Retention::Mode::none) {
    out.emplace_back("x-amz-object-lock-mode", retention_name(retention.mode));
    out.emplace_back("x-amz-object-lock-retain-until-date", to_rfc3339(retention.until));
  }
  if (retention.legal_hold) out.emplace_back("x-amz-object-lock-legal-hold", "ON");
}

Result<void> refuse_acl(std::string_view acl) {
  if (acl.empty()) return {};
  return fail(ErrorCode::not_supported,
              "ACLs of objects are not kept in front of another store: use a bucket policy");
}

std::string range_value(const ByteRange& range) {
  if (range.suffix) return fmt::format("bytes=-{}", *range.suffix);
  const std::uint64_t first = range.first.value_or(0);
  return range.last ? fmt::format("bytes={}-{}", first, *range.last)
                    : fmt::format("bytes={}-", first);
}

void add_version(s3::QueryParameters& out, const std::optional<VersionId>& version) {
  if (version) out.emplace_back("versionId", version->value);
}

std::string_view retention_name(Retention::Mode mode) {
  switch (mode) {
    case Retention::Mode::none:
      return "";
    case Retention::Mode::governance:
      return "GOVERNANCE";
    case Retention::Mode::compliance:
      return "COMPLIANCE";
  }
  return "";
}

std::string_view checksum_type_name(ChecksumType type) {
  return type == ChecksumType::composite ? "COMPOSITE" : "FULL_OBJECT";
}

ChecksumType checksum_type_from(std::string_view name, std::string_view value) {
  const bool composite = s3::equal_ascii_case(name, "COMPOSITE") || value.contains('-');
  return composite ? ChecksumType::composite : ChecksumType::full_object;
}

ETag etag_of(const net::Headers& headers) { return ETag(s3::unquote_etag(headers.get("ETag"))); }

std::vector<Checksum> from_values(const std::vector<s3::ChecksumValue>& values,
                                  std::string_view type) {
  std::vector<Checksum> all;
  for (const auto& value : values) {
    const auto algorithm = from_s3(value.algorithm);
    if (!algorithm) continue;
    all.push_back({*algorithm, checksum_type_from(type, value.value),
                   value.value.substr(0, value.value.find('-'))});
  }
  return all;
}

std::vector<Checksum> checksums_of(const net::Headers& headers) {
  std::vector<s3::ChecksumValue> values;
  for (const auto& header : headers.items()) {
    const auto algorithm = s3::from_checksum_header(s3::ascii_lower(header.name));
    if (algorithm) values.push_back({*algorithm, std::string(header.value)});
  }
  return from_values(values, headers.get("x-amz-checksum-type"));
}

std::optional<ObjectInfo> info_of(const net::Headers& headers, const ObjectKey& key) {
  ObjectInfo info;
  const auto length = s3::parse_u64(headers.get("Content-Length"));
  const auto range = parse_content_range(headers.get("Content-Range"));
  if (!length && !range) return std::nullopt;
  info.key = key;
  info.size = range ? range->total : *length;
  info.etag = etag_of(headers);
  const auto version = headers.get("x-amz-version-id");
  info.version = VersionId(version.empty() ? "null" : std::string(version));
  info.modified = from_http_date(headers.get("Last-Modified")).value_or(TimePoint());
  info.checksums = checksums_of(headers);
  info.retention = retention_of(headers);
  ObjectAttributes& attributes = info.attributes;
  attributes.content_type = headers.get("Content-Type");
  attributes.cache_control = headers.get("Cache-Control");
  attributes.content_disposition = headers.get("Content-Disposition");
  attributes.content_encoding = headers.get("Content-Encoding");
  attributes.content_language = headers.get("Content-Language");
  attributes.expires = headers.get("Expires");
  for (const auto& header : headers.items()) {
    const std::string name = s3::ascii_lower(header.name);
    if (!name.starts_with(metadata_prefix)) continue;
    attributes.metadata[name.substr(metadata_prefix.size())] = header.value;
  }
  return info;
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  if (!value.starts_with("bytes ")) return std::nullopt;
  value.remove_prefix(6);
  const auto dash = value.find('-');
  const auto slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  const auto first = s3::parse_u64(value.substr(0, dash));
  const auto last = s3::parse_u64(value.substr(dash + 1, slash - dash - 1));
  const auto total = s3::parse_u64(value.substr(slash + 1));
  if (!first || !last || !total || *last < *first) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

}  // namespace holdfast::store

#include "s3/headers.h"

#include <algorithm>
#include <charconv>

#include "s3/names.h"

namespace holdfast::s3 {
namespace {

constexpr std::size_t max_tags = 10;
constexpr std::size_t max_tag_key = 128;    // characters
constexpr std::size_t max_tag_value = 256;  // characters

// UTF-8 code points; bytes that continue one do not count.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool consume(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<std::uint64_t> parse_u64(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Range> parse_range(std::string_view value) {
  value = trim_spaces(value);
  if (value.size() < 6 || !equal_ascii_case(value.substr(0, 6), "bytes=")) return std::nullopt;
  value = trim_spaces(value.substr(6));
  const auto dash = value.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view before = trim_spaces(value.substr(0, dash));
  const std::string_view after = trim_spaces(value.substr(dash + 1));
  const auto first = parse_u64(before), last = parse_u64(after);
  if (before.empty()) return last ? std::optional(Range{.suffix = last}) : std::nullopt;
  if (!first || (!after.empty() && !last) || (last && *last < *first)) return std::nullopt;
  return Range{.first = first, .last = last};
}

ApiResult<Range> parse_copy_range(std::string_view value) {
  const auto range = parse_range(value);
  if (!range || !range->first || !range->last) {
    return refuse(ApiError::invalid_argument,
                  "The x-amz-copy-source-range value must be of the form bytes=first-last where "
                  "first and last are the zero-based offsets of the first and last bytes to copy");
  }
  return *range;
}

std::string unquote_etag(std::string_view text) {
  text = trim_spaces(text);
  consume(text, "W/");
  for (const std::string_view quote : {"&quot;", "\""}) {
    if (text.size() >= 2 * quote.size() && text.starts_with(quote) && text.ends_with(quote)) {
      return std::string(text.substr(quote.size(), text.size() - 2 * quote.size()));
    }
  }
  return std::string(text);
}

std::string quote_etag(std::string_view etag) {
  std::string out(etag.size() + 2, '"');
  std::ranges::copy(etag, out.begin() + 1);
  return out;
}

std::vector<std::string> parse_etags(std::string_view value) {
  std::vector<std::string> tags;
  while (!value.empty()) {
    value = trim_spaces(value);
    // A quoted tag may hold a comma.
    const std::size_t opening = value.starts_with("W/") ? 2 : 0;
    std::size_t end = 0;
    if (value.substr(opening).starts_with('"')) {
      end = std::min(value.find('"', opening + 1), value.size());
    }
    end = std::min(value.find(',', end), value.size());
    std::string tag = unquote_etag(value.substr(0, end));
    if (!tag.empty()) tags.push_back(std::move(tag));
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return tags;
}

ApiResult<CopySource> parse_copy_source(std::string_view value) {
  constexpr std::string_view marker = "?versionId=";
  const auto bad = [](const char* why) { return refuse(ApiError::invalid_argument, why); };
  CopySource out;
  std::string_view raw = trim_spaces(value);
  if (const auto at = raw.rfind(marker); at != std::string_view::npos) {
    auto version = percent_decode(raw.substr(at + marker.size()));
    if (!version || version->empty()) return bad("Version id in x-amz-copy-source is malformed");
    out.version = std::move(*version);
    raw = raw.substr(0, at);
  }
  auto decoded = percent_decode(raw);
  if (!decoded) return bad("Invalid copy source encoding");
  std::string_view path = *decoded;
  consume(path, "/");
  const auto slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == path.size()) {
    return bad("Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
  }
  out.bucket = path.substr(0, slash);
  out.key = path.substr(slash + 1);
  if (!validate_bucket_name(out.bucket)) return refuse(ApiError::invalid_bucket_name);
  if (!validate_key(out.key)) return bad("the key of the copy source is not valid");
  return out;
}

std::string encode_copy_source(const CopySource& source) {
  std::string out = "/" + source.bucket + "/";
  append_uri_encoded(out, source.key, Slash::keep);
  if (source.version) {
    out += "?versionId=";
    append_uri_encoded(out, *source.version, Slash::encode);
  }
  return out;
}

ApiResult<void> validate_tags(const Tags& tags) {
  if (tags.size() > max_tags) {
    return refuse(ApiError::invalid_tag, "Object tags cannot be greater than 10");
  }
  for (const auto& [key, value] : tags) {
    if (key.empty() || characters(key) > max_tag_key) {
      return refuse(ApiError::invalid_tag, "The TagKey you have provided is invalid");
    }
    if (characters(value) > max_tag_value) {
      return refuse(ApiError::invalid_tag, "The TagValue you have provided is invalid");
    }
  }
  return {};
}

ApiResult<Tags> parse_tagging_header(std::string_view value) {
  const auto pairs = parse_query(value);
  if (!pairs) return refuse(ApiError::invalid_argument, "The header 'x-amz-tagging' is malformed");
  Tags tags;
  for (const auto& [key, text] : *pairs) {
    if (!tags.emplace(key, text).second) {
      return refuse(ApiError::invalid_tag, "Cannot provide multiple Tags with the same key");
    }
  }
  if (auto valid = validate_tags(tags); !valid) return std::unexpected(valid.error());
  return tags;
}

std::string encode_tagging_header(const Tags& tags) {
  return encode_query(QueryParameters(tags.begin(), tags.end()));
}

bool safe_header_value(std::string_view value) {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace holdfast::s3

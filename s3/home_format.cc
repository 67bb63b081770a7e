#include "s3/home_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "s3/headers.h"
#include "s3/names.h"

namespace holdfast::s3 {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::size_t max_metadata_bytes = 2048;
constexpr std::string_view mtime_key = "mtime", mode_key = "mode", hash_key = "holdfast-hash",
                           link_key = "holdfast-link", xattr_key = "holdfast-xattr",
                           operation_key = "holdfast-op";

bool is_identifier(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool is_hash(std::string_view text) {
  return text.size() == 32 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// "name=value&name=value", names percent-encoded, values base64: binary and safe in a header.
std::string encode_xattrs(const std::map<std::string, std::string>& xattrs) {
  std::string out;
  for (const auto& [name, value] : xattrs) {
    if (!out.empty()) out += '&';
    append_uri_encoded(out, name, Slash::encode);
    out += '=';
    out += to_base64url(as_bytes(value));
  }
  return out;
}

std::map<std::string, std::string> decode_xattrs(std::string_view text) {
  std::map<std::string, std::string> out;
  const auto pairs = parse_query(text);
  if (!pairs) return out;
  for (const auto& [name, value] : *pairs) {
    auto bytes = from_base64url(value);
    if (!bytes || name.empty()) return {};
    out.emplace(name, std::move(*bytes));
  }
  return out;
}

template <class Accept>
std::optional<std::string> find(const Metadata& metadata, std::string_view key, Accept accept) {
  const auto found = metadata.find(std::string(key));
  if (found == metadata.end() || !accept(found->second)) return std::nullopt;
  return found->second;
}

bool is_home_path(std::string_view path) {
  while (true) {
    const auto end = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, end);
    if (component.empty() || component == "." || component == ".." || component.contains('\0')) {
      return false;
    }
    if (end == path.size()) return true;
    path.remove_prefix(end + 1);
  }
}

}  // namespace

std::string encode_mtime(TimePoint time) {
  const std::int64_t count = time.time_since_epoch().count();
  // Magnitude as unsigned: the most negative value has no positive twin.
  const auto magnitude =
      count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  std::string out =
      fmt::format("{}{}.{:09}", count < 0 ? "-" : "", magnitude / second, magnitude % second);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::optional<TimePoint> decode_mtime(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto dot = std::min(text.find('.'), text.size());
  const auto seconds = parse_u64(text.substr(0, dot));
  std::string fraction(text.substr(std::min(dot + 1, text.size())));
  const bool digits = std::ranges::all_of(fraction, [](char c) { return c >= '0' && c <= '9'; });
  if (!seconds || !digits || fraction.size() > 64) return std::nullopt;
  fraction.resize(9, '0');  // what is below a nanosecond is cut
  constexpr std::uint64_t most = INT64_MAX / second;
  if (*seconds > most) return std::nullopt;
  const std::uint64_t magnitude = *seconds * second + *parse_u64(fraction);
  if (magnitude > static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0)) return std::nullopt;
  const std::uint64_t value = negative ? 0 - magnitude : magnitude;
  return TimePoint(std::chrono::nanoseconds(static_cast<std::int64_t>(value)));
}

Result<Metadata> encode_attributes(const HomeAttributes& attributes) {
  Metadata out;
  const auto set = [&out](std::string_view key, std::string value) {
    out.emplace(std::string(key), std::move(value));
  };
  if (attributes.mtime) set(mtime_key, encode_mtime(*attributes.mtime));
  if (attributes.mode) set(mode_key, std::to_string(*attributes.mode));
  if (attributes.hash) set(hash_key, *attributes.hash);
  if (attributes.link) set(link_key, *attributes.link);
  if (!attributes.xattrs.empty()) set(xattr_key, encode_xattrs(attributes.xattrs));
  if (attributes.operation) set(operation_key, *attributes.operation);
  std::size_t bytes = 0;
  for (const auto& [key, value] : out) bytes += key.size() + value.size();
  if (bytes > max_metadata_bytes) {
    return fail(ErrorCode::invalid_argument,
                "the file's extended attributes take {} bytes of object metadata, of which S3 "
                "allows {}",
                bytes, max_metadata_bytes);
  }
  return out;
}

HomeAttributes decode_attributes(const Metadata& metadata) {
  HomeAttributes out;
  const auto any = [](std::string_view) { return true; };
  if (const auto text = find(metadata, mtime_key, any)) out.mtime = decode_mtime(*text);
  if (const auto text = find(metadata, mode_key, any)) {
    const auto mode = parse_u64(*text);
    if (mode && *mode <= UINT32_MAX) out.mode = static_cast<std::uint32_t>(*mode);
  }
  out.hash = find(metadata, hash_key, is_hash);
  out.link = find(metadata, link_key, is_identifier);
  out.operation = find(metadata, operation_key, is_identifier);
  if (const auto text = find(metadata, xattr_key, any)) out.xattrs = decode_xattrs(*text);
  return out;
}

Result<std::string> key_of(std::string_view prefix, const HomeName& name) {
  if (name.path.empty()) {
    if (name.kind != HomeKind::directory || prefix.empty()) {
      return fail(ErrorCode::invalid_name, "the home itself is no file and has no key of its own");
    }
    return std::string(prefix);
  }
  if (!is_home_path(name.path)) {
    return fail(ErrorCode::invalid_name, "\"{}\" is no path within a home", name.path);
  }
  std::string key(prefix);
  key += name.path;
  if (name.kind == HomeKind::directory) key += '/';
  if (key.size() > max_key_bytes) {
    return fail(ErrorCode::invalid_name,
                "the path is too long for the store: its key has {} bytes, of which S3 allows {}",
                key.size(), max_key_bytes);
  }
  return key;
}

std::optional<HomeName> name_of(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return std::nullopt;
  std::string_view path = key.substr(prefix.size());
  if (path.empty()) {
    if (prefix.empty()) return std::nullopt;
    return HomeName{"", HomeKind::directory};
  }
  HomeName out;
  if (path.ends_with('/')) {
    out.kind = HomeKind::directory;
    path.remove_suffix(1);
  }
  if (!is_home_path(path)) return std::nullopt;
  out.path = path;
  return out;
}

}  // namespace holdfast::s3

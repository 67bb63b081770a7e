#include "s3/names.h"

#include <algorithm>
#include <array>

namespace holdfast::s3 {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

constexpr std::array<bool, 256> unreserved = [] {
  std::array<bool, 256> table{};
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    table[static_cast<std::size_t>(i)] =
        is_digit(c) || is_lower(c) || is_upper(c) || c == '-' || c == '.' || c == '_' || c == '~';
  }
  return table;
}();

constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus { literal, space };

std::optional<std::string> decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      out += c == '+' && plus == Plus::space ? ' ' : c;
    }
  }
  return out;
}

bool looks_like_ipv4(std::string_view name) {
  return std::ranges::count(name, '.') == 3 &&
         std::ranges::all_of(name, [](char c) { return is_digit(c) || c == '.'; });
}

}  // namespace

Result<void> validate_bucket_name(std::string_view name) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorCode::invalid_name, "bucket name \"{}\" {}", name.substr(0, 64), why);
  };
  if (name.size() < 3 || name.size() > 63) return bad("must have 3 to 63 characters");
  for (const char c : name) {
    if (!is_lower(c) && !is_digit(c) && c != '-' && c != '.') {
      return fail(ErrorCode::invalid_name,
                  "a bucket name holds only lower-case letters, digits, '-' and '.'");
    }
  }
  const auto alphanumeric = [](char c) { return is_lower(c) || is_digit(c); };
  if (!alphanumeric(name.front()) || !alphanumeric(name.back())) {
    return bad("must begin and end with a letter or digit");
  }
  if (name.contains("..")) return bad("must not hold two dots in a row");
  if (name.contains(".-") || name.contains("-.")) {
    return bad("holds a part between dots that begins or ends with '-'");
  }
  if (looks_like_ipv4(name)) return bad("must not look like an IP address");
  for (const std::string_view prefix : {"xn--", "sthree-"}) {
    if (name.starts_with(prefix)) return bad("begins with a reserved prefix");
  }
  for (const std::string_view suffix : {"-s3alias", "--ol-s3", ".mrap", "--x-s3"}) {
    if (name.ends_with(suffix)) return bad("ends with a reserved suffix");
  }
  return {};
}

Result<void> validate_key(std::string_view key) {
  if (key.empty()) return fail(ErrorCode::invalid_name, "an object key must not be empty");
  if (key.size() > max_key_bytes) {
    return fail(ErrorCode::invalid_name, "an object key has at most {} bytes, this one {}",
                max_key_bytes, key.size());
  }
  if (key.contains('\0')) return fail(ErrorCode::invalid_name, "an object key must not hold NUL");
  return {};
}

void append_uri_encoded(std::string& out, std::string_view text, Slash slash) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (unreserved[byte] || (c == '/' && slash == Slash::keep)) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
}

std::string uri_encode(std::string_view text, Slash slash) {
  std::string out;
  out.reserve(text.size() + 16);
  append_uri_encoded(out, text, slash);
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  return decode(text, Plus::literal);
}

std::optional<QueryParameters> parse_query(std::string_view raw_query) {
  QueryParameters out;
  while (!raw_query.empty()) {
    const auto end = std::min(raw_query.find('&'), raw_query.size());
    const std::string_view pair = raw_query.substr(0, end);
    raw_query.remove_prefix(std::min(end + 1, raw_query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = decode(pair.substr(0, equals), Plus::space);
    auto value = decode(pair.substr(std::min(equals + 1, pair.size())), Plus::space);
    if (!name || !value) return std::nullopt;
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

const std::string* find_query(const QueryParameters& query, std::string_view name) {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string encode_query(const QueryParameters& query) {
  std::string out;
  for (const auto& [name, value] : query) {
    if (!out.empty()) out += '&';
    append_uri_encoded(out, name, Slash::encode);
    out += '=';
    append_uri_encoded(out, value, Slash::encode);
  }
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool equal_ascii_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; };
  // Headers are looked up by it: most bytes are the same, or the first one tells.
  const auto same = [&](char x, char y) { return x == y || lower(x) == lower(y); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same);
}

std::string_view trim_spaces(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace holdfast::s3

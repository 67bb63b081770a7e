#include "control/names.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/log.h"

namespace holdfast::control {
namespace {

// Names that hosts, logs and people take for something else.
constexpr std::array<std::string_view, 11> reserved{"root",     "nobody",   "daemon",   "bin",
                                                    "sys",      "holdfast", "launcher", "anonymous",
                                                    "everyone", "public",   "localhost"};

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Result<void> check_principal_name(std::string_view name) {
  const auto tail = [](char c) { return lower(c) || digit(c) || c == '_' || c == '-'; };
  if (name.empty() || name.size() > 31 || !(lower(name[0]) || name[0] == '_') ||
      !std::ranges::all_of(name, tail)) {
    return fail(ErrorCode::invalid_name,
                "\"{}\" cannot be a name: use 1 to 31 of a-z, 0-9, '_' and '-', with a letter or "
                "'_' first",
                log_field(name, 64));
  }
  if (std::ranges::find(reserved, name) != reserved.end()) {
    return fail(ErrorCode::invalid_name, "\"{}\" is a reserved word: choose another name", name);
  }
  return {};
}

Result<void> check_template_name(std::string_view name) {
  const auto tail = [](char c) { return lower(c) || digit(c); };
  if (name.empty() || name.size() > 31 || !lower(name[0]) || !std::ranges::all_of(name, tail)) {
    return fail(ErrorCode::invalid_name,
                "\"{}\" cannot be a template's name: use 1 to 31 of a-z and 0-9, with a letter "
                "first",
                log_field(name, 64));
  }
  return {};
}

Result<void> check_bucket_name(std::string_view name) {
  const auto inner = [](char c) { return lower(c) || digit(c) || c == '-' || c == '.'; };
  const auto edge = [](char c) { return lower(c) || digit(c); };
  if (name.size() < 3 || name.size() > 63 || !std::ranges::all_of(name, inner) ||
      !edge(name.front()) || !edge(name.back()) || name.find("..") != std::string_view::npos) {
    return fail(ErrorCode::invalid_name,
                "\"{}\" cannot be a bucket's name: use 3 to 63 of a-z, 0-9, '-' and '.', with a "
                "letter or digit at both ends",
                log_field(name, 64));
  }
  return {};
}

Result<void> check_prefix(std::string_view prefix) {
  if (prefix.size() > 1024) {
    return fail(ErrorCode::invalid_argument, "a prefix has at most 1,024 bytes, this one has {}",
                prefix.size());
  }
  if (prefix.starts_with('/')) {
    return fail(ErrorCode::invalid_argument,
                "the prefix \"{}\" begins with '/': object keys do not, leave it out",
                log_field(prefix, 100));
  }
  if (prefix.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, "a prefix cannot hold a NUL byte");
  }
  return {};
}

Result<void> check_not_after(const std::optional<TimePoint>& not_after, TimePoint now) {
  if (not_after && *not_after <= now) {
    return fail(ErrorCode::invalid_argument,
                "the expiry {} is in the past (it is {} now): give a later one",
                to_rfc3339(*not_after), to_rfc3339(now));
  }
  return {};
}

}  // namespace holdfast::control

#include "store/conditions.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"

namespace holdfast::store {
namespace {

bool matches_any(const std::vector<ETag>& tags, const ETag& etag) {
  return std::ranges::any_of(tags,
                             [&](const ETag& tag) { return tag == etag || tag.value == "*"; });
}

auto in_seconds(TimePoint time) { return std::chrono::floor<std::chrono::seconds>(time); }

Result<Window> resolve_part(std::uint32_t number, const ObjectInfo& info) {
  const auto& sizes = info.part_sizes;
  const std::size_t count = std::max<std::size_t>(1, sizes.size());
  if (number == 0 || number > count) {
    return fail(ErrorCode::invalid_part, "part {} of {}: the object has {} parts", number,
                log_field(info.key.value), count);
  }
  if (sizes.empty()) return Window{0, info.size, info.size > 0};
  Window window{0, sizes[number - 1], sizes[number - 1] > 0};
  for (std::uint32_t i = 0; i + 1 < number; ++i) window.first += sizes[i];
  return window;
}

Result<Window> resolve_range(const ByteRange& range, const ObjectInfo& info) {
  const std::uint64_t size = info.size;
  if (range.suffix) {
    if (*range.suffix == 0 || size == 0) {
      return fail(ErrorCode::invalid_range, "the last {} of {} bytes", *range.suffix, size);
    }
    const std::uint64_t length = std::min(*range.suffix, size);
    return Window{size - length, length, true};
  }
  const std::uint64_t first = range.first.value_or(0);
  if (first >= size || (range.last && *range.last < first)) {
    return fail(ErrorCode::invalid_range, "bytes from {} of an object of {}", first, size);
  }
  const std::uint64_t last = std::min(range.last.value_or(size - 1), size - 1);
  return Window{first, last - first + 1, true};
}

}  // namespace

Result<void> check_read(const ReadConditions& conditions, const ObjectInfo& info) {
  // RFC 9110 section 13.2.2: a date is looked at only where the matching tag condition is absent.
  if (!conditions.if_match.empty()) {
    if (!matches_any(conditions.if_match, info.etag)) {
      return fail(ErrorCode::precondition_failed, "If-Match: the ETag is {}", info.etag.value);
    }
  } else if (conditions.if_unmodified_since &&
             in_seconds(info.modified) > in_seconds(*conditions.if_unmodified_since)) {
    return fail(ErrorCode::precondition_failed, "If-Unmodified-Since: modified later");
  }
  if (!conditions.if_none_match.empty()) {
    if (matches_any(conditions.if_none_match, info.etag)) {
      return fail(ErrorCode::not_modified, "If-None-Match: the ETag is {}", info.etag.value);
    }
  } else if (conditions.if_modified_since &&
             in_seconds(info.modified) <= in_seconds(*conditions.if_modified_since)) {
    return fail(ErrorCode::not_modified, "If-Modified-Since: not modified since");
  }
  return {};
}

Result<void> check_copy_source(const ReadConditions& conditions, const ObjectInfo& info) {
  auto checked = check_read(conditions, info);
  if (!checked && checked.error().code == ErrorCode::not_modified) {
    return fail(ErrorCode::precondition_failed, "copy source: {}", checked.error().context);
  }
  return checked;
}

Result<void> check_write(const WriteConditions& conditions, const ObjectInfo* current,
                         const ObjectKey& key) {
  if (conditions.if_none_match_any && current != nullptr) {
    return fail(ErrorCode::precondition_failed, "If-None-Match: {} exists", log_field(key.value));
  }
  if (conditions.if_none_match && current != nullptr &&
      *conditions.if_none_match == current->etag) {
    return fail(ErrorCode::precondition_failed, "If-None-Match: the ETag of {} is {}",
                log_field(key.value), current->etag.value);
  }
  if (!conditions.if_match) return {};
  if (current == nullptr) {
    return fail(ErrorCode::no_such_key, "If-Match: {} does not exist", log_field(key.value));
  }
  if (conditions.if_match->value != "*" && *conditions.if_match != current->etag) {
    return fail(ErrorCode::precondition_failed, "If-Match: the ETag of {} is {}",
                log_field(key.value), current->etag.value);
  }
  return {};
}

Result<void> check_removal(const WriteConditions& conditions, const ObjectInfo* named) {
  if (named == nullptr) return {};
  if (conditions.if_match && conditions.if_match->value != "*" &&
      *conditions.if_match != named->etag) {
    return fail(ErrorCode::precondition_failed, "If-Match: the ETag is {}", named->etag.value);
  }
  if (conditions.if_modified_at &&
      in_seconds(*conditions.if_modified_at) != in_seconds(named->modified)) {
    return fail(ErrorCode::precondition_failed, "modified at another time");
  }
  if (conditions.if_size && *conditions.if_size != named->size) {
    return fail(ErrorCode::precondition_failed, "the size is {}", named->size);
  }
  return {};
}

bool is_conditional(const WriteConditions& conditions) {
  return conditions.if_match || conditions.if_none_match_any || conditions.if_none_match ||
         conditions.if_modified_at || conditions.if_size;
}

Result<Window> resolve_window(const std::optional<ByteRange>& range,
                              const std::optional<std::uint32_t>& part_number,
                              const ObjectInfo& info) {
  if (range && part_number) {
    return fail(ErrorCode::invalid_argument, "a range and a part number exclude each other");
  }
  if (part_number) return resolve_part(*part_number, info);
  if (range) return resolve_range(*range, info);
  return Window{0, info.size, false};
}

std::optional<std::string> common_prefix_of(std::string_view key, std::string_view prefix,
                                            std::string_view delimiter) {
  if (delimiter.empty()) return std::nullopt;
  const auto at = key.find(delimiter, prefix.size());
  if (at == std::string_view::npos) return std::nullopt;
  return std::string(key.substr(0, at + delimiter.size()));
}

std::optional<std::string> after_prefix(std::string_view prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) {
    prefix.remove_suffix(1);
  }
  if (prefix.empty()) return std::nullopt;
  std::string next(prefix);
  next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return next;
}

}  // namespace holdfast::store

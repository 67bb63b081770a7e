// Hex, base64 and times as text. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace holdfast {

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Lower-case hex.
std::string to_hex(std::span<const std::byte> bytes);
std::optional<std::string> from_hex(std::string_view text);

// RFC 4648 section 4, with padding. Decoding is strict: wrong padding or alphabet is nullopt.
std::string to_base64(std::span<const std::byte> bytes);
std::optional<std::string> from_base64(std::string_view text);
// RFC 4648 section 5 (URL and file-name safe alphabet), no padding.
std::string to_base64url(std::span<const std::byte> bytes);
std::optional<std::string> from_base64url(std::string_view text);

// "2026-11-22T04:31:34.123Z" (RFC 3339, UTC, milliseconds), as S3 listings and the JSON API show.
std::string to_rfc3339(TimePoint time);
// The same with nanoseconds: what a later request may give back as the exact moment.
std::string to_rfc3339_exact(TimePoint time);
// Accepts RFC 3339 with 'Z' or an offset, 0 to 9 fraction digits.
std::optional<TimePoint> from_rfc3339(std::string_view text);
// "Sun, 22 Nov 2026 04:31:34 GMT" (RFC 9110 section 5.6.7, IMF-fixdate).
std::string to_http_date(TimePoint time);
std::optional<TimePoint> from_http_date(std::string_view text);
// "20261122T043134Z", the basic ISO 8601 form that SigV4 uses. One text a moment: no leap second.
std::string to_amz_date(TimePoint time);
std::optional<TimePoint> from_amz_date(std::string_view text);

// Equal length and equal bytes, in time that does not depend on where they differ.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace holdfast

#include "base/encoding.h"

#include <fmt/format.h>

#include <openssl/crypto.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace holdfast {
namespace {

constexpr std::string_view standard_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::array<const char*, 7> day_names = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// The two digits of each byte.
constexpr auto hex_pairs = [] {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {digits[i >> 4], digits[i & 15]};
  return pairs;
}();

std::string encode_base64(std::span<const std::byte> bytes, std::string_view alphabet, bool pad) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < n ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      if (j <= n) {
        out += alphabet[group >> (18 - 6 * j) & 63];
      } else if (pad) {
        out += '=';
      }
    }
  }
  return out;
}

std::optional<std::string> decode_base64(std::string_view text, std::string_view alphabet) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xff);
    }
  }
  const std::uint32_t left = bits & ((1u << held) - 1);
  if (left != 0) return std::nullopt;
  return out;
}

struct Civil {
  int year, month, day, hour, minute, second, weekday;
  long nanosecond;
};

Civil to_civil(TimePoint time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(std::chrono::weekday(days).c_encoding()),
          static_cast<long>(clock.subseconds().count())};
}

// The years whose every moment TimePoint can hold: its nanoseconds end in 2262.
bool is_in_range(int year) { return year >= 1678 && year <= 2261; }

// A moment that a leap second or an offset carried over the edge would have no text.
std::optional<TimePoint> in_range(TimePoint time) {
  return is_in_range(to_civil(time).year) ? std::optional(time) : std::nullopt;
}

std::optional<TimePoint> from_civil(const Civil& c) {
  using namespace std::chrono;
  const year_month_day date{year(c.year), month(static_cast<unsigned>(c.month)),
                            day(static_cast<unsigned>(c.day))};
  if (!date.ok() || !is_in_range(c.year) || c.hour > 23 || c.minute > 59 || c.second > 60)
    return std::nullopt;
  return in_range(TimePoint(sys_days(date)) + hours(c.hour) + minutes(c.minute) +
                  seconds(c.second) + nanoseconds(c.nanosecond));
}

// Reads exactly `width` digits at `at`; -1 when they are not there.
int digits(std::string_view text, std::size_t at, std::size_t width) {
  if (at + width > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

std::string to_hex(std::span<const std::byte> bytes) {
  std::string out(bytes.size() * 2, '\0');
  char* at = out.data();
  for (const std::byte b : bytes) {
    std::memcpy(at, hex_pairs[std::to_integer<unsigned>(b)].data(), 2);
    at += 2;
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (error != std::errc() || end != text.data() + i + 2) return std::nullopt;
    out += static_cast<char>(value);
  }
  return out;
}

std::string to_base64(std::span<const std::byte> bytes) {
  return encode_base64(bytes, standard_alphabet, true);
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return decode_base64(text, standard_alphabet);
}

std::string to_base64url(std::span<const std::byte> bytes) {
  return encode_base64(bytes, url_alphabet, false);
}

std::optional<std::string> from_base64url(std::string_view text) {
  return decode_base64(text, url_alphabet);
}

std::string to_rfc3339(TimePoint time) {
  const Civil c = to_civil(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", c.year, c.month, c.day, c.hour,
                     c.minute, c.second, c.nanosecond / 1'000'000);
}

std::string to_rfc3339_exact(TimePoint time) {
  const Civil c = to_civil(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", c.year, c.month, c.day, c.hour,
                     c.minute, c.second, c.nanosecond);
}

std::optional<TimePoint> from_rfc3339(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  Civil c{digits(text, 0, 4),
          digits(text, 5, 2),
          digits(text, 8, 2),
          digits(text, 11, 2),
          digits(text, 14, 2),
          digits(text, 17, 2),
          0,
          0};
  if (c.year < 0 || c.month < 0 || c.day < 0 || c.hour < 0 || c.minute < 0 || c.second < 0)
    return std::nullopt;
  std::size_t at = 19;
  if (text[at] == '.') {
    long scale = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
      if (scale == 0) return std::nullopt;
      c.nanosecond += (text[at] - '0') * scale;
    }
  }
  const auto time = from_civil(c);
  const std::string_view zone = text.substr(std::min(at, text.size()));
  if (!time || zone.empty()) return std::nullopt;
  if (zone == "Z" || zone == "z") return time;
  const int hours = digits(zone, 1, 2);
  const int minutes = digits(zone, 4, 2);
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || hours < 0 ||
      hours > 23 || minutes < 0 || minutes > 59)
    return std::nullopt;
  const auto offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return in_range(zone[0] == '+' ? *time - offset : *time + offset);
}

std::string to_http_date(TimePoint time) {
  // By hand: every answer of a GET carries one, and formatting costs as much as a signature.
  const Civil c = to_civil(time);
  std::string out;
  out.reserve(32);
  const auto two = [&out](int number) {
    out += static_cast<char>('0' + number / 10 % 10);
    out += static_cast<char>('0' + number % 10);
  };
  out += day_names[static_cast<std::size_t>(c.weekday)];
  out += ", ";
  two(c.day);
  out += ' ';
  out += month_names[static_cast<std::size_t>(c.month - 1)];
  out += ' ';
  two(c.year / 100);
  two(c.year);
  out += ' ';
  two(c.hour);
  out += ':';
  two(c.minute);
  out += ':';
  two(c.second);
  out += " GMT";
  return out;
}

std::optional<TimePoint> from_http_date(std::string_view text) {
  // RFC 9110: the two obsolete forms are accepted too by most servers, but no client sends them.
  if (text.size() != 29 || !text.ends_with(" GMT") || text[3] != ',') return std::nullopt;
  int month = 0;
  for (std::size_t i = 0; i < month_names.size(); ++i) {
    if (text.substr(8, 3) == month_names[i]) month = static_cast<int>(i) + 1;
  }
  const Civil c{digits(text, 12, 4),
                month,
                digits(text, 5, 2),
                digits(text, 17, 2),
                digits(text, 20, 2),
                digits(text, 23, 2),
                0,
                0};
  if (month == 0 || c.year < 0 || c.day < 0 || c.hour < 0 || c.minute < 0 || c.second < 0)
    return std::nullopt;
  return from_civil(c);
}

std::string to_amz_date(TimePoint time) {
  const Civil c = to_civil(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", c.year, c.month, c.day, c.hour, c.minute,
                     c.second);
}

std::optional<TimePoint> from_amz_date(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const Civil c{digits(text, 0, 4),
                digits(text, 4, 2),
                digits(text, 6, 2),
                digits(text, 9, 2),
                digits(text, 11, 2),
                digits(text, 13, 2),
                0,
                0};
  if (c.year < 0 || c.month < 0 || c.day < 0 || c.hour < 0 || c.minute < 0 || c.second < 0)
    return std::nullopt;
  // A leap second would be a second text for the next minute; what is signed has one text.
  if (c.second > 59) return std::nullopt;
  return from_civil(c);
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace holdfast

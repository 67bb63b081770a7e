#include "cli/output.h"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cstdio>

namespace holdfast::cli {
namespace {

namespace json = boost::json;

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

// Columns of text as a terminal shows them: UTF-8 continuation bytes take no place.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80; }));
}

}  // namespace

std::string text_of(const json::object& row, std::string_view member) {
  const auto* value = row.if_contains(member);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return printable(value->get_string());
  if (value->is_bool()) return value->get_bool() ? "yes" : "no";
  return json::serialize(*value);
}

void print_rows(const json::array& rows, const std::vector<Column>& columns, Format format) {
  if (format == Format::json) {
    print_value(rows);
    return;
  }
  std::vector<std::vector<std::string>> lines;
  lines.emplace_back();
  for (const auto& column : columns) lines.front().emplace_back(column.title);
  for (const auto& row : rows) {
    lines.emplace_back();
    for (const auto& column : columns) {
      lines.back().push_back(text_of(row.get_object(), column.member));
    }
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(line[i]));
    }
  }
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text.append(widths[i] - width_of(line[i]) + 2, ' ');
    }
    fmt::print("{}\n", text);
  }
}

void print_value(const json::value& value) { fmt::print("{}\n", json::serialize(value)); }

int report(const Error& error) {
  fmt::print(stderr, "holdfast: {}\n", printable(error.context));
  return 1;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace holdfast::cli

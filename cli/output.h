// What commands print: tables for people, JSON with --json, one sentence for an error. Exit codes:
// 0 done, 1 failed, 2 usage.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace holdfast::cli {

enum class Format { table, json };

struct Column {
  std::string_view title;
  std::string_view member;  // of each row
};

// A member that is null or absent is shown as "-". Control characters are never printed raw.
void print_rows(const boost::json::array& rows, const std::vector<Column>& columns, Format format);
void print_value(const boost::json::value& value);
std::string text_of(const boost::json::object& row, std::string_view member);

// Prints "holdfast: …" to standard error; answers the exit code.
int report(const Error& error);

std::string human_bytes(std::uint64_t bytes);

}  // namespace holdfast::cli

// Logging: one spdlog logger, structured as "folder: sentence key=value". Thread-safe.
// Secrets, signatures and expected signatures are never logged; fields that a client chooses go
// through log_field, which bounds and escapes them.
#pragma once

#include <spdlog/spdlog.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

enum class LogFormat { text, json };

// Sets level, format and standard error as the sink. Called once, by main.
void start_logging(std::string_view level, LogFormat format);

// Printable ASCII kept, everything else as \xNN, cut at `limit` characters with "…".
std::string log_field(std::string_view untrusted, std::size_t limit = 200);

}  // namespace holdfast

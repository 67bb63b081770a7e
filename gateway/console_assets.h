// The console's files, compiled into the program. Constant data; any thread.
#pragma once

#include <string_view>

namespace holdfast::gateway {

struct ConsoleAsset {
  std::string_view path;  // "index.html", "assets/index-1a2b3c.js"
  std::string_view content_type;
  std::string_view bytes;
  bool hashed_name = false;  // the name changes with the content: cache for ever
};

// nullptr: there is no such file.
const ConsoleAsset* find_console_asset(std::string_view path);

}  // namespace holdfast::gateway

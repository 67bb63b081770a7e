// The program's version, as `holdfast --version` and GET /api/v1/session say it. Constant.
#pragma once

#include <string_view>

namespace holdfast::cli {

inline constexpr std::string_view version = "0.1.0";

}  // namespace holdfast::cli

// SHA-256 (FIPS 180-4) of a byte string, for the audit chain and for tokens at rest. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::control {

std::string sha256(std::string_view bytes);  // 32 raw bytes

}  // namespace holdfast::control

// Cookies of the web listener (RFC 6265bis) and the MAC that signs what browsers bring back.
// Pure; any thread. Internal to gateway/.
#pragma once

#include <string>
#include <string_view>

#include "net/http_message.h"

namespace holdfast::gateway {

// The value of the first cookie of that name; empty when there is none.
std::string_view cookie_value(const net::Headers& headers, std::string_view name);
// A Cookie field without the cookies whose names begin with `prefix`; empty when none are left.
std::string without_cookies(std::string_view field, std::string_view prefix);
// "name=value; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=…": never for a whole domain.
struct NewCookie {
  std::string_view name, value;
  long max_age_seconds = 0;
};
std::string set_cookie(const NewCookie& cookie);

// Hex of HMAC-SHA256 (RFC 2104).
std::string hmac_hex(std::string_view secret, std::string_view text);

}  // namespace holdfast::gateway

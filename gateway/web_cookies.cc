#include "gateway/web_cookies.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "s3/names.h"

namespace holdfast::gateway {
namespace {

// Cuts the next "name=value" off `field`; empty at the end.
std::string_view next_pair(std::string_view& field) {
  while (!field.empty()) {
    const auto end = std::min(field.find(';'), field.size());
    const auto pair = s3::trim_spaces(field.substr(0, end));
    field.remove_prefix(std::min(end + 1, field.size()));
    if (!pair.empty()) return pair;
  }
  return {};
}

}  // namespace

std::string_view cookie_value(const net::Headers& headers, std::string_view name) {
  for (std::string_view field : headers.all("Cookie")) {
    for (auto pair = next_pair(field); !pair.empty(); pair = next_pair(field)) {
      if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
        return pair.substr(name.size() + 1);
      }
    }
  }
  return {};
}

std::string without_cookies(std::string_view field, std::string_view prefix) {
  std::string out;
  for (auto pair = next_pair(field); !pair.empty(); pair = next_pair(field)) {
    if (pair.starts_with(prefix)) continue;
    if (!out.empty()) out += "; ";
    out += pair;
  }
  return out;
}

std::string set_cookie(const NewCookie& cookie) {
  return fmt::format("{}={}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age={}", cookie.name,
                     cookie.value, cookie.max_age_seconds);
}

std::string hmac_hex(std::string_view secret, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &length);
  return to_hex(std::as_bytes(std::span(digest).first(length)));
}

}  // namespace holdfast::gateway

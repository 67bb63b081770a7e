// SHA-256 and HMAC-SHA-256 without allocation or provider look-ups: signing costs a few of them a
// request. FIPS 180-4, RFC 2104. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::s3 {

using Sha256Digest = std::array<std::byte, 32>;

class Sha256 {
 public:
  Sha256();
  void update(std::string_view data);
  Sha256Digest finish();  // the object may not be used afterwards

 private:
  alignas(8) std::array<std::byte, 112> state_;  // SHA256_CTX
};

Sha256Digest sha256(std::string_view data);
std::string sha256_hex(std::string_view data);
Sha256Digest hmac_sha256(std::span<const std::byte> key, std::string_view data);

// hex(sha256("")), which SigV4 needs for empty bodies.
inline constexpr std::string_view empty_sha256_hex =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

}  // namespace holdfast::s3

// OpenSSL 3's EVP interface fetches and allocates for each digest, which costs more than hashing a
// canonical request. Its low-level functions are deprecated, not removed, and take the same
// assembly.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "s3/digest.h"

#include <openssl/sha.h>

#include <cstring>
#include <new>

#include "base/encoding.h"

namespace holdfast::s3 {
namespace {

constexpr std::size_t block_bytes = 64;

SHA256_CTX* context(void* storage) { return static_cast<SHA256_CTX*>(storage); }

}  // namespace

Sha256::Sha256() {
  static_assert(sizeof(SHA256_CTX) == sizeof(state_));
  SHA256_Init(new (state_.data()) SHA256_CTX);
}

void Sha256::update(std::string_view data) {
  SHA256_Update(context(state_.data()), data.data(), data.size());
}

Sha256Digest Sha256::finish() {
  Sha256Digest out;
  SHA256_Final(reinterpret_cast<unsigned char*>(out.data()), context(state_.data()));
  return out;
}

Sha256Digest sha256(std::string_view data) {
  Sha256 hash;
  hash.update(data);
  return hash.finish();
}

std::string sha256_hex(std::string_view data) { return to_hex(sha256(data)); }

Sha256Digest hmac_sha256(std::span<const std::byte> key, std::string_view data) {
  std::array<char, block_bytes> block{};
  if (key.size() > block_bytes) {
    const Sha256Digest digest = sha256({reinterpret_cast<const char*>(key.data()), key.size()});
    std::memcpy(block.data(), digest.data(), digest.size());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  const auto keyed = [&block](char pad) {
    for (char& c : block) c = static_cast<char>(c ^ pad);
    Sha256 hash;
    hash.update({block.data(), block.size()});
    for (char& c : block) c = static_cast<char>(c ^ pad);
    return hash;
  };
  Sha256 inner = keyed(0x36);
  inner.update(data);
  const Sha256Digest inner_digest = inner.finish();
  Sha256 outer = keyed(0x5c);
  outer.update({reinterpret_cast<const char*>(inner_digest.data()), inner_digest.size()});
  return outer.finish();
}

}  // namespace holdfast::s3

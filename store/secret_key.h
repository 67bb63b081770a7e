// A key of 256 bits that is wiped when it goes. It moves, and is never copied, printed or compared.
#pragma once

#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <span>

#include "base/random.h"

namespace holdfast::store {

class SecretKey {
 public:
  static constexpr std::size_t bytes = 32;

  // Zeros, to be filled in place.
  SecretKey() = default;
  SecretKey(SecretKey&& other) noexcept : key_(other.key_) { other.wipe(); }
  SecretKey& operator=(SecretKey&& other) noexcept {
    if (this == &other) return *this;
    key_ = other.key_;
    other.wipe();
    return *this;
  }
  ~SecretKey() { wipe(); }

  static SecretKey make(Random& random) {
    SecretKey key;
    random.fill(std::as_writable_bytes(std::span(key.key_)));
    return key;
  }
  unsigned char* data() { return key_.data(); }
  const unsigned char* data() const { return key_.data(); }

 private:
  void wipe() { OPENSSL_cleanse(key_.data(), key_.size()); }

  std::array<unsigned char, bytes> key_{};
};

}  // namespace holdfast::store

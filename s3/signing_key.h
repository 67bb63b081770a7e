// SigV4 signing keys: what a secret becomes for one day, region and service. Pure, any thread, but
// for the cache, which its owner keeps to one thread. AWS S3 API reference, "Authenticating
// Requests (AWS Signature Version 4)".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "s3/digest.h"

namespace holdfast::s3 {

struct Scope {
  std::string date;  // "20260101"
  std::string region;
  std::string service;       // "s3", "sts"
  std::string text() const;  // date/region/service/aws4_request
};

using SigningKey = Sha256Digest;
SigningKey derive_signing_key(std::string_view secret, const Scope& scope);

// Remembers derived keys (four HMACs each). Bounded. Not synchronised: one a thread.
class SigningKeyCache {
 public:
  explicit SigningKeyCache(std::size_t capacity = 1024) : capacity_(capacity) {}
  const SigningKey& get(std::string_view secret, const Scope& scope);
  std::size_t size() const { return keys_.size(); }

 private:
  std::size_t capacity_;
  std::unordered_map<std::string, SigningKey> keys_;
};

std::string sign_hex(const SigningKey& key, std::string_view text);

// "AKID/20260101/us-east-1/s3/aws4_request". Access keys may hold no '/'.
struct ScopedKey {
  std::string access_key;
  Scope scope;
};
std::optional<ScopedKey> parse_credential(std::string_view text);

}  // namespace holdfast::s3

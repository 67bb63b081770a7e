#include "gateway/s3_encryption.h"

#include <string>

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::string_view request_name = "x-amz-server-side-encryption";
constexpr std::string_view source_name = "x-amz-copy-source-server-side-encryption";
constexpr std::string_view algorithm = "AES256";

s3::ApiResult<void> check_one(BodyEncryption encryption, std::string_view given,
                              std::string_view value) {
  if (given.size() < request_name.size()) return {};  // as nearly every header is
  const std::string name = s3::ascii_lower(given);
  if (name.starts_with(source_name)) {
    return s3::refuse(ApiError::not_implemented,
                      "Keys of clients (SSE-C) are not supported: leave the header out.");
  }
  if (!name.starts_with(request_name)) return {};
  if (encryption == BodyEncryption::none) {
    return s3::refuse(ApiError::not_implemented,
                      "This store does not encrypt, and encryption by request is not supported: "
                      "leave the header out, or have the store encrypt (store.root_key_file).");
  }
  if (name.size() > request_name.size() || value.starts_with("aws:")) {
    return s3::refuse(ApiError::not_implemented,
                      "The store encrypts under its own keys (AES256); keys of clients (SSE-C) "
                      "and of a key service (aws:kms) are not supported.");
  }
  if (value != algorithm) return s3::refuse(ApiError::invalid_encryption_algorithm);
  return {};
}

void tell(net::Headers& headers) { headers.add("x-amz-server-side-encryption", algorithm); }

}  // namespace

s3::ApiResult<void> check_encryption(const S3Call& call) {
  const BodyEncryption encryption = call.backend.options.encryption;
  for (const auto& header : call.request().headers.items()) {
    if (auto good = check_one(encryption, header.name, header.value); !good) return good;
  }
  if (call.identity.kind != s3::AuthKind::presigned) return {};
  for (const auto& [name, value] : call.target.query.items()) {
    if (auto good = check_one(encryption, name, value); !good) return good;
  }
  return {};
}

s3::ApiResult<void> check_encryption(const S3Call& call, const s3::PostFields& form) {
  for (const auto& [name, value] : form) {
    if (auto good = check_one(call.backend.options.encryption, name, value); !good) return good;
  }
  return {};
}

s3::ApiResult<void> check_encryption_of_copy(const S3Call& call) {
  if (call.backend.options.encryption != BodyEncryption::new_bodies) return {};
  const bool hoisted =
      call.identity.kind == s3::AuthKind::presigned && call.target.query.has(request_name);
  if (!hoisted && !call.has_header(request_name)) return {};
  return s3::refuse(ApiError::not_implemented,
                    "A copy shares its source's body, and this store holds bodies from before it "
                    "began to encrypt: leave x-amz-server-side-encryption out, or upload anew.");
}

void tell_encryption_of_new(net::Headers& headers, const S3Call& call) {
  if (call.backend.options.encryption != BodyEncryption::none) tell(headers);
}

void tell_encryption_of_kept(net::Headers& headers, const S3Call& call) {
  if (call.backend.options.encryption == BodyEncryption::all_bodies) tell(headers);
}

}  // namespace holdfast::gateway

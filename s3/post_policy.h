// POST forms (browser uploads): the policy document, its signature, and every one of its
// conditions. Pure; any thread. AWS S3 API reference, "Browser-Based Uploads Using POST (SigV4)".
// The bucket comes from the URL, never from the form; the caller checks rights on bucket and key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "s3/error.h"
#include "s3/sigv4.h"

namespace holdfast::s3 {

// Form fields before the file, in order; names in lower case, ${filename} already replaced in key.
using PostFields = std::vector<std::pair<std::string, std::string>>;
const std::string* find_field(const PostFields& fields, std::string_view lower_case_name);

struct PostCondition {
  enum class Kind : std::uint8_t { equals, starts_with };
  Kind kind = Kind::equals;
  std::string field;  // lower case, without '$'
  std::string value;
};
struct PostPolicy {
  TimePoint expiration{};
  std::vector<PostCondition> conditions;
  std::optional<std::uint64_t> min_bytes, max_bytes;  // content-length-range
};
// `text` is the form's base64. invalid_policy_document.
ApiResult<PostPolicy> parse_post_policy(std::string_view base64);

// Expiration, every condition, and that no field is left that no condition names (but policy,
// x-amz-signature, file, x-ignore-*, x-amz-checksum-*). `bucket` is the URL's.
ApiResult<void> check_post_policy(const PostPolicy& policy, const PostFields& fields,
                                  std::string_view bucket, TimePoint now);
// To be called with the file's size, and while it is being read with the bytes so far.
ApiResult<void> check_post_length(const PostPolicy& policy, std::uint64_t bytes, bool at_end);

// Credentials in the form: x-amz-algorithm, -credential, -date, -signature, and policy; or SigV2's
// AWSAccessKeyId, signature and policy. nullopt: none of them is there (anonymous). A part of them,
// or both kinds, is refused.
ApiResult<std::optional<ParsedAuthorization>> parse_post_authorization(const PostFields& fields);
// Signature over the form's base64 policy; scope as in verify(). Time is the policy's matter.
ApiResult<VerifiedSignature> verify_post(const ParsedAuthorization& parsed, std::string_view secret,
                                         const PostFields& fields, const VerifyOptions& options);

// For the side that hands out forms: the policy's base64 and signature.
struct SignedPolicy {
  std::string policy_base64, credential, amz_date, signature;
};
SignedPolicy sign_post_policy(std::string_view policy_json, const Credentials& credentials,
                              const SignOptions& options);

}  // namespace holdfast::s3

// AWS Signature Version 4 for S3, both ways: sign and verify. Pure; any thread; the caller owns the
// key cache. Specification: AWS S3 API reference, "Authenticating Requests (AWS Signature V4)".
//
// Server: parse_authorization() says which kind it is and whose key is needed, verify() decides.
// Whoever dispatches switches over AuthKind with no default that allows.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/header_view.h"
#include "s3/error.h"
#include "s3/names.h"
#include "s3/signing_key.h"

namespace holdfast::s3 {

using holdfast::HeaderView;

// A request as it is on the wire; nothing here is decoded. Only views: the message must live.
struct SigningRequest {
  std::string_view method;  // "GET"
  std::string_view path;    // raw, before '?'
  std::string_view query;   // raw, without '?'
  std::span<const HeaderView> headers;
};

// Values of x-amz-content-sha256 beside a hex digest.
inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view streaming_payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
inline constexpr std::string_view streaming_payload_trailer =
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
inline constexpr std::string_view streaming_unsigned_trailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

enum class PayloadMode : std::uint8_t {
  hashed,  // hex SHA-256 of the body, to be compared when it has been read
  unsigned_payload,
  streaming_signed,  // aws-chunked, see s3/chunked.h
  streaming_signed_trailer,
  streaming_unsigned_trailer,
};
// nullopt: neither a known word nor 64 hex digits.
std::optional<PayloadMode> payload_mode(std::string_view content_sha256);

// The last two are never answered by parse_authorization: the edge finds them in the form
// (s3/post_policy.h). post_policy_v2 is SigV2's form of it, which is off unless asked for.
enum class AuthKind : std::uint8_t { anonymous, header, presigned, post_policy, post_policy_v2 };

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // empty: none
};

struct SignOptions {
  TimePoint now{};
  std::string region = "us-east-1";
  std::string service = "s3";
  std::string payload_hash{unsigned_payload};  // hex SHA-256 or one of the words above
  SigningKeyCache* cache = nullptr;
};

// What the caller adds to the message it signs.
struct SignedHeaders {
  std::vector<std::pair<std::string, std::string>> headers;  // x-amz-date, …, authorization
  std::string signature;                                     // hex; the seed of chunk signatures
  SigningKey key{};
  std::string scope, amz_date;
};
// Signs every header in request.headers: host, all x-amz-*, content-md5, content-type, range where
// they are sent; leave out authorization, user-agent, expect and hop-by-hop ones. The answer holds
// x-amz-date, x-amz-content-sha256, x-amz-security-token (if any) and authorization, to be added.
SignedHeaders sign_headers(const SigningRequest& request, const Credentials& credentials,
                           const SignOptions& options);

// The query string (without '?') of a presigned URL: request.query plus the X-Amz-* parameters.
// request.headers are the headers that the client will have to send; host at least.
std::string presign_query(const SigningRequest& request, const Credentials& credentials,
                          const SignOptions& options, std::chrono::seconds expires);

struct ParsedAuthorization {
  AuthKind kind = AuthKind::anonymous;
  std::string access_key;
  Scope scope;
  std::vector<std::string> signed_headers;  // lower case, as listed
  std::string signature;                    // hex
  std::string amz_date;                     // as signed
  TimePoint timestamp{};
  std::chrono::seconds expires{0};  // presigned only
  std::string payload_hash;
  PayloadMode payload = PayloadMode::unsigned_payload;
  std::string session_token;  // x-amz-security-token, header or query
  QueryParameters query;      // decoded, without X-Amz-Signature; what verify() signs
};
// Refuses mixed, partial and doubled credentials, SigV2 and unknown schemes. Without credentials
// the kind is anonymous (signed chunks are then refused, as they are for presigned URLs).
// `body_hash`: for services without x-amz-content-sha256 (STS), hex SHA-256 of the body.
ApiResult<ParsedAuthorization> parse_authorization(const SigningRequest& request,
                                                   std::string_view body_hash = {});

struct VerifyOptions {
  TimePoint now{};
  std::string_view service = "s3";
  std::string_view region;  // empty: any region is accepted
  std::chrono::seconds max_skew{15 * 60};
  SigningKeyCache* cache = nullptr;
  bool v2_forms = false;  // verify_post: HMAC-SHA1 over the policy, as old form makers sign
};
struct VerifiedSignature {
  AuthKind kind = AuthKind::anonymous;
  PayloadMode payload = PayloadMode::unsigned_payload;
  std::string payload_hash;     // hex, when hashed
  SigningKey key{};             // for chunk signatures
  std::string seed_signature;   // hex
  std::string scope, amz_date;  // as in strings to sign
  TimePoint timestamp{};
};
// REQUIRES: parsed came from parse_authorization(request) and is not anonymous. Checks, in order:
// scope, time (±max_skew; a presigned URL at most 7 days and not expired), host and every x-amz-*
// header signed, signature in constant time.
ApiResult<VerifiedSignature> verify(ParsedAuthorization parsed, std::string_view secret,
                                    const SigningRequest& request, const VerifyOptions& options);

// What an anonymous request's body is read with (s3/payload.h). REQUIRES: parsed is anonymous.
VerifiedSignature unsigned_request(const ParsedAuthorization& parsed);

// Parts, for tests and for the POST policy.
std::string canonical_request(const SigningRequest& request, const QueryParameters& query,
                              std::span<const std::string> signed_headers,
                              std::string_view payload_hash);
std::string string_to_sign(std::string_view amz_date, std::string_view scope,
                           std::string_view canonical);

}  // namespace holdfast::s3

// Requests and keys of the AWS documentation ("Examples: Signature Calculations in AWS Signature
// Version 4", "Signature Calculations … Multiple Chunks"), shared by the signing tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "s3/sigv4.h"

namespace holdfast::s3::sample {

inline const Credentials credentials{"AKIAIOSFODNN7EXAMPLE",
                                     "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
inline constexpr std::string_view host = "examplebucket.s3.amazonaws.com";
inline const TimePoint now = *from_amz_date("20130524T000000Z");

// A request that owns its text.
struct Message {
  std::string method = "GET", path = "/test.txt", query;
  std::vector<std::pair<std::string, std::string>> headers{{"Host", std::string(host)}};
  std::vector<HeaderView> views;

  SigningRequest view() {
    views.clear();
    for (const auto& [name, value] : headers) views.push_back({name, value});
    return {method, path, query, views};
  }
  void add(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
  }
  std::string& header(std::string_view name) {
    for (auto& [key, value] : headers) {
      if (equal_ascii_case(key, name)) return value;
    }
    HOLDFAST_CHECK(false);
    return headers.front().second;
  }
};

inline SignOptions options_at(TimePoint time, std::string_view payload = empty_sha256_hex) {
  SignOptions options;
  options.now = time;
  options.payload_hash = payload;
  return options;
}

inline SignedHeaders sign(Message& message, const SignOptions& options) {
  SignedHeaders out = sign_headers(message.view(), credentials, options);
  for (const auto& [name, value] : out.headers) message.add(name, value);
  return out;
}

inline VerifyOptions verify_at(TimePoint time) {
  VerifyOptions options;
  options.now = time;
  return options;
}

// Parses and verifies; the first error of either.
inline ApiResult<VerifiedSignature> judge(Message& message, const VerifyOptions& options,
                                          std::string_view secret = credentials.secret_key) {
  const SigningRequest request = message.view();
  const auto parsed = parse_authorization(request);
  if (!parsed) return std::unexpected(parsed.error());
  return verify(*parsed, secret, request, options);
}

inline Message chunked_message(std::string_view payload_word) {
  Message message{.method = "PUT", .path = "/examplebucket/chunkObject.txt"};
  message.headers = {{"Host", "s3.amazonaws.com"},
                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                     {"Content-Encoding", "aws-chunked"},
                     {"x-amz-decoded-content-length", "66560"}};
  if (payload_word == streaming_payload) message.add("Content-Length", "66824");
  if (payload_word == streaming_payload_trailer)
    message.add("x-amz-trailer", "x-amz-checksum-crc32c");
  return message;
}

}  // namespace holdfast::s3::sample

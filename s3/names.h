// Names and percent-encoding of the S3 API. Pure; any thread.
// One decoded path: the bytes that percent_decode gives are what is signed, authorised and stored.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace holdfast::s3 {

// AWS, "Bucket naming rules": 3 to 63 of [a-z0-9.-], first and last a letter or digit, no "..",
// no IPv4 address, no xn-- or sthree- prefix, no -s3alias or --ol-s3 suffix. invalid_name.
Result<void> validate_bucket_name(std::string_view name);

inline constexpr std::size_t max_key_bytes = 1024;
// 1 to 1024 bytes of anything but NUL. invalid_name.
Result<void> validate_key(std::string_view key);

// RFC 3986 unreserved characters stay, all else becomes %XX in upper case (SigV4 "UriEncode").
enum class Slash { keep, encode };
std::string uri_encode(std::string_view text, Slash slash = Slash::encode);
void append_uri_encoded(std::string& out, std::string_view text, Slash slash);

// Strict: a '%' without two hex digits is nullopt. '+' stays '+'.
std::optional<std::string> percent_decode(std::string_view text);

// Decoded name and value pairs in the order of the URL; "a&b=" are names with empty values. '+' is
// a space here (forms and old SDKs send it so). nullopt: a malformed escape.
using QueryParameters = std::vector<std::pair<std::string, std::string>>;
std::optional<QueryParameters> parse_query(std::string_view raw_query);
// The first of that name, compared exactly. `find_query` tells empty from absent.
const std::string* find_query(const QueryParameters& query, std::string_view name);

// "a=b&c=d" with both encoded, in the given order.
std::string encode_query(const QueryParameters& query);

// ASCII only, as HTTP needs.
std::string ascii_lower(std::string_view text);
bool equal_ascii_case(std::string_view a, std::string_view b);
std::string_view trim_spaces(std::string_view text);  // spaces and tabs at both ends

}  // namespace holdfast::s3

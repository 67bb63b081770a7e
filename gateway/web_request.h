// Reading the JSON API's requests and writing its answers: fields with clear errors, keys that need
// not be UTF-8, and the one place where a console call is judged. Internal to gateway/.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/policy.h"
#include "gateway/web_api.h"

namespace holdfast::gateway {

// A required or optional member of the body. invalid_argument names the member and what it takes.
Result<std::string> text_field(const boost::json::object& body, std::string_view name);
std::string text_field_or(const boost::json::object& body, std::string_view name,
                          std::string_view otherwise);
Result<std::uint64_t> number_field(const boost::json::object& body, std::string_view name);
// What a member that is absent means is part of its description: `otherwise`.
enum class Otherwise : bool { no, yes };
bool flag_field(const boost::json::object& body, std::string_view name, Otherwise otherwise);
std::string query_or(const ApiRequest& request, const std::string& name,
                     std::string_view otherwise);

// "key" as UTF-8, or "key_raw" as base64 of its bytes.
Result<ObjectKey> key_field(const boost::json::object& body);
bool is_utf8(std::string_view text);
// Sets "key" and, where the bytes are not UTF-8, an escaped form and "key_raw".
void set_key(boost::json::object& out, std::string_view name, std::string_view bytes);

// "home:alice/dir" and "s3://bucket/key" as the command line writes them.
struct Place {
  BucketName bucket;
  std::string path;
};
Result<Place> parse_place(std::string_view text, const BucketName& homes_bucket);

// One judgement of one call; access_denied with a sentence for the person, audited with the reason.
Result<void> authorise(WebApi& api, const Caller& caller, control::Action action,
                       const BucketName& bucket, std::string_view path);
Result<void> require_admin(const Caller& caller);

}  // namespace holdfast::gateway

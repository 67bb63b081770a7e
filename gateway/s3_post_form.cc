#include <fmt/format.h>

#include <utility>

#include "base/encoding.h"
#include "gateway/s3_acl_request.h"
#include "gateway/s3_attributes.h"
#include "gateway/s3_authorization.h"
#include "gateway/s3_encryption.h"
#include "gateway/s3_form_data.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_owner.h"
#include "gateway/s3_payload.h"
#include "s3/messages.h"
#include "s3/post_policy.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

// Holds the file to the policy's content-length-range and the service's own limit as it arrives.
class BoundedFile final : public BodyReader {
 public:
  BoundedFile(BodyReader& file, const s3::PostPolicy& policy, std::uint64_t limit)
      : file_(file), policy_(policy), limit_(limit) {}

  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    auto count = co_await file_.read(out);
    if (!count) co_return count;
    bytes_ += *count;
    auto good = s3::check_post_length(policy_, bytes_, *count == 0);
    if (good && bytes_ > limit_) good = s3::refuse(ApiError::entity_too_large);
    if (!good) {
      failure_ = std::move(good.error());
      co_return std::unexpected(s3::to_error(*failure_));
    }
    co_return count;
  }
  std::optional<std::uint64_t> size() const override { return std::nullopt; }
  const std::optional<s3::ApiFailure>& failure() const { return failure_; }

 private:
  BodyReader& file_;
  const s3::PostPolicy& policy_;
  std::uint64_t limit_;
  std::uint64_t bytes_ = 0;
  std::optional<s3::ApiFailure> failure_;
};

std::string_view field_or_empty(const s3::PostFields& fields, std::string_view name) {
  const std::string* value = s3::find_field(fields, name);
  return value == nullptr ? std::string_view() : std::string_view(*value);
}

// ${filename} is the name without the directories that some browsers send.
void replace_file_name(std::string& key, std::string_view file_name) {
  constexpr std::string_view mark = "${filename}";
  const std::size_t slash = file_name.find_last_of("/\\");
  if (slash != std::string_view::npos) file_name.remove_prefix(slash + 1);
  const std::size_t at = key.find(mark);
  if (at != std::string::npos) key.replace(at, mark.size(), file_name);
}

s3::ApiResult<ObjectKey> key_of(s3::PostFields& fields, std::string_view file_name) {
  for (auto& [name, value] : fields) {
    if (name != "key") continue;
    replace_file_name(value, file_name);
    if (value.size() > s3::max_key_bytes) return s3::refuse(ApiError::key_too_long);
    if (!s3::validate_key(value)) return s3::refuse(ApiError::user_key_must_be_specified);
    return ObjectKey(value);
  }
  return s3::refuse(ApiError::user_key_must_be_specified);
}

s3::ApiResult<store::ObjectAttributes> attributes_of_form(const s3::PostFields& fields) {
  constexpr std::string_view meta = "x-amz-meta-";
  store::ObjectAttributes attributes;
  std::size_t bytes = 0;
  for (const auto& [name, value] : fields) {
    if (!s3::safe_header_value(value)) {
      if (name == "tagging" || name == "policy") continue;  // documents, never headers
      return s3::refuse(ApiError::invalid_argument, "A form field holds a line break.");
    }
    if (!name.starts_with(meta) || name.size() == meta.size()) continue;
    bytes += name.size() - meta.size() + value.size();
    attributes.metadata[name.substr(meta.size())] = value;
  }
  if (bytes > max_metadata_bytes) return s3::refuse(ApiError::metadata_too_large);
  attributes.content_type = field_or_empty(fields, "content-type");
  attributes.cache_control = field_or_empty(fields, "cache-control");
  attributes.content_disposition = field_or_empty(fields, "content-disposition");
  attributes.content_encoding = field_or_empty(fields, "content-encoding");
  attributes.expires = field_or_empty(fields, "expires");
  if (const std::string* tagging = s3::find_field(fields, "tagging")) {
    auto tags = s3::parse_tagging(*tagging);
    if (!tags) return std::unexpected(std::move(tags.error()));
    attributes.tags = std::move(*tags);
  }
  return attributes;
}

s3::ApiResult<std::vector<store::Checksum>> checksums_of_form(const s3::PostFields& fields) {
  std::vector<store::Checksum> found;
  for (const auto& [name, value] : fields) {
    const auto algorithm = s3::from_checksum_header(name);
    const auto stored = algorithm ? to_store(*algorithm) : std::nullopt;
    if (!stored) continue;
    if (!s3::decode_checksum(*algorithm, value)) return s3::refuse(ApiError::invalid_request);
    found.push_back({*stored, store::ChecksumType::full_object, value});
  }
  if (found.size() > 1) return s3::refuse(ApiError::invalid_request);
  return found;
}

S3Reply answer_of(const S3Call& call, const s3::PostFields& fields, const ObjectKey& key,
                  const store::PutResult& result) {
  const std::string location =
      fmt::format("{}://{}/{}{}", call.exchange.secure() ? "https" : "http", call.request().host(),
                  call.target.virtual_host ? "" : call.bucket().value + "/",
                  s3::uri_encode(key.value, s3::Slash::keep));
  const std::string_view redirect = field_or_empty(fields, "success_action_redirect");
  const std::string_view status = field_or_empty(fields, "success_action_status");
  S3Reply reply = empty_reply(204);
  if (redirect.starts_with("http://") || redirect.starts_with("https://")) {
    reply.head.status = 303;
    const s3::QueryParameters query{{"bucket", call.bucket().value},
                                    {"key", key.value},
                                    {"etag", s3::quote_etag(result.etag.value)}};
    reply.head.headers.add(
        "Location",
        fmt::format("{}{}{}", redirect, redirect.find('?') == std::string_view::npos ? '?' : '&',
                    s3::encode_query(query)));
  } else if (status == "201") {
    reply = xml_reply(
        s3::write_post_response(location, call.bucket().value, key.value, result.etag.value), 201);
  } else if (status == "200") {
    reply.head.status = 200;
  }
  if (reply.head.status != 303) reply.head.headers.add("Location", location);
  reply.head.headers.add("ETag", s3::quote_etag(result.etag.value));
  add_written_version(reply.head.headers, result.version);
  tell_encryption_of_new(reply.head.headers, call);
  return reply;
}

// What the form must prove before its rights are judged and its file is read: signature, policy,
// key.
s3::ApiResult<s3::PostPolicy> admit(S3Call& call, s3::PostFields& fields,
                                    std::string_view file_name) {
  if (call.has_header("authorization") || call.target.query.has("X-Amz-Signature")) {
    return s3::refuse(ApiError::invalid_request, "A form carries its credentials in its fields.");
  }
  using Strangers = Authenticator::Strangers;
  auto identity = call.backend.authenticator.authenticate_form(
      fields, call.backend.policies.current(),
      call.rules != nullptr ? Strangers::judged : Strangers::refused);
  if (!identity) return std::unexpected(std::move(identity.error()));
  call.identity = std::move(*identity);
  auto key = key_of(fields, file_name);
  if (!key) return std::unexpected(std::move(key.error()));
  call.target.key = std::move(*key);
  if (call.identity.key == nullptr) return s3::PostPolicy{};  // nobody's word to be held to
  auto policy = s3::parse_post_policy(field_or_empty(fields, "policy"));
  if (!policy) return std::unexpected(std::move(policy.error()));
  auto good = s3::check_post_policy(*policy, fields, call.bucket().value, call.backend.clock.now());
  if (!good) return std::unexpected(std::move(good.error()));
  return policy;
}

// The form's rights. REQUIRES: it was admitted, so that its key is known.
boost::asio::awaitable<s3::ApiResult<void>> judge_form(S3Call& call, const s3::PostFields& fields) {
  call.form = &fields;
  if (const std::string* tagging = s3::find_field(fields, "tagging")) {
    auto tags = s3::parse_tagging(*tagging);
    if (!tags) co_return std::unexpected(std::move(tags.error()));
    call.request_tags = std::move(*tags);
  }
  auto needs = needs_of(call);
  if (!needs) co_return std::unexpected(std::move(needs.error()));
  call.needs = std::move(*needs);
  if (auto tags = co_await add_object_facts(call, call.needs); !tags) co_return tags;
  co_return judge(call, call.needs);
}

}  // namespace

S3Answer post_form(S3Call& call) {
  auto boundary = form_boundary(call.header("content-type"));
  if (!boundary) co_return s3::refuse(ApiError::malformed_post_request);
  FormData form(call.exchange.body(), std::move(*boundary));
  if (auto read = co_await form.read_fields(); !read) {
    if (read.error().code == ErrorCode::malformed) {
      co_return s3::refuse(ApiError::malformed_post_request, read.error().context);
    }
    co_return refuse_with(read.error());
  }
  s3::PostFields fields = form.fields();
  auto policy = admit(call, fields, form.file_name());
  if (!policy) co_return std::unexpected(std::move(policy.error()));
  if (auto allowed = co_await judge_form(call, fields); !allowed) {
    co_return std::unexpected(std::move(allowed.error()));
  }
  if (auto good = check_encryption(call, fields); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  store::PutRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.uploader = call.identity.principal.value;
  auto attributes = attributes_of_form(fields);
  if (!attributes) co_return std::unexpected(std::move(attributes.error()));
  request.attributes = std::move(*attributes);
  auto acl = co_await acl_to_keep(call);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  request.acl = std::move(*acl);
  auto expected = checksums_of_form(fields);
  if (!expected) co_return std::unexpected(std::move(expected.error()));
  request.expected = std::move(*expected);
  const auto file = form.file();
  BoundedFile bounded(*file, *policy, call.backend.options.max_put_bytes);
  const auto judged = judged_reader(call, bounded, call.backend.options.max_put_bytes);
  auto result = co_await call.store().put(std::move(request), *judged);
  if (!result) {
    co_return std::unexpected(bounded.failure() ? *bounded.failure() : to_failure(result.error()));
  }
  co_return answer_of(call, fields, call.key(), *result);
}

}  // namespace holdfast::gateway

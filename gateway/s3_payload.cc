#include "gateway/s3_payload.h"

#include <utility>

#include "base/encoding.h"
#include "gateway/s3_authorization.h"
#include "s3/checksum.h"
#include "s3/chunked.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

class JudgedReader final : public BodyReader {
 public:
  JudgedReader(const S3Call& call, BodyReader& source, std::uint64_t limit)
      : source_(source),
        left_(limit),
        counters_(call.backend.counters),
        rejudge_(call, call.needs) {}

  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    auto count = co_await source_.read(out);
    if (!count) co_return count;
    if (!rejudge_.still_allowed()) {
      co_return fail(ErrorCode::access_denied, "The grant was removed during the upload.");
    }
    // A body of unknown length is held to the limit as it arrives.
    if (*count > left_) co_return fail(ErrorCode::entity_too_large, "The body is too large.");
    left_ -= *count;
    counters_.bytes_in.fetch_add(*count, std::memory_order_relaxed);
    co_return count;
  }
  std::optional<std::uint64_t> size() const override { return source_.size(); }

 private:
  BodyReader& source_;
  std::uint64_t left_;
  S3Counters& counters_;
  Rejudge rejudge_;
};

bool is_streaming(s3::PayloadMode mode) {
  return mode == s3::PayloadMode::streaming_signed ||
         mode == s3::PayloadMode::streaming_signed_trailer ||
         mode == s3::PayloadMode::streaming_unsigned_trailer;
}

s3::ApiResult<std::optional<std::string>> content_md5(const S3Call& call) {
  if (!call.has_header("content-md5")) return std::nullopt;
  auto md5 = from_base64(call.header("content-md5"));
  if (!md5 || md5->size() != 16) return s3::refuse(ApiError::invalid_digest);
  return md5;
}

s3::ApiResult<s3::PayloadOptions> payload_options(const S3Call& call) {
  s3::PayloadOptions options;
  if (call.has_header("x-amz-decoded-content-length")) {
    options.decoded_length = s3::parse_u64(call.header("x-amz-decoded-content-length"));
    if (!options.decoded_length) {
      return s3::refuse(ApiError::invalid_argument, "x-amz-decoded-content-length is no number.");
    }
  }
  if (call.has_header("x-amz-trailer")) {
    auto names = s3::parse_trailer_names(call.header("x-amz-trailer"));
    if (!names) return s3::refuse(ApiError::invalid_request, "x-amz-trailer is malformed.");
    options.trailers = std::move(*names);
  }
  return options;
}

// Algorithms to compute because a trailer will bring their value.
void add_trailing(Upload& upload, const std::vector<std::string>& trailers) {
  for (const std::string& name : trailers) {
    const auto algorithm = s3::from_checksum_header(name);
    const auto stored = algorithm ? to_store(*algorithm) : std::nullopt;
    if (stored) upload.compute.push_back(*stored);
  }
}

// A document is bounded by what it may hold; framing may add some.
bool declared_too_large(const Upload& upload, std::uint64_t limit) {
  return upload.size && *upload.size > limit;
}

s3::ApiResult<void> check_digests(const Upload& upload, std::string_view text) {
  if (upload.md5 && s3::digest_of(s3::Algorithm::md5, text) != *upload.md5) {
    return s3::refuse(ApiError::bad_digest);
  }
  for (const store::Checksum& checksum : upload.expected) {
    const std::string digest = s3::digest_of(to_api(checksum.algorithm), text);
    if (to_base64(as_bytes(digest)) != checksum.value) {
      return s3::refuse(ApiError::checksum_mismatch);
    }
  }
  return {};
}

}  // namespace

s3::ApiFailure Upload::explain(const Error& error) const {
  if (payload != nullptr && payload->failure()) return *payload->failure();
  return to_failure(error);
}

s3::ApiResult<std::vector<store::Checksum>> checksum_headers(const S3Call& call) {
  std::vector<store::Checksum> found;
  for (const auto& header : call.request().headers.items()) {
    const std::string name = s3::ascii_lower(header.name);
    if (!name.starts_with("x-amz-checksum-")) continue;
    const auto algorithm = s3::from_checksum_header(name);
    const auto stored = algorithm ? to_store(*algorithm) : std::nullopt;
    if (!stored) continue;  // -algorithm, -mode, -type
    store::Checksum checksum{*stored, store::ChecksumType::full_object, std::string(header.value)};
    const std::size_t dash = checksum.value.find('-');
    if (dash != std::string::npos) {
      checksum.type = store::ChecksumType::composite;
      checksum.value.resize(dash);
    }
    if (!s3::decode_checksum(*algorithm, checksum.value)) {
      // What is no digest at all is not the body's either.
      return s3::refuse(ApiError::bad_digest, "Value for " + name + " header is invalid.");
    }
    found.push_back(std::move(checksum));
  }
  if (found.size() > 1) {
    return s3::refuse(ApiError::invalid_request,
                      "Expecting a single x-amz-checksum- header. Multiple checksum types are not "
                      "allowed.");
  }
  return found;
}

s3::ApiResult<Upload> open_upload(S3Call& call, std::uint64_t limit) {
  Upload upload;
  auto md5 = content_md5(call);
  if (!md5) return std::unexpected(std::move(md5.error()));
  upload.md5 = std::move(*md5);
  auto expected = checksum_headers(call);
  if (!expected) return std::unexpected(std::move(expected.error()));
  upload.expected = std::move(*expected);
  auto options = payload_options(call);
  if (!options) return std::unexpected(std::move(options.error()));
  add_trailing(upload, options->trailers);
  const std::string_view asked = call.header("x-amz-sdk-checksum-algorithm");
  if (!asked.empty()) {
    const auto algorithm = checksum_algorithm(asked);
    if (!algorithm) {
      return s3::refuse(ApiError::invalid_request, "x-amz-sdk-checksum-algorithm is unknown.");
    }
    if (upload.compute.empty()) upload.compute.push_back(*algorithm);
  }
  upload.size = is_streaming(call.identity.signature.payload) ? options->decoded_length
                                                              : call.exchange.body().size();
  if (declared_too_large(upload, limit)) return s3::refuse(ApiError::entity_too_large);
  auto payload =
      s3::PayloadReader::open(call.exchange.body(), call.identity.signature, std::move(*options));
  if (!payload) return std::unexpected(std::move(payload.error()));
  upload.payload = std::move(*payload);
  upload.body = judged_reader(call, *upload.payload, limit);
  return upload;
}

boost::asio::awaitable<s3::ApiResult<std::string>> read_document(S3Call& call, std::size_t limit,
                                                                 ChecksumsOf checksums) {
  auto upload = open_upload(call, limit);
  if (!upload) co_return std::unexpected(std::move(upload.error()));
  if (checksums == ChecksumsOf::object) upload->expected.clear();
  auto text = co_await read_all(*upload->body, limit);
  if (!text) co_return std::unexpected(upload->explain(text.error()));
  if (auto good = check_digests(*upload, *text); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  co_return std::move(*text);
}

std::unique_ptr<BodyReader> judged_reader(const S3Call& call, BodyReader& source,
                                          std::uint64_t limit) {
  return std::make_unique<JudgedReader>(call, source, limit);
}

}  // namespace holdfast::gateway

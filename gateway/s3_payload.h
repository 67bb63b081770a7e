// The body of an S3 request as verified object bytes: framing, signatures and digests are
// s3::PayloadReader's; this adds the declared sizes and checksums, counting, and judging again
// under a newer policy while the body arrives. One coroutine at a time; the call must outlive it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/s3_call.h"
#include "s3/payload.h"

namespace holdfast::gateway {

struct Upload {
  std::unique_ptr<s3::PayloadReader> payload;
  std::unique_ptr<BodyReader> body;  // reads `payload`
  std::optional<std::uint64_t> size;
  std::optional<std::string> md5;  // raw
  std::vector<store::Checksum> expected;
  std::vector<store::ChecksumAlgorithm> compute;  // announced by a trailer or asked for

  // Why a store's write of this body failed, as precisely as the payload knows.
  s3::ApiFailure explain(const Error& error) const;
};

// entity_too_large (more than `limit` bytes declared), invalid_digest, bad_digest (a checksum that
// is none), invalid_request (two checksums, unknown algorithm). Reads nothing yet.
s3::ApiResult<Upload> open_upload(S3Call& call, std::uint64_t limit);

// What x-amz-checksum-* headers of a request with a document speak of: CompleteMultipartUpload's
// are of the object.
enum class ChecksumsOf : std::uint8_t { document, object };

// A whole document of at most `limit` bytes, its digests checked. Empty where there is no body.
boost::asio::awaitable<s3::ApiResult<std::string>> read_document(
    S3Call& call, std::size_t limit, ChecksumsOf checksums = ChecksumsOf::document);

// x-amz-checksum-* headers; at most one algorithm. A composite value ("…-N") is kept as such.
s3::ApiResult<std::vector<store::Checksum>> checksum_headers(const S3Call& call);

// The reader fails with access_denied once a newer policy no longer allows what the call needs, and
// with entity_too_large beyond `limit` bytes.
std::unique_ptr<BodyReader> judged_reader(const S3Call& call, BodyReader& source,
                                          std::uint64_t limit);

}  // namespace holdfast::gateway

// PayloadReader: a request's body as the object's bytes. Undoes aws-chunked framing, checks chunk
// and trailer signatures, the signed SHA-256, the declared length and the trailing checksum. It
// ends (answers 0) only when all of that holds, so a store that reads to the end stores verified
// bytes. One coroutine at a time. The wire reader must outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/body.h"
#include "s3/checksum.h"
#include "s3/chunked.h"
#include "s3/error.h"
#include "s3/sigv4.h"

namespace holdfast::s3 {

struct PayloadOptions {
  std::optional<std::uint64_t> decoded_length;  // x-amz-decoded-content-length; streaming modes
  std::vector<std::string> trailers;            // x-amz-trailer, lower case
};

class PayloadReader : public BodyReader {
 public:
  // missing_content_length: a streaming mode without decoded length. invalid_request: a trailer
  // that is none of x-amz-checksum-*, or more than one of them.
  static ApiResult<std::unique_ptr<PayloadReader>> open(BodyReader& wire,
                                                        const VerifiedSignature& signature,
                                                        PayloadOptions options);
  // Why a read failed, in the words of the API; nullopt when the wire itself failed.
  virtual const std::optional<ApiFailure>& failure() const = 0;
  // The trailing checksum, after the end: algorithm and base64 value.
  virtual std::optional<std::pair<Algorithm, std::string>> trailing_checksum() const = 0;
};

}  // namespace holdfast::s3

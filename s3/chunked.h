// aws-chunked bodies: incremental decoder (signed, signed with trailer, unsigned with trailer) and
// the encoder that clients use. Specification: AWS S3 API reference, "Signature Calculations …
// Transferring Payload in Multiple Chunks" and "… with trailing headers". One coroutine at a time.
//
// Payload is handed out before its chunk's signature has been seen to hold, so that nothing is
// buffered: a body counts only when the decoder is done().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "s3/digest.h"
#include "s3/error.h"
#include "s3/sigv4.h"

namespace holdfast::s3 {

struct ChunkedOptions {
  std::uint64_t decoded_length = 0;   // x-amz-decoded-content-length
  std::vector<std::string> trailers;  // names in x-amz-trailer, lower case; all must arrive
};

class ChunkedDecoder {
 public:
  // REQUIRES: signature.payload is one of the streaming modes.
  ChunkedDecoder(const VerifiedSignature& signature, ChunkedOptions options);

  struct Progress {
    std::size_t consumed = 0, produced = 0;  // bytes of `in`, bytes of `out`
  };
  // Decodes as much as fits. `out` may begin where `in` begins (decoding in place). Errors are
  // final: signature_does_not_match, incomplete_body (length), invalid_request (framing), malformed
  // trailers.
  ApiResult<Progress> decode(std::span<const std::byte> in, std::span<std::byte> out);

  // The last chunk and its trailers have been read and hold. Bytes behind it are a framing error.
  bool done() const { return state_ == State::done; }
  // Called at the end of the wire: incomplete_body unless done().
  ApiResult<void> finish() const;
  // Name (lower case) and value, without x-amz-trailer-signature. Complete when done().
  const std::vector<std::pair<std::string, std::string>>& trailers() const { return trailers_; }

 private:
  enum class State : std::uint8_t { header, data, data_end, trailer, final_line, done, failed };
  ApiResult<void> take_line(std::string_view line);
  ApiResult<void> take_header(std::string_view line);
  ApiResult<void> take_trailer(std::string_view line);
  ApiResult<void> end_chunk();
  ApiResult<void> end_trailers();
  ApiResult<Progress> step(std::span<const std::byte> in, std::span<std::byte> out);
  bool chunk_signed() const { return mode_ != PayloadMode::streaming_unsigned_trailer; }
  bool has_trailer() const { return mode_ != PayloadMode::streaming_signed; }

  PayloadMode mode_;
  SigningKey key_;
  std::string previous_, scope_, amz_date_;
  ChunkedOptions options_;
  State state_ = State::header;
  std::string line_;
  std::uint64_t left_ = 0, total_ = 0;
  bool last_ = false;
  std::string expected_, trailer_signature_;
  std::size_t trailer_lines_ = 0;
  Sha256 hash_;
  std::vector<std::pair<std::string, std::string>> trailers_;
};

// Value of x-amz-trailer as names; a list of more than 16 or an odd name is nullopt.
std::optional<std::vector<std::string>> parse_trailer_names(std::string_view value);

// Client side: frames for STREAMING-UNSIGNED-PAYLOAD-TRAILER.
std::string chunk_head(std::uint64_t bytes);  // before the data; "\r\n" follows it
std::string chunked_end(std::span<const std::pair<std::string, std::string>> trailers);
// Bytes on the wire (Content-Length) of `decoded` bytes in chunks of `chunk` bytes.
std::uint64_t chunked_length(std::uint64_t decoded, std::uint64_t chunk,
                             std::span<const std::pair<std::string, std::size_t>> trailer_sizes);

// Client side, signed: the signature of one chunk, chained on the one before.
std::string chunk_signature(const SigningKey& key, std::string_view amz_date,
                            std::string_view scope, std::string_view previous,
                            std::string_view data_sha256_hex);
std::string trailer_signature(const SigningKey& key, std::string_view amz_date,
                              std::string_view scope, std::string_view previous,
                              std::string_view trailer_sha256_hex);

}  // namespace holdfast::s3

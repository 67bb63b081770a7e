// The documented chunked uploads, and a builder of signed bodies. Shared by chunk and payload
// tests.
#pragma once

#include <fmt/format.h>

#include "s3/chunked.h"
#include "sigv4_samples.h"

namespace holdfast::s3::sample {

inline VerifiedSignature verified_seed(std::string_view payload_word) {
  Message message = chunked_message(payload_word);
  sign(message, options_at(now, payload_word));
  return judge(message, verify_at(now)).value();
}

inline VerifiedSignature unsigned_seed() {
  VerifiedSignature seed;
  seed.payload = PayloadMode::streaming_unsigned_trailer;
  return seed;
}

// As the documentation prints it: 64 KiB and 1 KiB of 'a'.
inline std::string documented_body() {
  const auto chunk = [](std::size_t bytes, std::string_view signature) {
    return fmt::format("{:x};chunk-signature={}\r\n{}\r\n", bytes, signature,
                       std::string(bytes, 'a'));
  };
  return chunk(65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648") +
         chunk(1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") +
         chunk(0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
}

inline std::string documented_trailer_body(std::string_view line_end) {
  const auto chunk = [](std::size_t bytes, std::string_view signature) {
    return fmt::format("{:x};chunk-signature={}\r\n{}{}", bytes, signature, std::string(bytes, 'a'),
                       bytes == 0 ? "" : "\r\n");
  };
  return chunk(65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2") +
         chunk(1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7") +
         chunk(0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992") +
         fmt::format(
             "x-amz-checksum-crc32c:sOO8/Q=={0}x-amz-trailer-signature:"
             "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
             line_end);
}

}  // namespace holdfast::s3::sample

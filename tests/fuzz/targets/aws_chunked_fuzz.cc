// aws-chunked bodies in their three kinds: no body counts that is not proven, and how the bytes
// were cut does not matter. Input: kind, declared length, trailer names, then the wire.
#include <algorithm>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "s3/chunked.h"
#include "tests/fuzz/targets/fuzz_input.h"

namespace holdfast {
namespace {

struct Outcome {
  std::string body;
  bool done = false, failed = false;
};

Outcome decode(const s3::VerifiedSignature& signature, const s3::ChunkedOptions& options,
               std::string_view wire, std::size_t step) {
  Outcome out;
  s3::ChunkedDecoder decoder(signature, options);
  std::vector<std::byte> room(step);
  while (!wire.empty()) {
    const auto piece = as_bytes(wire.substr(0, step));
    auto progress = decoder.decode(piece, room);
    if (!progress) {
      out.failed = true;
      FUZZ_CHECK(!decoder.done());
      FUZZ_CHECK(!decoder.finish());
      return out;
    }
    FUZZ_CHECK(progress->consumed <= piece.size() && progress->produced <= room.size());
    if (progress->consumed == 0 && progress->produced == 0) break;
    out.body.append(reinterpret_cast<const char*>(room.data()), progress->produced);
    FUZZ_CHECK(out.body.size() <= options.decoded_length);
    wire.remove_prefix(progress->consumed);
  }
  out.done = decoder.done();
  FUZZ_CHECK(out.done == decoder.finish().has_value());
  if (out.done) {
    FUZZ_CHECK(out.body.size() == options.decoded_length);
    for (const auto& name : options.trailers) {
      FUZZ_CHECK(std::ranges::any_of(decoder.trailers(),
                                     [&](const auto& trailer) { return trailer.first == name; }));
    }
  }
  return out;
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  fuzz::Input input(data, size);
  s3::VerifiedSignature signature;
  constexpr s3::PayloadMode kinds[] = {s3::PayloadMode::streaming_unsigned_trailer,
                                       s3::PayloadMode::streaming_signed,
                                       s3::PayloadMode::streaming_signed_trailer};
  signature.payload = kinds[input.byte() % 3];
  signature.seed_signature = std::string(64, 'a');
  signature.scope = "20260101/us-east-1/s3/aws4_request";
  signature.amz_date = "20260101T000000Z";
  s3::ChunkedOptions options;
  options.decoded_length = input.byte();
  const auto names = s3::parse_trailer_names(input.line());
  if (names && signature.payload != s3::PayloadMode::streaming_signed) options.trailers = *names;
  const auto once = decode(signature, options, input.rest(), size + 1);
  const auto bytewise = decode(signature, options, input.rest(), 1);
  FUZZ_CHECK(once.done == bytewise.done && once.failed == bytewise.failed);
  if (once.done) FUZZ_CHECK(once.body == bytewise.body);
  // Nobody can sign a chunk without the key.
  if (signature.payload != s3::PayloadMode::streaming_unsigned_trailer) FUZZ_CHECK(!once.done);
  return 0;
}

// Text forms of bytes and times: strict decoding, and one text for one value.
#include <string>

#include "base/encoding.h"
#include "tests/fuzz/targets/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto bytes = as_bytes(text);
  FUZZ_CHECK(from_hex(to_hex(bytes)) == text);
  FUZZ_CHECK(from_base64(to_base64(bytes)) == text);
  FUZZ_CHECK(from_base64url(to_base64url(bytes)) == text);
  if (auto decoded = from_base64(text)) FUZZ_CHECK(to_base64(as_bytes(*decoded)) == text);
  if (auto decoded = from_base64url(text)) FUZZ_CHECK(to_base64url(as_bytes(*decoded)) == text);
  if (auto decoded = from_hex(text)) FUZZ_CHECK(from_hex(to_hex(as_bytes(*decoded))) == decoded);
  if (auto time = from_rfc3339(text)) FUZZ_CHECK(from_rfc3339(to_rfc3339_exact(*time)) == time);
  if (auto time = from_amz_date(text)) FUZZ_CHECK(to_amz_date(*time) == text);
  if (auto time = from_http_date(text)) FUZZ_CHECK(from_http_date(to_http_date(*time)) == time);
  FUZZ_CHECK(constant_time_equal(text, std::string(text)));
  return 0;
}

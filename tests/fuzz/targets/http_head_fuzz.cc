// The HTTP edge: a head that arrives in pieces, and a chunked body behind it (RFC 9112). Whatever
// is accepted must be unambiguous, and how the bytes were cut must not matter.
#include <algorithm>
#include <string>

#include "net/chunked.h"
#include "net/http_parse.h"
#include "tests/fuzz/targets/fuzz_input.h"

namespace holdfast {
namespace {

using net::Framing;

// The size of the head, 0: more is needed, -1: refused. In pieces of `step` bytes.
long scan(std::string_view bytes, std::size_t step) {
  net::HeadScanner scanner;
  for (std::size_t have = std::min(step, bytes.size());;
       have = std::min(have + step, bytes.size())) {
    auto end = scanner.scan(bytes.substr(0, have));
    if (!end) return -1;
    if (*end) {
      FUZZ_CHECK(**end <= have);
      return static_cast<long>(**end);
    }
    if (have == bytes.size()) return 0;
  }
}

void check_request(std::string_view head) {
  auto parsed = net::parse_request_head(head);
  if (!parsed) {
    FUZZ_CHECK(parsed.error().status >= 400 && parsed.error().status < 600);
    FUZZ_CHECK(!parsed.error().reason.empty());
    return;
  }
  FUZZ_CHECK(net::is_token(parsed->head.method));
  FUZZ_CHECK(!parsed->head.target.empty());
  FUZZ_CHECK(parsed->head.target.size() <= net::max_target_bytes);
  std::size_t hosts = 0, lengths = 0, codings = 0;
  for (const auto& [name, value] : parsed->head.headers.items()) {
    FUZZ_CHECK(net::is_token(name) && net::is_field_value(value));
    hosts += net::equal_ignoring_case(name, "host");
    lengths += net::equal_ignoring_case(name, "content-length");
    codings += net::equal_ignoring_case(name, "transfer-encoding");
  }
  FUZZ_CHECK(hosts <= 1 && lengths + codings <= 1);
  FUZZ_CHECK((parsed->framing.kind == Framing::Kind::length) == (lengths == 1));
  FUZZ_CHECK((parsed->framing.kind == Framing::Kind::chunked) == (codings == 1));
  FUZZ_CHECK(parsed->framing.kind != Framing::Kind::until_close);
  FUZZ_CHECK(parsed->minor == 1 || codings == 0);
}

struct Decoded {
  std::string body;
  std::size_t used = 0;
  bool done = false, failed = false;
};

Decoded decode(std::string_view wire, std::size_t step) {
  Decoded out;
  net::ChunkDecoder decoder;
  std::size_t have = std::min(step, wire.size());
  for (;;) {
    auto next = decoder.next(wire.substr(out.used, have - out.used), step);
    if (!next) {
      out.failed = true;
      return out;
    }
    FUZZ_CHECK(next->skip + next->data <= have - out.used);
    FUZZ_CHECK(next->data <= step);
    out.body += wire.substr(out.used + next->skip, next->data);
    out.used += next->skip + next->data;
    out.done = decoder.done();
    if (out.done) return out;
    if (next->skip + next->data > 0 && out.used < have) continue;
    if (have == wire.size()) return out;
    have = std::min(have + step, wire.size());
  }
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const long whole = scan(bytes, size + 1);
  FUZZ_CHECK(scan(bytes, 1) == whole || whole == -1);
  FUZZ_CHECK(scan(bytes, 7) == scan(bytes, 1));
  const auto head = whole > 0 ? bytes.substr(0, static_cast<std::size_t>(whole)) : bytes;
  if (whole > 0) {
    check_request(head);
    for (const auto* method : {"GET", "HEAD"}) (void)net::parse_response_head(head, method);
  }
  const auto wire = whole > 0 ? bytes.substr(head.size()) : bytes;
  const auto once = decode(wire, size + 1);
  const auto bitwise = decode(wire, 1);
  FUZZ_CHECK(once.done == bitwise.done && once.failed == bitwise.failed);
  if (once.done) FUZZ_CHECK(once.body == bitwise.body && once.used == bitwise.used);
  (void)net::list_has(bytes, "close");
  return 0;
}

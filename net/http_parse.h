// Strict parsing of HTTP/1.x heads (RFC 9112). Pure and bounded: any bytes in, a head or a refusal
// out. Where RFC 9112 lets a recipient repair a message we refuse it, since two readers that repair
// differently are how requests are smuggled. Refused: bare LF or CR, obs-fold, space before the
// colon, control bytes, Content-Length with Transfer-Encoding, repeated Host, Content-Length or
// Transfer-Encoding, a list in Content-Length, any Transfer-Encoding but exactly "chunked", chunked
// in HTTP/1.0, HTTP/1.1 without Host, an absolute target whose authority is not the Host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace holdfast::net {

inline constexpr std::size_t max_head_bytes = 64u << 10;
inline constexpr std::size_t max_header_count = 100;
inline constexpr std::size_t max_target_bytes = 16u << 10;

// How the end of a body is found.
struct Framing {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  // of Kind::length
};

// Why a head was refused; `status` is what a server answers, `reason` a sentence of ours.
struct HeadError {
  unsigned status = 400;
  std::string_view reason;
};

template <class T>
using HeadResult = std::expected<T, HeadError>;

// Finds the end of a head in bytes that arrive piecemeal, looking at each byte once.
class HeadScanner {
 public:
  // `bytes` is everything since the head's begin. The size of the head with its empty line;
  // nullopt: more bytes are needed. A bare LF is refused as soon as it is seen.
  HeadResult<std::optional<std::size_t>> scan(std::string_view bytes);

 private:
  std::size_t line_ = 0;  // begin of the current line
  std::size_t seen_ = 0;  // bytes searched for LF
};

struct ParsedRequest {
  RequestHead head;  // an absolute target is cut to its path
  unsigned minor = 1;
  Framing framing;
  bool keep_alive = true;
  bool expect_continue = false;
};

struct ParsedResponse {
  unsigned status = 0;
  unsigned minor = 1;
  Headers headers;
  Framing framing;
  bool keep_alive = true;
};

// `head` is a whole head, its final empty line included, as HeadScanner found it.
HeadResult<ParsedRequest> parse_request_head(std::string_view head);
// A response to HEAD, and 1xx, 204 and 304, has no body whatever its fields say.
HeadResult<ParsedResponse> parse_response_head(std::string_view head,
                                               std::string_view request_method);

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text);
// No control bytes but HTAB: fit to be written as a field value.
bool is_field_value(std::string_view text);
// Whether the comma-separated list in `value` holds `token`, case ignored ("Connection: close").
bool list_has(std::string_view value, std::string_view token);

}  // namespace holdfast::net

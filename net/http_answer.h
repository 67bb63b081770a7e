// Writes heads of answers (RFC 9112 section 4): pure but for the Date, which is cached by second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http_message.h"

namespace holdfast::net {

// What the server, not the handler, decides about an answer.
struct AnswerFrame {
  std::optional<std::uint64_t> content_length;  // sent when set
  bool chunked = false;
  bool keep_alive = true;
  unsigned request_minor = 1;
  std::uint64_t strict_transport = 0;  // seconds; zero: the handler's own, if any
  std::string_view server_name;
  std::string_view date;
};

// Replaces `out` by the head, its empty line included. internal when a field is unfit to be sent.
Result<void> write_answer_head(const ResponseHead& head, const AnswerFrame& frame,
                               std::string& out);

// The fields above that a handler must not set itself.
bool is_framing_field(std::string_view name);

// Such an answer never has a body (RFC 9110 section 6.4.1).
constexpr bool is_bodiless(unsigned status) {
  return status < 200 || status == 204 || status == 304;
}

// The Date of now, formatted once a second. One per thread.
class DateCache {
 public:
  std::string_view now();

 private:
  std::int64_t second_ = -1;
  std::string text_;
};

}  // namespace holdfast::net

#include "net/http_answer.h"

#include <fmt/format.h>

#include <chrono>

#include "base/encoding.h"
#include "base/log.h"
#include "net/http_parse.h"

namespace holdfast::net {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  const fmt::format_int text(number);
  out.append(text.data(), text.size());
}

constexpr std::string_view strict_transport_field = "Strict-Transport-Security";

}  // namespace

bool is_framing_field(std::string_view name) {
  switch (name.size()) {
    case 4:
      return equal_ignoring_case(name, "date");
    case 10:
      return equal_ignoring_case(name, "connection");
    case 14:
      return equal_ignoring_case(name, "content-length");
    case 17:
      return equal_ignoring_case(name, "transfer-encoding");
    default:
      return false;
  }
}

Result<void> write_answer_head(const ResponseHead& head, const AnswerFrame& frame,
                               std::string& out) {
  out.assign("HTTP/1.1 ");
  append_number(out, head.status);
  out += ' ';
  out += reason_phrase(head.status);
  out += "\r\nDate: ";
  out += frame.date;
  if (!frame.server_name.empty() && !head.headers.has("Server")) {
    out += "\r\nServer: ";
    out += frame.server_name;
  }
  for (const auto& [name, value] : head.headers.items()) {
    if (is_framing_field(name)) continue;
    if (frame.strict_transport != 0 && equal_ignoring_case(name, strict_transport_field)) continue;
    if (!is_token(name) || !is_field_value(value)) {
      return fail(ErrorCode::internal, "answer: the header {} is unfit to be sent",
                  log_field(name));
    }
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  if (frame.strict_transport != 0) {
    out += "\r\n";
    out += strict_transport_field;
    out += ": max-age=";
    append_number(out, frame.strict_transport);
  }
  if (frame.content_length) {
    out += "\r\nContent-Length: ";
    append_number(out, *frame.content_length);
  }
  if (frame.chunked) out += "\r\nTransfer-Encoding: chunked";
  if (!frame.keep_alive) {
    out += "\r\nConnection: close";
  } else if (frame.request_minor == 0) {
    out += "\r\nConnection: keep-alive";
  }
  out += "\r\n\r\n";
  return {};
}

std::string_view DateCache::now() {
  const auto time = std::chrono::system_clock::now();
  const auto second =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  if (second != second_) {
    second_ = second;
    text_ = to_http_date(time);
  }
  return text_;
}

}  // namespace holdfast::net

#include "net/http_parse.h"

#include <array>
#include <charconv>
#include <cstring>

namespace holdfast::net {
namespace {

constexpr std::array<bool, 256> make_set(std::string_view extra) {
  std::array<bool, 256> set{};
  for (int c = '0'; c <= '9'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (const char c : extra) set[static_cast<unsigned char>(c)] = true;
  return set;
}

constexpr auto token_set = make_set("!#$%&'*+-.^_`|~");
constexpr auto host_set = make_set("-._~%!$&'()*+,;=:[]");

bool all_in(const std::array<bool, 256>& set, std::string_view text) {
  bool all = true;
  for (const char c : text) all &= set[static_cast<unsigned char>(c)];
  return all;
}

std::unexpected<HeadError> refuse(unsigned status, std::string_view reason) {
  return std::unexpected(HeadError{status, reason});
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Hands out lines without their CRLF.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  HeadResult<std::string_view> next() {
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos) return refuse(400, "the head ends within a line");
    if (end == 0 || rest_[end - 1] != '\r') return refuse(400, "a line ends with a bare LF");
    const auto line = rest_.substr(0, end - 1);
    rest_.remove_prefix(end + 1);
    return line;
  }
  bool empty() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

// What the fields of a head say about framing and the connection, gathered in one pass.
struct Fields {
  Headers headers;
  std::optional<std::string_view> host;
  std::optional<std::uint64_t> content_length;
  bool has_transfer_encoding = false;
  bool close = false;
  bool keep_alive = false;
};

HeadResult<std::uint64_t> parse_length(std::string_view value) {
  // 18 digits cannot overflow 64 bits, nor an off_t.
  if (value.empty() || value.size() > 18) return refuse(400, "Content-Length is not a number");
  std::uint64_t length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return refuse(400, "Content-Length is not a number");
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return length;
}

HeadResult<void> note_field(Fields& fields, std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      if (!equal_ignoring_case(name, "host")) break;
      if (fields.host) return refuse(400, "Host is given twice");
      if (!all_in(host_set, value)) return refuse(400, "Host is not a host");
      fields.host = value;
      break;
    case 10:
      if (!equal_ignoring_case(name, "connection")) break;
      fields.close |= list_has(value, "close");
      fields.keep_alive |= list_has(value, "keep-alive");
      break;
    case 14: {
      if (!equal_ignoring_case(name, "content-length")) break;
      if (fields.content_length) return refuse(400, "Content-Length is given twice");
      auto length = parse_length(value);
      if (!length) return std::unexpected(length.error());
      fields.content_length = *length;
      break;
    }
    case 17:
      if (!equal_ignoring_case(name, "transfer-encoding")) break;
      if (fields.has_transfer_encoding) return refuse(400, "Transfer-Encoding is given twice");
      if (!equal_ignoring_case(value, "chunked")) {
        return refuse(400, "Transfer-Encoding is not exactly chunked");
      }
      fields.has_transfer_encoding = true;
      break;
    default:
      break;
  }
  return {};
}

HeadResult<void> parse_fields(Lines& lines, Fields& fields) {
  fields.headers.reserve(lines.left());
  for (;;) {
    auto line = lines.next();
    if (!line) return std::unexpected(line.error());
    if (line->empty()) break;
    if (line->front() == ' ' || line->front() == '\t') return refuse(400, "a folded header line");
    const auto colon = line->find(':');
    if (colon == std::string_view::npos) return refuse(400, "a header line without a colon");
    const auto name = line->substr(0, colon);
    const auto value = trim(line->substr(colon + 1));
    if (!is_token(name)) return refuse(400, "a header name is not a token");
    if (!is_field_value(value)) return refuse(400, "a header value holds control bytes");
    if (fields.headers.items().size() == max_header_count) return refuse(431, "too many headers");
    if (auto noted = note_field(fields, name, value); !noted) return noted;
    fields.headers.add(name, value);
  }
  if (!lines.empty()) return refuse(400, "bytes follow the head");
  if (fields.has_transfer_encoding && fields.content_length) {
    return refuse(400, "both Content-Length and Transfer-Encoding");
  }
  return {};
}

// "HTTP/1.0" or "HTTP/1.1": the minor version.
HeadResult<unsigned> parse_version(std::string_view text) {
  if (text == "HTTP/1.1") return 1u;
  if (text == "HTTP/1.0") return 0u;
  const bool other = text.size() == 8 && text.starts_with("HTTP/") && text[6] == '.';
  return other ? refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken")
               : refuse(400, "the request line has no HTTP version");
}

bool is_target(std::string_view target) {
  bool all = !target.empty();
  for (const char c : target) all &= c > 0x20 && c < 0x7f && c != '#';
  return all;
}

HeadResult<void> parse_request_line(std::string_view line, ParsedRequest& request,
                                    std::string_view& authority) {
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return refuse(400, "the request line has not three parts");
  const auto method = line.substr(0, first);
  auto target = line.substr(first + 1, second - first - 1);
  auto minor = parse_version(line.substr(second + 1));
  if (!minor) return std::unexpected(minor.error());
  if (!is_token(method) || method.size() > 32) return refuse(400, "the method is not a token");
  if (target.size() > max_target_bytes) return refuse(414, "the target is too long");
  if (!is_target(target)) return refuse(400, "the target holds bytes that must be escaped");
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const auto rest = target.substr(target.find("//") + 2);
    const auto end = rest.find_first_of("/?");
    authority = rest.substr(0, end);
    if (authority.empty()) return refuse(400, "the target has no host");
    target = end == std::string_view::npos ? std::string_view("/") : rest.substr(end);
    if (target.front() == '?') request.head.target = "/";
  } else if (target.front() != '/' && !(target == "*" && method == "OPTIONS")) {
    return refuse(400, "the target is not a path");
  }
  request.minor = *minor;
  request.head.method = method;
  request.head.target += target;
  return {};
}

}  // namespace

HeadResult<std::optional<std::size_t>> HeadScanner::scan(std::string_view bytes) {
  while (seen_ < bytes.size()) {
    const auto* found =
        static_cast<const char*>(std::memchr(bytes.data() + seen_, '\n', bytes.size() - seen_));
    if (found == nullptr) {
      seen_ = bytes.size();
      break;
    }
    const auto at = static_cast<std::size_t>(found - bytes.data());
    if (at == line_ || bytes[at - 1] != '\r') return refuse(400, "a line ends with a bare LF");
    seen_ = at + 1;
    if (at == line_ + 1) {
      if (line_ == 0) return refuse(400, "an empty line before the request");
      return std::optional(seen_);
    }
    line_ = seen_;
  }
  if (bytes.size() >= max_head_bytes) return refuse(431, "the head is too large");
  return std::optional<std::size_t>();
}

HeadResult<ParsedRequest> parse_request_head(std::string_view head) {
  if (head.size() > max_head_bytes) return refuse(431, "the head is too large");
  ParsedRequest request;
  Lines lines(head);
  std::string_view authority;
  auto line = lines.next();
  if (!line) return std::unexpected(line.error());
  if (auto parsed = parse_request_line(*line, request, authority); !parsed) {
    return std::unexpected(parsed.error());
  }
  Fields fields;
  if (auto parsed = parse_fields(lines, fields); !parsed) return std::unexpected(parsed.error());
  if (!fields.host && request.minor == 1) return refuse(400, "Host is missing");
  if (!authority.empty() && !equal_ignoring_case(authority, fields.host.value_or(authority))) {
    return refuse(400, "the target's host is not the Host");
  }
  if (fields.has_transfer_encoding) {
    if (request.minor == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
    request.framing = {Framing::Kind::chunked, 0};
  } else if (fields.content_length) {
    request.framing = {Framing::Kind::length, *fields.content_length};
  }
  request.head.headers = std::move(fields.headers);
  request.keep_alive = !fields.close && (request.minor == 1 || fields.keep_alive);
  if (const auto expect = request.head.headers.get("Expect"); !expect.empty()) {
    if (!equal_ignoring_case(expect, "100-continue")) return refuse(417, "an unknown expectation");
    request.expect_continue = request.minor == 1;
  }
  return request;
}

HeadResult<ParsedResponse> parse_response_head(std::string_view head,
                                               std::string_view request_method) {
  if (head.size() > max_head_bytes) return refuse(502, "the head is too large");
  ParsedResponse response;
  Lines lines(head);
  auto line = lines.next();
  if (!line) return std::unexpected(line.error());
  if (line->size() < 12 || (*line)[8] != ' ') return refuse(502, "no status line");
  auto minor = parse_version(line->substr(0, 8));
  if (!minor) return std::unexpected(minor.error());
  const auto digits = line->substr(9, 3);
  const auto parsed = std::from_chars(digits.data(), digits.data() + 3, response.status);
  const bool ended = line->size() == 12 || (*line)[12] == ' ';
  if (parsed.ptr != digits.data() + 3 || response.status < 100 || !ended) {
    return refuse(502, "the status is not a number");
  }
  if (!is_field_value(line->substr(12))) return refuse(502, "control bytes in the status line");
  Fields fields;
  if (auto got = parse_fields(lines, fields); !got) return std::unexpected(got.error());
  response.minor = *minor;
  const auto status = response.status;
  if (fields.has_transfer_encoding && *minor == 0) {
    return refuse(502, "Transfer-Encoding in HTTP/1.0");
  }
  if (request_method == "HEAD" || status < 200 || status == 204 || status == 304) {
    response.framing = {};
  } else if (fields.has_transfer_encoding) {
    response.framing = {Framing::Kind::chunked, 0};
  } else if (fields.content_length) {
    response.framing = {Framing::Kind::length, *fields.content_length};
  } else {
    response.framing = {Framing::Kind::until_close, 0};
  }
  response.headers = std::move(fields.headers);
  response.keep_alive = !fields.close && (*minor == 1 || fields.keep_alive) &&
                        response.framing.kind != Framing::Kind::until_close;
  return response;
}

bool is_token(std::string_view text) { return !text.empty() && all_in(token_set, text); }

bool is_field_value(std::string_view text) {
  // Without a way out of the loop, so that it is done by many bytes at once.
  bool fit = true;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    fit &= (byte >= 0x20 || byte == '\t') && byte != 0x7f;
  }
  return fit;
}

bool list_has(std::string_view value, std::string_view token) {
  for (;;) {
    const auto comma = value.find(',');
    if (equal_ignoring_case(trim(value.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
}

}  // namespace holdfast::net

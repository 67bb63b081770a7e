#include "net/curl_request.h"

#include <algorithm>

#include "base/log.h"
#include "net/http_parse.h"

namespace holdfast::net {
namespace {

constexpr long upload_buffer_bytes = 512l << 10;
constexpr long download_buffer_bytes = 256l << 10;

bool is_body_field(std::string_view name) {
  return equal_ignoring_case(name, "Content-Length") ||
         equal_ignoring_case(name, "Transfer-Encoding");
}

bool has_body_by_nature(std::string_view method) {
  return method == "PUT" || method == "POST" || method == "PATCH";
}

void append(HeaderList& list, const std::string& line) {
  list.reset(curl().slist_append(list.release(), line.c_str()));
}

void set_method(CURL* easy, const ClientRequest& request) {
  if (request.method == "HEAD") {
    curl().easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (uploads(request)) {
    curl().easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    const auto size = request.body_size ? static_cast<curl_off_t>(*request.body_size) : -1;
    curl().easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, size);
    const auto buffer = size < 0 ? upload_buffer_bytes
                                 : std::clamp<curl_off_t>(size, 16 << 10, upload_buffer_bytes);
    curl().easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(buffer));
  } else if (has_body_by_nature(request.method)) {
    // Says Content-Length: 0, which some servers insist on.
    curl().easy_setopt(easy, CURLOPT_POST, 1L);
    curl().easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    curl().easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
  }
  curl().easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

}  // namespace

bool uploads(const ClientRequest& request) {
  return request.body != nullptr && request.body_size.value_or(1) > 0;
}

Result<HeaderList> make_header_list(const ClientRequest& request) {
  HeaderList list;
  for (const auto& [name, value] : request.headers.items()) {
    if (is_body_field(name)) continue;
    if (!is_token(name) || !is_field_value(value)) {
      return fail(ErrorCode::malformed, "the request header {} is unfit to be sent",
                  log_field(name));
    }
    // libcurl's notation for a header without a value ends with a semicolon.
    append(list, value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value));
  }
  // Nothing that was not asked for.
  for (const auto* name : {"Expect", "Accept", "User-Agent", "Content-Type"}) {
    if (!request.headers.has(name)) append(list, std::string(name) + ":");
  }
  return list;
}

Result<void> set_request(CURL* easy, const ClientRequest& request, const ClientOptions& options,
                         curl_slist* headers) {
  if (!is_token(request.method)) return fail(ErrorCode::malformed, "the method is not a token");
  curl().easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl().easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl().easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl().easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl().easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl().easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl().easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl().easy_setopt(easy, CURLOPT_PROXY, "");
  curl().easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl().easy_setopt(easy, CURLOPT_BUFFERSIZE, download_buffer_bytes);
  curl().easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(request.connect_timeout.count()));
  if (!options.ca_file.empty()) curl().easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  set_method(easy, request);
  return {};
}

Error error_from_curl(CURLcode code, const char* detail, std::string_view url) {
  auto kind = ErrorCode::io;
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_SSL_CONNECT_ERROR:
      kind = ErrorCode::unavailable;
      break;
    case CURLE_PARTIAL_FILE:
      kind = ErrorCode::incomplete_body;
      break;
    case CURLE_OPERATION_TIMEDOUT:
      kind = ErrorCode::timed_out;
      break;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      kind = ErrorCode::invalid_argument;
      break;
    case CURLE_WEIRD_SERVER_REPLY:
      kind = ErrorCode::malformed;
      break;
    default:
      break;
  }
  // A query may hold a signature: never in a message.
  const auto place = url.substr(0, url.find('?'));
  return Error{
      kind,
      fmt::format("request to {}: {}", log_field(place),
                  detail != nullptr && *detail != '\0' ? detail : curl().easy_strerror(code))};
}

}  // namespace holdfast::net

#include "store/s3_client.h"

#include <array>

#include "base/log.h"
#include "s3/digest.h"
#include "s3/error.h"
#include "s3/headers.h"
#include "s3/results.h"

namespace holdfast::store {
namespace {

constexpr std::uint64_t max_answer_bytes = 64u << 20;
constexpr std::uint64_t max_error_bytes = 64u << 10;

std::string name_of(const S3Call& call) {
  return fmt::format("{} {}/{}", call.method, log_field(call.bucket.value), log_field(call.key));
}

bool asks_version(const S3Call& call) { return s3::find_query(call.query, "versionId") != nullptr; }

// HEAD answers have no body: what is missing is told by what was asked.
ErrorCode missing(const S3Call& call) {
  if (asks_version(call)) return ErrorCode::no_such_version;
  return call.key.empty() ? ErrorCode::no_such_bucket : ErrorCode::no_such_key;
}

std::unexpected<Error> refused(const S3Call& call, unsigned status, const net::Headers& headers,
                               const std::string& text) {
  const auto document = s3::parse_error(text);
  ErrorCode code = s3::to_error_code(document ? document->code : "", status);
  if (code == ErrorCode::not_found && call.method == "HEAD") code = missing(call);
  // Ceph's gateway knows one kind of absence where AWS knows three.
  if (code == ErrorCode::no_such_key && asks_version(call)) {
    const bool marker = s3::equal_ascii_case(headers.get("x-amz-delete-marker"), "true");
    code = marker ? ErrorCode::method_not_allowed : ErrorCode::no_such_version;
  }
  return fail(code, "{}: the store answered {} {}", name_of(call), status,
              document ? log_field(document->code + ": " + document->message) : "");
}

}  // namespace

Result<std::unique_ptr<S3Client>> S3Client::open(boost::asio::any_io_executor executor,
                                                 const S3StoreOptions& options,
                                                 CredentialsProvider& credentials, Clock& clock) {
  auto address = S3Address::parse(options.endpoint, options.path_style);
  if (!address) return std::unexpected(address.error());
  return std::unique_ptr<S3Client>(
      new S3Client(std::move(executor), options, *std::move(address), credentials, clock));
}

S3Client::S3Client(boost::asio::any_io_executor executor, S3StoreOptions options, S3Address address,
                   CredentialsProvider& credentials, Clock& clock)
    : options_(std::move(options)),
      address_(std::move(address)),
      credentials_(credentials),
      clock_(clock),
      http_(std::move(executor), net::ClientOptions{.max_connections = options_.max_connections,
                                                    .ca_file = options_.ca_file,
                                                    .reach = options_.reach}) {}

net::ClientRequest S3Client::sign(const S3Call& call, const s3::Credentials& credentials) {
  const auto [host, path] = address_.place(call.bucket, call.key);
  const std::string query = s3::encode_query(call.query);

  net::ClientRequest request;
  request.method = call.method;
  request.url = address_.scheme + host + path + (query.empty() ? "" : "?" + query);
  request.unix_socket = address_.unix_socket;
  request.headers.add("Host", host);
  for (const auto& [name, value] : call.headers) request.headers.add(name, value);
  request.connect_timeout = options_.connect_timeout;
  request.head_timeout = options_.head_timeout + call.wait;
  request.stall_timeout = options_.stall_timeout + call.wait;
  if (credentials.access_key.empty()) return request;

  s3::SignOptions how{.now = clock_.now(), .region = options_.region, .cache = &keys_};
  if (call.stream == nullptr) how.payload_hash = s3::sha256_hex(call.body);
  const auto added =
      s3::sign_headers({call.method, path, query, request.headers.items()}, credentials, how);
  for (const auto& [name, value] : added.headers) request.headers.add(name, value);
  return request;
}

Async<net::ClientResponse> S3Client::send(S3Call call) {
  auto credentials = co_await credentials_.credentials();
  if (!credentials) co_return std::unexpected(credentials.error());
  net::ClientRequest request = sign(call, *credentials);
  const bool writes = call.method == "PUT" || call.method == "POST";
  request.body_size = call.stream != nullptr ? call.stream_bytes : call.body.size();
  auto text = make_string_reader(std::move(call.body));
  request.body = call.stream != nullptr ? call.stream : writes ? text.get() : nullptr;
  auto response = co_await http_.send(std::move(request));
  if (!response) co_return fail_within(name_of(call), response.error());
  if (response->status < 300) co_return std::move(*response);
  std::string document;
  if (response->body && call.method != "HEAD") {
    document = (co_await read_all(*response->body, max_error_bytes)).value_or("");
  }
  co_return refused(call, response->status, response->headers, document);
}

Async<S3Answer> S3Client::ask(S3Call call) {
  const bool bodyless = call.method == "HEAD";
  auto response = co_await send(std::move(call));
  if (!response) co_return std::unexpected(response.error());
  S3Answer answer{response->status, std::move(response->headers), {}};
  if (bodyless || !response->body) co_return answer;
  auto text = co_await read_all(*response->body, max_answer_bytes);
  if (!text) co_return std::unexpected(text.error());
  answer.text = std::move(*text);
  co_return answer;
}

}  // namespace holdfast::store

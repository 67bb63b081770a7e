#include "cli/admin_client.h"

#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <filesystem>

#include "base/body.h"
#include "cli/data_directory.h"
#include "net/http_client.h"
#include "s3/names.h"

namespace holdfast::cli {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::uint64_t answer_limit = 64u << 20;

ErrorCode code_of(unsigned status) {
  switch (status) {
    case 400:
      return ErrorCode::invalid_argument;
    case 401:
      return ErrorCode::unauthenticated;
    case 403:
      return ErrorCode::access_denied;
    case 404:
      return ErrorCode::not_found;
    case 409:
      return ErrorCode::conflict;
    case 412:
      return ErrorCode::precondition_failed;
    case 503:
      return ErrorCode::unavailable;
    case 507:
      return ErrorCode::no_space;
    default:
      return ErrorCode::internal;
  }
}

// Runs one coroutine to its end on a context of its own.
template <class T>
Result<T> run_blocking(
    const std::function<asio::awaitable<Result<T>>(asio::any_io_executor)>& work) {
  asio::io_context context;
  Result<T> out = fail(ErrorCode::internal, "the call did not end");
  std::exception_ptr thrown;
  asio::co_spawn(context, work(context.get_executor()),
                 [&](std::exception_ptr error, Result<T> answer) {
                   thrown = error;
                   out = std::move(answer);
                 });
  context.run();
  if (thrown) std::rethrow_exception(thrown);
  return out;
}

asio::awaitable<Result<json::object>> exchange_json(asio::any_io_executor executor,
                                                    net::ClientRequest request, std::string body) {
  net::HttpClient client(executor, {});
  auto reader = make_string_reader(body);
  if (request.method != "GET") {
    request.body = reader.get();
    request.body_size = body.size();
    request.headers.add("Content-Type", "application/json");
  }
  // A restore of a large folder works until it is done.
  request.head_timeout = std::chrono::hours(6);
  request.stall_timeout = std::chrono::hours(6);
  auto response = co_await client.send(std::move(request));
  if (!response) co_return std::unexpected(response.error());
  auto text = co_await read_all(*response->body, answer_limit);
  if (!text) co_return std::unexpected(text.error());
  boost::system::error_code error;
  const auto value = text->empty() ? json::value(json::object()) : json::parse(*text, error);
  if (error || !value.is_object()) {
    co_return fail(ErrorCode::malformed, "the server answered something that is no JSON object");
  }
  if (response->status < 400) co_return value.get_object();
  std::string message = fmt::format("the server answered {}", response->status);
  if (const auto* failure = value.get_object().if_contains("error");
      failure != nullptr && failure->is_object()) {
    if (const auto* sentence = failure->get_object().if_contains("message");
        sentence != nullptr && sentence->is_string()) {
      message = sentence->get_string();
    }
  }
  co_return std::unexpected(Error{code_of(response->status), std::move(message)});
}

class FileReader final : public BodyReader {
 public:
  FileReader(Fd file, std::uint64_t size) : file_(std::move(file)), size_(size) {}
  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    auto got = read_at(file_.get(), out, at_);
    if (got) at_ += *got;
    co_return got;
  }
  std::optional<std::uint64_t> size() const override { return size_; }

 private:
  Fd file_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
};

// A signed URL by way of the server's own socket: no name to resolve, no certificate to trust. What
// is signed, host, path and query, stays.
net::ClientRequest request_for(const std::string& data, const std::string& url) {
  net::ClientRequest request;
  request.url = url.starts_with("https://") ? "http://" + url.substr(8) : url;
  request.unix_socket = DataDirectory::s3_socket(data);
  return request;
}

asio::awaitable<Result<int>> fetch(asio::any_io_executor executor, net::ClientRequest request,
                                   std::function<Result<void>(std::span<const std::byte>)> sink) {
  net::HttpClient client(executor, {});
  auto response = co_await client.send(std::move(request));
  if (!response) co_return std::unexpected(response.error());
  if (response->status != 200) {
    co_return fail(code_of(response->status), "the store answered {}", response->status);
  }
  std::vector<std::byte> buffer(256u << 10);
  for (;;) {
    auto got = co_await response->body->read(buffer);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return 0;
    if (auto written = sink(std::span(buffer).first(*got)); !written) {
      co_return std::unexpected(written.error());
    }
  }
}

asio::awaitable<Result<int>> send_file(asio::any_io_executor executor, net::ClientRequest request,
                                       BodyReader* reader) {
  net::HttpClient client(executor, {});
  request.method = "PUT";
  request.body = reader;
  request.body_size = reader->size();
  auto response = co_await client.send(std::move(request));
  if (!response) co_return std::unexpected(response.error());
  if (response->status != 200) {
    co_return fail(code_of(response->status), "the store answered {}", response->status);
  }
  co_return 0;
}

}  // namespace

Result<json::object> AdminClient::call(std::string method, std::string target,
                                       std::string body) const {
  const std::string socket = DataDirectory::admin_socket(data_);
  std::error_code ignored;
  if (!std::filesystem::exists(socket, ignored)) {
    return fail(ErrorCode::unavailable,
                "no holdfast serves {}; start one with `holdfast serve --data {}`, or name its "
                "directory with --data",
                data_, data_);
  }
  net::ClientRequest request;
  request.method = std::move(method);
  request.url = "http://admin" + target;
  request.unix_socket = socket;
  auto answer = run_blocking<json::object>(
      [&](asio::any_io_executor executor) { return exchange_json(executor, request, body); });
  if (!answer && answer.error().code == ErrorCode::unavailable) {
    return fail(ErrorCode::unavailable,
                "no holdfast answers at {}: {}; is `holdfast serve` running?", socket,
                answer.error().context);
  }
  return answer;
}

Result<json::object> AdminClient::get(std::string_view path, const QueryItems& query) const {
  std::string target = fmt::format("/api/v1/{}", path);
  if (!query.empty()) target += "?" + s3::encode_query(query);
  return call("GET", std::move(target), {});
}

Result<json::object> AdminClient::post(std::string_view path, json::object body) const {
  return call("POST", fmt::format("/api/v1/{}", path), json::serialize(body));
}

Result<json::object> AdminClient::remove(std::string_view path) const {
  return call("DELETE", fmt::format("/api/v1/{}", path), "{}");
}

Result<void> AdminClient::download(
    const std::string& url,
    const std::function<Result<void>(std::span<const std::byte>)>& sink) const {
  auto done = run_blocking<int>([&](asio::any_io_executor executor) {
    return fetch(executor, request_for(data_, url), sink);
  });
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<void> AdminClient::upload(const std::string& url, Fd file, std::uint64_t size) const {
  FileReader reader(std::move(file), size);
  auto done = run_blocking<int>([&](asio::any_io_executor executor) {
    return send_file(executor, request_for(data_, url), &reader);
  });
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace holdfast::cli

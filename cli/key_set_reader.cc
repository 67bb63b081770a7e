#include "cli/key_set_reader.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "base/body.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t largest_key_set = 256u << 10;

net::ClientOptions client_options() {
  net::ClientOptions options;
  options.max_connections = 2;
  options.reach = net::Reach::not_link_local;
  return options;
}

}  // namespace

KeySetReader::KeySetReader(boost::asio::any_io_executor executor, std::string url,
                           std::chrono::milliseconds patience)
    : executor_(executor),
      client_(executor, client_options()),
      url_(std::move(url)),
      patience_(patience) {}

boost::asio::awaitable<Result<std::string>> KeySetReader::read() {
  // The client belongs to one executor.
  co_return co_await boost::asio::co_spawn(executor_, fetch(), boost::asio::use_awaitable);
}

boost::asio::awaitable<Result<std::string>> KeySetReader::fetch() {
  net::ClientRequest request;
  request.url = url_;
  request.head_timeout = patience_;
  request.stall_timeout = patience_;
  auto response = co_await client_.send(std::move(request));
  if (!response) co_return std::unexpected(response.error());
  if (response->status != 200) {
    co_return fail(ErrorCode::unavailable, "{} answers {}", url_, response->status);
  }
  co_return co_await read_all(*response->body, largest_key_set);
}

}  // namespace holdfast::cli

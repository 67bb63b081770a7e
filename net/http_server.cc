// The checklist of framing, each with a row in tests/unit/net/http_parse_test.cc: see http_parse.h.
#include "net/http_server.h"

#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "base/event.h"
#include "net/http_connection.h"
#include "net/unix_listener.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr int backlog = 4096;

struct HostPort {
  std::string host;
  std::string port;
};

Result<HostPort> split_address(const std::string& address) {
  const auto colon = address.rfind(':');
  const auto digits = colon == std::string::npos ? std::string() : address.substr(colon + 1);
  unsigned port = 0;
  const auto* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, port);
  if (digits.empty() || parsed.ptr != end || port > 65535) {
    return fail(ErrorCode::invalid_argument,
                "listen on \"{}\": give HOST:PORT, such as 127.0.0.1:7070", address);
  }
  auto host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return HostPort{std::move(host), digits};
}

Result<tcp::endpoint> resolve(asio::io_context& context, const std::string& address) {
  auto parts = split_address(address);
  if (!parts) return std::unexpected(parts.error());
  if (parts->host.empty()) parts->host = "0.0.0.0";
  tcp::resolver resolver(context);
  error_code error;
  const auto found = resolver.resolve(parts->host, parts->port, error);
  if (error || found.empty()) {
    return fail(ErrorCode::invalid_argument, "listen on \"{}\": {}", address, error.message());
  }
  return found.begin()->endpoint();
}

Result<tcp::acceptor> open_acceptor(asio::io_context& context, const tcp::endpoint& endpoint,
                                    const std::string& address) {
  tcp::acceptor acceptor(context);
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(backlog, error);
  if (error == asio::error::address_in_use) {
    return fail(ErrorCode::conflict,
                "listen on {}: port {} is in use by another program; stop it (ss -ltnp shows it) "
                "or choose another port",
                address, endpoint.port());
  }
  if (error) return fail_errno(error.value(), "listen on " + address);
  return acceptor;
}

// Of a unix socket there is none.
tcp::endpoint local_endpoint(const tcp::acceptor& acceptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto fd = const_cast<tcp::acceptor&>(acceptor).native_handle();
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0 ||
      storage.ss_family == AF_UNIX) {
    return {};
  }
  return acceptor.local_endpoint();
}

constexpr std::string_view unix_scheme = "unix:";

Result<tcp::acceptor> open_listener(asio::io_context& context, const std::string& address) {
  if (address.starts_with(unix_scheme)) {
    return open_unix_acceptor(context, address.substr(unix_scheme.size()));
  }
  auto endpoint = resolve(context, address);
  if (!endpoint) return std::unexpected(endpoint.error());
  return open_acceptor(context, *endpoint, address);
}

// The accept loop; lives on the first io_context, owned by its coroutine.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(tcp::acceptor acceptor, std::shared_ptr<ServerShared> shared,
           std::vector<std::weak_ptr<Lane>> lanes)
      : acceptor_(std::move(acceptor)),
        shared_(std::move(shared)),
        lanes_(std::move(lanes)),
        room_(acceptor_.get_executor()) {}

  static asio::awaitable<void> run(std::shared_ptr<Acceptor> self) {
    while (self->acceptor_.is_open()) {
      if (!co_await self->wait_for_room()) continue;
      auto lane = self->lanes_[self->next_++ % self->lanes_.size()].lock();
      if (!lane) co_return;
      error_code error;
      auto socket = co_await self->acceptor_.async_accept(
          lane->executor(), asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        // Out of descriptors, mostly: wait for some to be closed instead of spinning.
        spdlog::warn("net: accept: {}", error.message());
        co_await sleep_for(milliseconds(100));
        continue;
      }
      ++self->shared_->connections;
      auto executor = lane->executor();
      asio::post(executor, [lane = std::move(lane), socket = std::move(socket)]() mutable {
        lane->start(std::move(socket));
      });
    }
  }

  void room() { room_.notify(); }
  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    room_.notify();
  }

 private:
  asio::awaitable<bool> wait_for_room() {
    shared_->full = shared_->connections >= shared_->options.max_connections;
    if (!shared_->full) co_return true;
    // The limit covers a connection that ended between the two looks.
    if (shared_->connections >= shared_->options.max_connections) {
      co_await room_.wait(milliseconds(1'000));
    }
    co_return false;
  }

  tcp::acceptor acceptor_;
  std::shared_ptr<ServerShared> shared_;
  std::vector<std::weak_ptr<Lane>> lanes_;
  Event room_;
  std::size_t next_ = 0;
};

class PoolServer final : public HttpServer {
 public:
  PoolServer(IoPool& pool, std::shared_ptr<ServerShared> shared, tcp::acceptor acceptor)
      : shared_(std::move(shared)),
        endpoint_(local_endpoint(acceptor)),
        accept_executor_(acceptor.get_executor()) {
    std::vector<std::weak_ptr<Lane>> lanes;
    for (std::size_t i = 0; i < pool.size(); ++i) {
      lanes_.push_back(std::make_shared<Lane>(pool.at(i).get_executor(), shared_));
      lanes.push_back(lanes_.back());
    }
    auto acceptor_loop = std::make_shared<Acceptor>(std::move(acceptor), shared_, std::move(lanes));
    acceptor_ = acceptor_loop;
    shared_->on_room = [executor = accept_executor_, weak = acceptor_] {
      asio::post(executor, [weak] {
        if (auto loop = weak.lock()) loop->room();
      });
    };
    asio::co_spawn(accept_executor_, Acceptor::run(std::move(acceptor_loop)), asio::detached);
  }

  // stop() is the polite end; this cuts what is left, without waiting for it.
  ~PoolServer() override {
    close_acceptor();
    for (auto& lane : lanes_) {
      auto executor = lane->executor();
      asio::post(executor, [lane = std::move(lane)] { lane->cut(); });
    }
  }

  tcp::endpoint endpoint() const override { return endpoint_; }
  std::size_t connections() const override { return shared_->connections; }

  asio::awaitable<void> stop(milliseconds grace) override {
    const auto end = std::chrono::steady_clock::now() + grace;
    close_acceptor();
    auto lanes = lanes_;
    for (auto& lane : lanes) asio::post(lane->executor(), [lane] { lane->drain(); });
    for (auto& lane : lanes) {
      const auto left =
          std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
      co_await asio::co_spawn(lane->executor(), lane->stop(std::max(left, milliseconds(0))),
                              asio::use_awaitable);
    }
  }

 private:
  void close_acceptor() {
    asio::post(accept_executor_, [weak = acceptor_] {
      if (auto loop = weak.lock()) loop->close();
    });
  }

  std::shared_ptr<ServerShared> shared_;
  tcp::endpoint endpoint_;
  asio::any_io_executor accept_executor_;
  std::vector<std::shared_ptr<Lane>> lanes_;
  std::weak_ptr<Acceptor> acceptor_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(IoPool& pool, ServerOptions options,
                                                       Handler handler) {
  auto& context = pool.at(0);
  auto shared = std::make_shared<ServerShared>();
  auto acceptor = open_listener(context, options.address);
  if (!acceptor) return std::unexpected(acceptor.error());
  shared->options = std::move(options);
  shared->handler = std::move(handler);
  return std::make_unique<PoolServer>(pool, std::move(shared), *std::move(acceptor));
}

Result<void> check_listen_address(const std::string& address) {
  if (address.starts_with(unix_scheme)) return {};
  asio::io_context context;
  auto acceptor = open_listener(context, address);
  if (!acceptor) return std::unexpected(acceptor.error());
  return {};
}

}  // namespace holdfast::net

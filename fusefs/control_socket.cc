#include "fusefs/control_socket.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <utility>

namespace holdfast::fusefs {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr std::size_t line_limit = 64u << 10;

json::object error_answer(std::string_view reason) { return {{"ok", false}, {"error", reason}}; }

bool someone_listens(asio::any_io_executor executor, const std::string& path) {
  asio::local::stream_protocol::socket probe(executor);
  boost::system::error_code error;
  probe.connect(asio::local::stream_protocol::endpoint(path), error);
  return !error;
}

}  // namespace

ControlSocket::ControlSocket(asio::any_io_executor executor, std::string path, Handler handler)
    : path_(std::move(path)), handler_(std::move(handler)), acceptor_(executor), tasks_(executor) {}

ControlSocket::~ControlSocket() { ::unlink(path_.c_str()); }

Result<std::unique_ptr<ControlSocket>> ControlSocket::listen(asio::any_io_executor executor,
                                                             std::string path, Handler handler) {
  if (path.size() > 100) {
    return fail(ErrorCode::invalid_name, "{}: too long for a socket; choose a shorter --cache",
                path);
  }
  if (someone_listens(executor, path)) {
    return fail(ErrorCode::conflict, "{}: another holdfast mount uses this cache directory", path);
  }
  ::unlink(path.c_str());
  std::unique_ptr<ControlSocket> control(new ControlSocket(executor, path, std::move(handler)));
  boost::system::error_code error;
  control->acceptor_.open(Protocol(), error);
  if (!error) control->acceptor_.bind(Protocol::endpoint(path), error);
  // Before listening: nobody connects in between.
  if (!error && ::chmod(path.c_str(), 0600) != 0) return fail_errno(errno, "chmod " + path);
  if (!error) control->acceptor_.listen(16, error);
  if (error) return fail(ErrorCode::io, "listen on {}: {}", path, error.message());
  control->tasks_.spawn("control socket", control->accept());
  return control;
}

asio::awaitable<void> ControlSocket::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  co_await tasks_.stop(std::chrono::milliseconds(500));
}

asio::awaitable<void> ControlSocket::accept() {
  for (;;) {
    Protocol::socket socket(acceptor_.get_executor());
    boost::system::error_code error;
    co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    tasks_.spawn("control connection", serve(std::move(socket)));
  }
}

asio::awaitable<void> ControlSocket::serve(Protocol::socket socket) {
  std::string input;
  for (;;) {
    boost::system::error_code error;
    const std::size_t length =
        co_await asio::async_read_until(socket, asio::dynamic_buffer(input, line_limit), '\n',
                                        asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    const std::string line = input.substr(0, length);
    input.erase(0, length);
    boost::system::error_code malformed;
    auto value = json::parse(line, malformed);
    json::object answer;
    if (malformed || !value.is_object())
      answer = error_answer("no JSON object");
    else
      answer = co_await handler_(std::move(value.get_object()));
    const std::string out = json::serialize(answer) + "\n";
    co_await asio::async_write(socket, asio::buffer(out),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
  }
}

}  // namespace holdfast::fusefs

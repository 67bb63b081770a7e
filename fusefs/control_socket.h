// ControlSocket: lines of JSON over a unix socket, for whoever has the right to the file (0600).
// All on one executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/task_group.h"

namespace holdfast::fusefs {

class ControlSocket {
 public:
  // One call a line; may wait.
  using Handler =
      std::function<boost::asio::awaitable<boost::json::object>(boost::json::object command)>;

  // conflict: someone listens there. A socket that nobody listens on is replaced.
  static Result<std::unique_ptr<ControlSocket>> listen(boost::asio::any_io_executor executor,
                                                       std::string path, Handler handler);
  ~ControlSocket();  // removes the socket
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  boost::asio::awaitable<void> stop();

 private:
  using Protocol = boost::asio::local::stream_protocol;
  ControlSocket(boost::asio::any_io_executor executor, std::string path, Handler handler);
  boost::asio::awaitable<void> accept();
  boost::asio::awaitable<void> serve(Protocol::socket socket);

  std::string path_;
  Handler handler_;
  Protocol::acceptor acceptor_;
  TaskGroup tasks_;
};

}  // namespace holdfast::fusefs

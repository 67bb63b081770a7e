// One server connection: reads requests, runs the handler, writes answers, in one coroutine on its
// io_context. Lane: the connections of one io_context. Net's own.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/task_group.h"
#include "net/framed_reader.h"
#include "net/http_answer.h"
#include "net/http_parse.h"
#include "net/http_server.h"
#include "net/transport.h"

namespace holdfast::net {

// What all lanes of a server share; constant but for the count.
struct ServerShared {
  ServerOptions options;
  Handler handler;
  std::atomic<std::size_t> connections{0};
  std::atomic<bool> full{false};  // the acceptor waits for room
  std::function<void()> on_room;  // wakes it; thread-safe
};

class Connection;

// All members on one io_context's thread.
class Lane : public std::enable_shared_from_this<Lane> {
 public:
  Lane(boost::asio::any_io_executor executor, std::shared_ptr<ServerShared> shared);

  void start(Transport::Socket socket);
  // Ends idle connections, and the others after the request they are at.
  void drain();
  // Cuts every connection.
  void cut();
  boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

  ServerShared& shared() { return *shared_; }
  bool draining() const { return draining_; }
  DateCache& date() { return date_; }
  boost::asio::any_io_executor executor() const { return executor_; }

 private:
  friend class Connection;
  // Of the connections whose handshake goes on; the oldest gives way when there are too many.
  void begin_handshake(Connection& connection);
  void end_handshake(Connection& connection);

  boost::asio::any_io_executor executor_;
  std::shared_ptr<ServerShared> shared_;
  TaskGroup tasks_;
  std::unordered_set<Connection*> connections_;
  std::list<Connection*> handshaking_;  // oldest first
  DateCache date_;
  bool draining_ = false;
};

class Connection final : public std::enable_shared_from_this<Connection>, private Watchdog::Target {
 public:
  Connection(std::shared_ptr<Lane> lane, std::unique_ptr<Transport> transport,
             boost::asio::ip::tcp::endpoint peer);
  ~Connection();

  static boost::asio::awaitable<void> run(std::shared_ptr<Connection> self);

  void drain();
  void cut();

 private:
  friend class ServerExchange;

  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<bool> shake_hands();
  boost::asio::awaitable<bool> serve_one();
  // The size of the next request's head in the buffer; nullopt when the connection is to end.
  boost::asio::awaitable<std::optional<std::size_t>> read_head();
  boost::asio::awaitable<void> refuse(unsigned status, std::string_view reason);

  void expire() final { cut(); }  // the handshake took too long

  std::shared_ptr<Lane> lane_;
  std::unique_ptr<Transport> transport_;
  boost::asio::ip::tcp::endpoint peer_;
  InputBuffer buffer_;
  std::string head_out_;
  bool idle_ = false;  // waits for the first byte of a request
};

}  // namespace holdfast::net

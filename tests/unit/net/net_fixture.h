// A server on a free loopback port, and a blocking client that sends and reads raw bytes.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "net/http_server.h"
#include "net/io_pool.h"

namespace holdfast::net {

namespace asio = boost::asio;

template <class T>
T run(IoPool& pool, asio::awaitable<T> task) {
  return asio::co_spawn(pool.at(0), std::move(task), asio::use_future).get();
}

// Deterministic bytes that do not repeat with any small period.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (auto& c : bytes) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

inline std::shared_ptr<const Fd> temporary_file(std::string_view content) {
  char name[] = "/tmp/holdfast-net-XXXXXX";
  auto fd = std::make_shared<Fd>(::mkstemp(name));
  ::unlink(name);
  EXPECT_TRUE(write_all(fd->get(), std::as_bytes(std::span(content.data(), content.size()))));
  return fd;
}

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }

  void send(std::string_view data) {
    while (!data.empty()) {
      const ssize_t put = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (put <= 0) return;  // the peer went away; what it said before is the test's matter
      data.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }

  // Up to and with `mark`; what is there when the peer ends.
  std::string read_until(std::string_view mark) {
    while (buffer_.find(mark) == std::string::npos) {
      if (!fill()) return std::exchange(buffer_, {});
    }
    return take(buffer_.find(mark) + mark.size());
  }
  std::string read_exactly(std::size_t bytes) {
    while (buffer_.size() < bytes && fill()) {
    }
    return take(std::min(bytes, buffer_.size()));
  }
  std::string read_to_end() {
    while (fill()) {
    }
    return std::exchange(buffer_, {});
  }
  // Whether the peer closed without sending more.
  bool ended() { return buffer_.empty() && !fill() && buffer_.empty(); }

  struct Answer {
    std::string head;
    std::string body;
    int status() const { return head.size() < 12 ? 0 : std::atoi(head.c_str() + 9); }
    std::string field(const std::string& name) const {
      const auto at = head.find("\r\n" + name + ": ");
      if (at == std::string::npos) return {};
      const auto begin = at + name.size() + 4;
      return head.substr(begin, head.find("\r\n", begin) - begin);
    }
  };
  Answer read_answer() {
    Answer answer;
    answer.head = read_until("\r\n\r\n");
    if (const auto length = answer.field("Content-Length"); !length.empty()) {
      answer.body = read_exactly(std::stoull(length));
    } else if (!answer.field("Transfer-Encoding").empty()) {
      for (;;) {
        const auto size = std::stoull(read_until("\r\n"), nullptr, 16);
        answer.body += read_exactly(size);
        EXPECT_EQ(read_exactly(2), "\r\n");
        if (size == 0) break;
      }
    }
    return answer;
  }

 private:
  bool fill() {
    char chunk[65536];
    const ssize_t got = ::recv(fd_.get(), chunk, sizeof chunk, 0);
    if (got > 0) buffer_.append(chunk, static_cast<std::size_t>(got));
    return got > 0;
  }
  std::string take(std::size_t bytes) {
    auto taken = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return taken;
  }

  Fd fd_;
  std::string buffer_;
};

// Lets a test thread wait for something that happens on a pool thread.
class Signal {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool wait(std::chrono::seconds limit = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

class ServerTest : public ::testing::Test {
 protected:
  void serve(Handler handler, ServerOptions options = {}) {
    auto server = HttpServer::listen(pool_, std::move(options), std::move(handler));
    ASSERT_TRUE(server) << server.error().context;
    server_ = *std::move(server);
  }
  void TearDown() override {
    if (server_) run(pool_, server_->stop(std::chrono::milliseconds(0)));
    server_.reset();
  }
  std::uint16_t port() const { return server_->endpoint().port(); }
  std::string url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port()) + std::string(path);
  }

  IoPool pool_{2};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace holdfast::net

#include "bench/load_worker.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <charconv>
#include <memory>

#include "base/fd.h"

namespace holdfast {
namespace {

using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr auto patience = std::chrono::seconds(30);

// --- One answer's head.

struct Head {
  int status = 0;
  std::uint64_t length = 0;
  std::size_t size = 0;  // of the head itself
};

bool same_name(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::ranges::equal(a, lower, [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y;
         });
}

// nullopt: not whole yet.
std::optional<Head> parse_head(std::string_view text) {
  const auto end = text.find("\r\n\r\n");
  if (end == text.npos) return std::nullopt;
  Head head{.size = end + 4};
  if (end > 12) std::from_chars(text.data() + 9, text.data() + 12, head.status);
  for (auto at = text.find("\r\n"); at < end;) {
    const auto next = text.find("\r\n", at + 2);
    const auto line = text.substr(at + 2, next - at - 2);
    const auto colon = line.find(':');
    if (colon != line.npos && same_name(line.substr(0, colon), "content-length")) {
      const auto digits = line.find_first_not_of(' ', colon + 1);
      if (digits != line.npos) {
        std::from_chars(line.data() + digits, line.data() + line.size(), head.length);
      }
    }
    at = next;
  }
  return head;
}

// --- Connections.

enum class Step : std::uint8_t { wait, finished, failed };

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, SslFree>;

struct Connection {
  Fd socket;
  std::unique_ptr<SSL, SslFree> tls;  // null: plain
  std::string own;                    // the request under way, when it was made for us
  const std::string* request = nullptr;
  std::size_t sent = 0;
  std::string head;
  std::uint64_t body_left = 0;
  bool in_body = false, compare = true;
  std::string compared;  // the first body
  Steady::time_point started;
  std::uint32_t watched = 0;
};

Result<Fd> open_connection(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno(errno, fmt::format("connect to port {}", port));
  }
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return socket;
}

// Blocks; before the clock starts.
Result<std::unique_ptr<SSL, SslFree>> shake_hands(SSL_CTX* context, const Fd& socket) {
  std::unique_ptr<SSL, SslFree> tls(SSL_new(context));
  SSL_set_fd(tls.get(), socket.get());
  if (SSL_connect(tls.get()) == 1) return tls;
  const char* reason = ERR_reason_error_string(ERR_get_error());
  return fail(ErrorCode::unavailable, "TLS handshake: {}",
              reason != nullptr ? reason : "broken off");
}

// As send(2) and recv(2) answer: bytes, or -1 with errno.
ssize_t tls_result(SSL* tls, int done) {
  if (done > 0) return done;
  const int state = SSL_get_error(tls, done);
  if (state == SSL_ERROR_ZERO_RETURN) return 0;
  errno = state == SSL_ERROR_WANT_READ || state == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
  return -1;
}

class Worker {
 public:
  Worker(const LoadOptions& options, LoadRequests& requests, unsigned connections)
      : options_(options), requests_(requests), connections_(connections), scratch_(256u << 10) {}

  LoadTally run() {
    if (auto done = loop(); !done) {
      tally_.failed = true;
      tally_.error = done.error();
    }
    return std::move(tally_);
  }

 private:
  Result<void> loop() {
    poll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    if (options_.tls) {
      context_.reset(SSL_CTX_new(TLS_client_method()));
      SSL_CTX_set_read_ahead(context_.get(), 1);
      SSL_CTX_set_default_read_buffer_len(context_.get(), 256u << 10);
      SSL_CTX_set_mode(context_.get(),
                       SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    for (unsigned i = 0; i < connections_; ++i) {
      auto socket = open_connection(options_.port);
      if (!socket) return std::unexpected(socket.error());
      all_.push_back(std::make_unique<Connection>());
      if (options_.tls) {
        auto tls = shake_hands(context_.get(), *socket);
        if (!tls) return std::unexpected(tls.error());
        all_.back()->tls = *std::move(tls);
      }
      ::fcntl(socket->get(), F_SETFL, O_NONBLOCK);
      all_.back()->socket = std::move(*socket);
    }
    const auto begin = Steady::now();
    counts_from_ = begin + std::chrono::duration_cast<Steady::duration>(
                               Seconds(options_.count == 0 ? options_.warm_up : 0));
    ends_at_ =
        counts_from_ + std::chrono::duration_cast<Steady::duration>(Seconds(options_.seconds));
    tally_.first = counts_from_;
    for (auto& connection : all_) {
      if (auto done = begin_request(*connection); !done) return done;
    }
    std::array<epoll_event, 64> events{};
    auto heard = Steady::now();
    while (active_ > 0) {
      const int ready =
          ::epoll_wait(poll_.get(), events.data(), events.size(), options_.spin ? 0 : 1'000);
      const auto now = Steady::now();
      if (ready > 0) heard = now;
      if (now - heard > patience) return fail(ErrorCode::timed_out, "no answer within 30 s");
      for (int i = 0; i < ready; ++i) {
        auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (auto done = advance(connection); !done) return done;
      }
    }
    return {};
  }

  // Takes the next request and sends what fits. Without one the connection rests.
  Result<void> begin_request(Connection& c) {
    const bool first = c.request == nullptr;
    const auto now = Steady::now();
    c.request = (options_.count == 0 && now >= ends_at_) ? nullptr : requests_.next(c.own, keys_);
    if (c.request == nullptr) {
      if (!first) --active_;
      return {};
    }
    if (first) ++active_;
    c.started = Steady::now();
    c.sent = 0;
    c.head.clear();
    c.in_body = false;
    return send_more(c);
  }

  static ssize_t send_some(Connection& c, std::string_view data) {
    if (!c.tls) return ::send(c.socket.get(), data.data(), data.size(), MSG_NOSIGNAL);
    return tls_result(c.tls.get(),
                      SSL_write(c.tls.get(), data.data(), static_cast<int>(data.size())));
  }

  ssize_t receive_some(Connection& c, std::uint64_t want, bool discard) {
    if (!c.tls) {
      return ::recv(c.socket.get(), discard ? nullptr : scratch_.data(), want,
                    discard ? MSG_TRUNC : 0);
    }
    want = std::min<std::uint64_t>(want, scratch_.size());
    return tls_result(c.tls.get(), SSL_read(c.tls.get(), scratch_.data(), static_cast<int>(want)));
  }

  Result<void> send_more(Connection& c) {
    while (c.sent < c.request->size()) {
      const auto done = send_some(c, std::string_view(*c.request).substr(c.sent));
      if (done < 0 && errno == EAGAIN) return watch(c, EPOLLIN | EPOLLOUT);
      if (done < 0) return fail_errno(errno, "send a request");
      c.sent += static_cast<std::size_t>(done);
    }
    return watch(c, EPOLLIN);
  }

  Result<void> watch(Connection& c, std::uint32_t events) {
    if (c.watched == events) return {};
    epoll_event event{.events = events, .data = {.ptr = &c}};
    const int change = c.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (::epoll_ctl(poll_.get(), change, c.socket.get(), &event) != 0) {
      return fail_errno(errno, "epoll_ctl");
    }
    c.watched = events;
    return {};
  }

  Result<void> advance(Connection& c) {
    if (c.request != nullptr && c.sent < c.request->size()) {
      if (auto done = send_more(c); !done) return done;
    }
    for (;;) {
      auto step = receive(c);
      if (!step) return std::unexpected(step.error());
      if (*step == Step::wait) return {};
      finish(c);
      return begin_request(c);
    }
  }

  Result<Step> receive(Connection& c) {
    for (;;) {
      if (c.in_body && c.body_left == 0) return Step::finished;
      const bool discard = c.in_body && !c.compare;
      const auto want =
          c.in_body ? std::min<std::uint64_t>(c.body_left, discard ? 64u << 20 : scratch_.size())
                    : scratch_.size();
      const auto got = receive_some(c, want, discard);
      if (got < 0 && errno == EAGAIN) return Step::wait;
      if (got < 0) return fail_errno(errno, "receive an answer");
      if (got == 0) return fail(ErrorCode::io, "the server closed a connection within an answer");
      const std::string_view data(scratch_.data(), discard ? 0 : static_cast<std::size_t>(got));
      if (c.in_body) {
        c.body_left -= static_cast<std::uint64_t>(got);
        if (c.compare) c.compared += data;
      } else if (auto done = take_head(c, data); !done) {
        return std::unexpected(done.error());
      }
    }
  }

  Result<void> take_head(Connection& c, std::string_view data) {
    c.head += data;
    const auto head = parse_head(c.head);
    if (!head) return {};
    if (head->status != requests_.status()) {
      return fail(ErrorCode::io, "the server answered {}: {}", head->status, c.head);
    }
    if (requests_.get() && head->length != requests_.answer_bytes()) {
      return fail(ErrorCode::io, "{} bytes announced, {} expected", head->length,
                  requests_.answer_bytes());
    }
    const auto more = std::string_view(c.head).substr(head->size);
    c.in_body = true;
    c.body_left = head->length - std::min<std::uint64_t>(head->length, more.size());
    if (c.compare) c.compared = more;
    return {};
  }

  void finish(Connection& c) {
    const auto now = Steady::now();
    if (c.compare && requests_.get() && !requests_.is_answer(c.compared)) {
      fmt::print(stderr, "holdfast_bench_s3_load: the body differs from --body\n");
      std::exit(1);
    }
    c.compare = false;
    c.compared.clear();
    if (c.started < counts_from_ || (options_.count == 0 && now > ends_at_)) return;
    tally_.milliseconds.push_back(static_cast<float>(Seconds(now - c.started).count() * 1000));
    tally_.bytes += requests_.answer_bytes();
    tally_.last = now;
  }

  const LoadOptions& options_;
  LoadRequests& requests_;
  unsigned connections_;
  std::vector<char> scratch_;
  s3::SigningKeyCache keys_;
  Fd poll_;
  TlsContext context_;  // before the connections that use it
  std::vector<std::unique_ptr<Connection>> all_;
  std::size_t active_ = 0;
  Steady::time_point counts_from_, ends_at_;
  LoadTally tally_;
};

}  // namespace

LoadTally run_load(const LoadOptions& options, LoadRequests& requests, unsigned connections) {
  return Worker(options, requests, connections).run();
}

}  // namespace holdfast

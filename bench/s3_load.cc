// Load on an HTTP server over kept-alive connections, each with one request under way: GET over a
// set of keys, or PUT of ever new keys. With AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the
// environment every request is signed (SigV4, header form), without them none: so that nginx and
// Holdfast stand before the very same client. Prints one line of JSON.
//   holdfast_bench_s3_load --port P --method GET --path /bench/4k/ --keys 1000 --body FILE
// Key n is PATH followed by n in eight digits. --body is what each key holds: sent by PUT; compared
// with the first answer of each connection by GET, later ones are counted and thrown away unread.
// --tls: over TLS, without looking at who answers; every byte is then decrypted.
// GET requests are signed before the clock starts, PUT requests as they are sent.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "s3/digest.h"
#include "s3/sigv4.h"

namespace holdfast {
namespace {

using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr auto patience = std::chrono::seconds(30);

struct Options {
  std::uint16_t port = 0;
  std::string host = "localhost";
  std::string method = "GET";
  std::string path = "/";
  std::string body_file;
  std::uint64_t keys = 1000;  // GET
  std::uint64_t count = 0;    // PUT: so many requests instead of a time
  std::uint64_t range = 0;    // GET: so many bytes of each body, in turn from all over it
  unsigned connections = 32;
  unsigned threads = 1;
  bool spin = false;
  bool tls = false;
  double warm_up = 0.5;
  double seconds = 3;
};

// --- The requests.

class Requests {
 public:
  Requests(const Options& options, std::string body)
      : options_(options), body_(std::move(body)), get_(options.method == "GET") {
    host_ = fmt::format("{}:{}", options.host, options.port);
    body_hash_ = get_ ? std::string(s3::empty_sha256_hex) : s3::sha256_hex(body_);
    const char* key = std::getenv("AWS_ACCESS_KEY_ID");
    const char* secret = std::getenv("AWS_SECRET_ACCESS_KEY");
    if (key != nullptr && secret != nullptr) credentials_ = s3::Credentials{key, secret, {}};
    s3::SigningKeyCache cache;
    const std::uint64_t made = options.keys * (options.range != 0 ? ranges_of_a_key : 1);
    for (std::uint64_t n = 0; get_ && n < made; ++n) ready_.push_back(make(n, cache));
  }

  const std::string& body() const { return body_; }
  bool get() const { return get_; }
  int status() const { return options_.range != 0 ? 206 : 200; }
  std::uint64_t answer_bytes() const { return options_.range != 0 ? options_.range : body_.size(); }
  // Whether this is a part of the body that some request asked for.
  bool is_answer(std::string_view got) const {
    if (options_.range == 0) return got == body_;
    return got.size() == options_.range && body_.contains(got);
  }

  // nullptr: all of `count` are given out. `own` holds a request that was made for the caller.
  const std::string* next(std::string& own, s3::SigningKeyCache& cache) {
    const auto n = given_.fetch_add(1, std::memory_order_relaxed);
    if (get_) return &ready_[n % ready_.size()];
    if (options_.count != 0 && n >= options_.count) return nullptr;
    own = make(n, cache);
    return &own;
  }

 private:
  static constexpr std::uint64_t ranges_of_a_key = 16;

  // Not aligned to anything, spread over the body.
  std::uint64_t range_of(std::uint64_t n) const {
    return n * 2654435761u %
           (body_.size() - std::min<std::uint64_t>(options_.range, body_.size()) + 1);
  }
  std::string make(std::uint64_t n, s3::SigningKeyCache& cache) const {
    const std::string path = fmt::format("{}{:08}", options_.path, get_ ? n % options_.keys : n);
    std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", options_.method, path, host_);
    if (!get_) out += fmt::format("Content-Length: {}\r\n", body_.size());
    if (options_.range != 0) {
      const std::uint64_t first = range_of(n);
      out += fmt::format("Range: bytes={}-{}\r\n", first, first + options_.range - 1);
    }
    if (credentials_) {
      const std::array headers{s3::HeaderView{"host", host_}};
      const s3::SigningRequest request{options_.method, path, {}, headers};
      s3::SignOptions sign{.now = SystemClock().now(), .payload_hash = body_hash_, .cache = &cache};
      for (const auto& [name, value] : s3::sign_headers(request, *credentials_, sign).headers) {
        out += fmt::format("{}: {}\r\n", name, value);
      }
    }
    out += "\r\n";
    if (!get_) out += body_;
    return out;
  }

  const Options& options_;
  std::string body_, body_hash_, host_;
  bool get_;
  std::optional<s3::Credentials> credentials_;
  std::vector<std::string> ready_;
  std::atomic<std::uint64_t> given_ = 0;
};

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

struct Tally {
  std::vector<float> milliseconds;
  std::uint64_t bytes = 0;
  Steady::time_point first, last;  // first begin and last end of what counts
  Error error;
  bool failed = false;
};

class Worker {
 public:
  Worker(const Options& options, Requests& requests, unsigned connections)
      : options_(options), requests_(requests), connections_(connections), scratch_(256u << 10) {}

  Tally run() {
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

  const Options& options_;
  Requests& requests_;
  unsigned connections_;
  std::vector<char> scratch_;
  s3::SigningKeyCache keys_;
  Fd poll_;
  TlsContext context_;  // before the connections that use it
  std::vector<std::unique_ptr<Connection>> all_;
  std::size_t active_ = 0;
  Steady::time_point counts_from_, ends_at_;
  Tally tally_;
};

// --- All of it.

Result<void> run(const Options& options) {
  std::string body;
  if (!options.body_file.empty()) {
    auto read = read_file(options.body_file, 256u << 20);
    if (!read) return std::unexpected(read.error());
    body = std::move(*read);
  }
  Requests requests(options, std::move(body));
  std::vector<Tally> tallies(options.threads);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.threads; ++i) {
    const unsigned share =
        options.connections / options.threads + (i < options.connections % options.threads ? 1 : 0);
    threads.emplace_back([&, i, share] { tallies[i] = Worker(options, requests, share).run(); });
  }
  for (auto& thread : threads) thread.join();

  std::vector<float> all;
  std::uint64_t bytes = 0;
  auto first = Steady::time_point::max();
  auto last = Steady::time_point::min();
  for (auto& tally : tallies) {
    if (tally.failed) return std::unexpected(tally.error);
    all.insert(all.end(), tally.milliseconds.begin(), tally.milliseconds.end());
    bytes += tally.bytes;
    first = std::min(first, tally.first);
    last = std::max(last, tally.last);
  }
  if (all.empty()) return fail(ErrorCode::timed_out, "no request was answered in time");
  std::ranges::sort(all);
  const double spent = options.count != 0 ? Seconds(last - first).count() : options.seconds;
  const auto count = static_cast<double>(all.size());
  fmt::print(
      "{{\"requests\": {}, \"seconds\": {:.3f}, \"requests_s\": {:.1f}, \"mib_s\": {:.2f}, "
      "\"p50_ms\": {:.3f}, \"p99_ms\": {:.3f}, \"most_ms\": {:.3f}}}\n",
      all.size(), spent, count / spent, static_cast<double>(bytes) / (1u << 20) / spent,
      all[all.size() / 2], all[all.size() * 99 / 100], all.back());
  return {};
}

}  // namespace
}  // namespace holdfast

int main(int count, char** values) {
  holdfast::Options o;
  CLI::App app("Load on an S3 or static HTTP server");
  app.add_option("--port", o.port)->required();
  app.add_option("--host", o.host);
  app.add_option("--method", o.method)->check(CLI::IsMember({"GET", "PUT"}));
  app.add_option("--path", o.path, "What the digits of a key follow: /BUCKET/PREFIX");
  app.add_option("--body", o.body_file, "File with what each key holds");
  app.add_option("--keys", o.keys)->check(CLI::PositiveNumber);
  app.add_option("--range", o.range, "GET so many bytes of each body, from all over it");
  app.add_option("--count", o.count, "So many PUTs, then end");
  app.add_option("--connections", o.connections)->check(CLI::PositiveNumber);
  app.add_option("--threads", o.threads)->check(CLI::Range(1u, 256u));
  app.add_flag("--spin", o.spin,
               "Never sleep: for cores of our own, where no answer shall pay for waking us");
  app.add_flag("--tls", o.tls, "Over TLS, whoever answers");
  app.add_option("--warm-up", o.warm_up);
  app.add_option("--seconds", o.seconds);
  CLI11_PARSE(app, count, values);
  if (auto done = holdfast::run(o); !done) {
    fmt::print(stderr, "holdfast_bench_s3_load: {}\n", done.error().context);
    return 1;
  }
  return 0;
}

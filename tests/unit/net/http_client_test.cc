#include "net/http_client.h"

#include <sys/un.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <thread>

#include "base/event.h"
#include "tests/unit/net/net_fixture.h"

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t large = 64u << 20;

// Endless pattern without memory; notes how much was taken.
class CountingReader final : public BodyReader {
 public:
  CountingReader(std::uint64_t size, std::atomic<std::uint64_t>& taken)
      : size_(size), taken_(taken) {}
  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    const auto n = std::min<std::uint64_t>(out.size(), size_ - at_);
    for (std::size_t i = 0; i < n; ++i) out[i] = byte_at(at_ + i);
    at_ += n;
    taken_ = at_;
    co_return n;
  }
  std::optional<std::uint64_t> size() const override { return size_; }
  static std::byte byte_at(std::uint64_t at) { return static_cast<std::byte>((at >> 12) ^ at); }

 private:
  std::uint64_t size_;
  std::uint64_t at_ = 0;
  std::atomic<std::uint64_t>& taken_;
};

// Reads all of it and checks each byte; answers how many there were.
asio::awaitable<Result<std::uint64_t>> check_all(BodyReader& reader) {
  std::vector<std::byte> buffer(100'000);
  std::uint64_t at = 0;
  for (;;) {
    auto got = co_await reader.read(buffer);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return at;
    for (std::size_t i = 0; i < *got; ++i) {
      if (buffer[i] != CountingReader::byte_at(at + i)) {
        co_return fail(ErrorCode::corrupted, "wrong byte at {}", at + i);
      }
    }
    at += *got;
  }
}

class ClientTest : public ServerTest {
 protected:
  // Runs `task(client, url)` with a client of its own on a pool thread.
  using Task = asio::awaitable<void> (*)(HttpClient&, std::string url);
  void with_client(Task task, ClientOptions options = {}) {
    run(pool_, [](Task t, ClientOptions o, std::string u) -> asio::awaitable<void> {
      HttpClient client(co_await asio::this_coro::executor, o);
      co_await t(client, u);
    }(task, options, server_ ? url("") : ""));
  }
  std::atomic<std::uint64_t> taken_ = 0;
};

TEST_F(ClientTest, SendsTargetMethodAndHeadersAsGivenAndNothingMore) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    std::string seen = exchange.request().method + " " + exchange.request().target;
    for (const auto& h : exchange.request().headers.items())
      seen += fmt::format("\n{}={}", h.name, h.value);
    ResponseHead head{418, {}};
    head.headers.add("X-Empty", "");
    head.headers.add("X-Two", "a");
    head.headers.add("X-Two", "b");
    (void)co_await exchange.respond(std::move(head), std::move(seen));
  });
  with_client([](HttpClient& client, std::string base) -> asio::awaitable<void> {
    ClientRequest request;
    request.method = "DELETE";
    request.url = base + "/a/../b//%2f?x=%20&y";
    request.headers.add("Host", "bucket.example");
    request.headers.add("X-MiXed", "v");
    request.headers.add("X-Nothing", "");
    auto response = co_await client.send(std::move(request));
    EXPECT_TRUE(response) << response.error().context;
    if (!response) co_return;
    EXPECT_EQ(response->status, 418u);
    EXPECT_EQ(response->headers.all("x-two").size(), 2u);
    EXPECT_TRUE(response->headers.has("X-Empty"));
    auto body = co_await read_all(*response->body, 10'000);
    EXPECT_EQ(*body, "DELETE /a/../b//%2f?x=%20&y\nHost=bucket.example\nX-MiXed=v\nX-Nothing=");
  });
}

TEST_F(ClientTest, ReusesConnections) {
  std::atomic<int> peers = 0;
  std::atomic<int> last = 0;
  serve([&](Exchange& exchange) -> asio::awaitable<void> {
    if (last.exchange(exchange.peer().port()) != exchange.peer().port()) ++peers;
    return [](Exchange& e) -> asio::awaitable<void> {
      auto body = co_await read_all(e.body(), 1'000);
      (void)co_await e.respond(ResponseHead{}, *std::move(body));
    }(exchange);
  });
  with_client([](HttpClient& client, std::string base) -> asio::awaitable<void> {
    for (int i = 0; i < 20; ++i) {
      ClientRequest request;
      request.url = base + "/";
      auto reader = make_string_reader("body");
      if (i % 2 == 1) {
        request.method = "PUT";
        request.body = reader.get();
        request.body_size = 4;
      }
      auto response = co_await client.send(std::move(request));
      EXPECT_TRUE(response) << response.error().context;
      if (!response) co_return;
      auto body = co_await read_all(*response->body, 10'000);
      EXPECT_EQ(*body, i % 2 == 1 ? "body" : "");
    }
  });
  EXPECT_EQ(peers, 1);
}

TEST_F(ClientTest, DownloadsALargeBodyNoFasterThanItIsRead) {
  serve([this](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, std::atomic<std::uint64_t>& taken) -> asio::awaitable<void> {
      auto length = e.request().target == "/chunked" ? std::nullopt : std::optional(large);
      (void)co_await e.respond(ResponseHead{}, std::make_unique<CountingReader>(large, taken),
                               length);
    }(exchange, taken_);
  });
  run(pool_, [](std::string base, std::atomic<std::uint64_t>& taken) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    for (const char* path : {"/sized", "/chunked"}) {
      taken = 0;
      ClientRequest request;
      request.url = base + path;
      auto response = co_await client.send(std::move(request));
      EXPECT_TRUE(response) << response.error().context;
      if (!response) co_return;
      // Nobody reads: the server comes to a stop once all buffers between are full.
      std::uint64_t before = 0;
      do {
        before = taken;
        co_await sleep_for(milliseconds(200));
      } while (before != taken || before == 0);
      EXPECT_LT(taken, large / 2);
      auto checked = co_await check_all(*response->body);
      EXPECT_TRUE(checked) << checked.error().context;
      EXPECT_EQ(checked.value_or(0), large);
    }
  }(url(""), taken_));
}

TEST_F(ClientTest, UploadsALargeBodyNoFasterThanItIsTaken) {
  Signal go;
  serve([&go](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, Signal&) -> asio::awaitable<void> {
      if (e.request().target == "/slow") co_await sleep_for(milliseconds(300));
      auto checked = co_await check_all(e.body());
      (void)co_await e.respond(ResponseHead{},
                               checked ? std::to_string(*checked) : checked.error().context);
    }(exchange, go);
  });
  run(pool_, [](std::string base, std::atomic<std::uint64_t>& taken) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    for (const bool sized : {true, false}) {
      CountingReader reader(large, taken);
      ClientRequest request;
      request.method = "PUT";
      request.url = base + (sized ? "/slow" : "/chunked");
      request.body = &reader;
      if (sized) request.body_size = large;
      auto response = co_await client.send(std::move(request));
      EXPECT_TRUE(response) << response.error().context;
      if (!response) co_return;
      auto body = co_await read_all(*response->body, 1'000);
      EXPECT_EQ(body.value_or("error"), std::to_string(large));
    }
  }(url(""), taken_));
}

TEST_F(ClientTest, AnAnswerBeforeTheEndOfTheUploadIsSeen) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond(ResponseHead{403, {}}, std::string("denied"));
  });
  run(pool_, [](std::string base, std::atomic<std::uint64_t>& taken) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    CountingReader reader(large, taken);
    ClientRequest request;
    request.method = "PUT";
    request.url = base + "/";
    request.body = &reader;
    request.body_size = large;
    auto response = co_await client.send(std::move(request));
    EXPECT_TRUE(response) << response.error().context;
    if (!response) co_return;
    EXPECT_EQ(response->status, 403u);
    EXPECT_EQ((co_await read_all(*response->body, 1'000)).value_or("error"), "denied");
  }(url("/"), taken_));
}

TEST_F(ClientTest, AnUploadThatFailsFailsTheRequest) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await read_all(exchange.body(), 1u << 20);
    (void)co_await exchange.respond(ResponseHead{}, std::string());
  });
  with_client([](HttpClient& client, std::string base) -> asio::awaitable<void> {
    auto reader = make_string_reader("short");
    ClientRequest request;
    request.method = "PUT";
    request.url = base + "/";
    request.body = reader.get();
    request.body_size = 100;
    auto response = co_await client.send(std::move(request));
    EXPECT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::incomplete_body);
  });
}

TEST_F(ClientTest, ARefusedPortIsUnavailable) {
  with_client([](HttpClient& client, std::string) -> asio::awaitable<void> {
    ClientRequest request;
    request.url = "http://127.0.0.1:1/";
    auto response = co_await client.send(std::move(request));
    EXPECT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::unavailable);
  });
}

TEST_F(ClientTest, AnAddressThatIsRuledOutIsNeverConnectedTo) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond({200, {}}, std::string("here"));
  });
  const Task ask = [](HttpClient& client, std::string base) -> asio::awaitable<void> {
    ClientRequest request;
    request.url = base + "/";
    EXPECT_TRUE(co_await client.send(std::move(request)));
    // Numbers that are link-local and unspecified, also in the clothes of IPv6.
    for (const char* host : {"169.254.169.254", "0.0.0.0", "[::]", "[::ffff:169.254.169.254]"}) {
      ClientRequest ruled_out;
      ruled_out.url = fmt::format("http://{}{}/", host, base.substr(base.rfind(':')));
      ruled_out.connect_timeout = milliseconds(500);
      auto response = co_await client.send(std::move(ruled_out));
      EXPECT_FALSE(response) << host;
      if (!response) EXPECT_EQ(response.error().code, ErrorCode::unavailable) << host;
    }
  };
  with_client(ask, {.reach = Reach::not_link_local});
}

TEST_F(ClientTest, ARedirectIsAnAnswerAndIsNotFollowed) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    ResponseHead head;
    if (exchange.request().path() == "/from") {
      head.status = 302;
      head.headers.add("Location", "/to");
    }
    (void)co_await exchange.respond(std::move(head), exchange.request().target);
  });
  with_client([](HttpClient& client, std::string base) -> asio::awaitable<void> {
    ClientRequest request;
    request.url = base + "/from";
    auto response = co_await client.send(std::move(request));
    EXPECT_TRUE(response);
    if (!response) co_return;
    EXPECT_EQ(response->status, 302u);
    auto body = co_await read_all(*response->body, 100);
    EXPECT_TRUE(body);
    EXPECT_EQ(body.value_or(""), "/from");
  });
}

TEST_F(ClientTest, SpeaksHttpOnly) {
  with_client([](HttpClient& client, std::string) -> asio::awaitable<void> {
    for (const char* other : {"file:///etc/passwd", "ftp://127.0.0.1:1/x", "gopher://127.0.0.1:1/",
                              "dict://127.0.0.1:1/", "scp://127.0.0.1:1/x"}) {
      ClientRequest request;
      request.url = other;
      request.head_timeout = std::chrono::seconds(2);
      auto response = co_await client.send(std::move(request));
      EXPECT_FALSE(response) << other;
      if (!response) EXPECT_EQ(response.error().code, ErrorCode::invalid_argument) << other;
    }
  });
}

TEST_F(ClientTest, GoesThroughNoProxyThatTheEnvironmentNames) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond({200, {}}, std::string("here"));
  });
  for (const char* name : {"http_proxy", "all_proxy"}) {
    ASSERT_EQ(::setenv(name, "http://127.0.0.1:1", 1), 0);
    with_client([](HttpClient& client, std::string base) -> asio::awaitable<void> {
      ClientRequest request;
      request.url = base + "/";
      auto response = co_await client.send(std::move(request));
      EXPECT_TRUE(response) << (response ? "" : response.error().context);
    });
    ::unsetenv(name);
  }
}

TEST_F(ClientTest, AnErrorDoesNotTellTheQuery) {
  with_client([](HttpClient& client, std::string) -> asio::awaitable<void> {
    ClientRequest request;
    request.url = "http://127.0.0.1:1/bucket/key?X-Amz-Signature=0123456789abcdef";
    auto response = co_await client.send(std::move(request));
    EXPECT_FALSE(response);
    if (response) co_return;
    EXPECT_NE(response.error().context.find("/bucket/key"), std::string::npos);
    EXPECT_EQ(response.error().context.find("0123456789abcdef"), std::string::npos);
  });
}

TEST_F(ClientTest, AServerThatSaysNothingTimesOut) {
  serve([](Exchange&) -> asio::awaitable<void> { return sleep_for(std::chrono::hours(1)); });
  with_client([](HttpClient& client, std::string base) -> asio::awaitable<void> {
    ClientRequest request;
    request.url = base + "/?signature=secret";
    request.head_timeout = milliseconds(100);
    auto response = co_await client.send(std::move(request));
    EXPECT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::timed_out);
    EXPECT_EQ(response.error().context.find("secret"), std::string::npos);
  });
}

TEST_F(ClientTest, ABodyThatStallsTimesOutAndOneThatIsCutIsIncomplete) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    const bool cut = exchange.request().target == "/cut";
    auto raw = exchange.take_over();
    (void)co_await raw->write(std::as_bytes(
        std::span(std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))));
    if (!cut) co_await sleep_for(std::chrono::hours(1));
    raw->close();
  });
  with_client([](HttpClient& client, std::string base) -> asio::awaitable<void> {
    for (const bool cut : {true, false}) {
      ClientRequest request;
      request.url = base + (cut ? "/cut" : "/stall");
      request.stall_timeout = milliseconds(100);
      auto response = co_await client.send(std::move(request));
      EXPECT_TRUE(response);
      if (!response) co_return;
      auto body = co_await read_all(*response->body, 100);
      EXPECT_FALSE(body);
      EXPECT_EQ(body.error().code, cut ? ErrorCode::incomplete_body : ErrorCode::timed_out);
    }
  });
}

TEST_F(ClientTest, CancellingTheCoroutineEndsTheRequest) {
  Signal entered;
  serve([&entered](Exchange&) -> asio::awaitable<void> {
    entered.set();
    return sleep_for(std::chrono::hours(1));
  });
  asio::cancellation_signal cancel;
  auto done = asio::co_spawn(
      pool_.at(0),
      [](std::string u) -> asio::awaitable<ErrorCode> {
        HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
        ClientRequest request;
        request.url = u;
        auto response = co_await client.send(std::move(request));
        co_return response ? ErrorCode::internal : response.error().code;
      }(url("/")),
      asio::bind_cancellation_slot(cancel.slot(), asio::use_future));
  ASSERT_TRUE(entered.wait());
  asio::post(pool_.at(0), [&cancel] { cancel.emit(asio::cancellation_type::terminal); });
  EXPECT_EQ(done.get(), ErrorCode::cancelled);
}

TEST_F(ClientTest, ADroppedResponseFreesItsPlace) {
  serve([this](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, std::atomic<std::uint64_t>& taken) -> asio::awaitable<void> {
      (void)co_await e.respond(ResponseHead{}, std::make_unique<CountingReader>(large, taken),
                               large);
    }(exchange, taken_);
  });
  ClientOptions one;
  one.max_connections = 1;
  with_client(
      [](HttpClient& client, std::string base) -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i) {
          ClientRequest request;
          request.url = base + "/";
          auto response = co_await client.send(std::move(request));
          EXPECT_TRUE(response);
          if (!response) co_return;
          std::array<std::byte, 100> few;
          EXPECT_TRUE(co_await response->body->read(few));
        }
      },
      one);
}

TEST_F(ClientTest, AReaderOutlivesItsClientWithAnError) {
  serve([this](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, std::atomic<std::uint64_t>& taken) -> asio::awaitable<void> {
      (void)co_await e.respond(ResponseHead{}, std::make_unique<CountingReader>(large, taken),
                               large);
    }(exchange, taken_);
  });
  run(pool_, [](std::string u) -> asio::awaitable<void> {
    auto client = std::make_unique<HttpClient>(co_await asio::this_coro::executor, ClientOptions{});
    ClientRequest request;
    request.url = u;
    auto response = co_await client->send(std::move(request));
    EXPECT_TRUE(response);
    client.reset();
    if (!response) co_return;
    auto read = co_await check_all(*response->body);
    EXPECT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::cancelled);
  }(url("/")));
}

TEST_F(ClientTest, SpeaksOverUnixSockets) {
  char folder[] = "/tmp/holdfast-net-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/s";
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  std::thread server([&listener] {
    Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string seen;
    char chunk[4096];
    while (seen.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::read(peer.get(), chunk, sizeof chunk);
      if (got <= 0) return;
      seen.append(chunk, static_cast<std::size_t>(got));
    }
    const auto line = seen.substr(0, seen.find("\r\n"));
    const auto answer =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(line.size()) + "\r\n\r\n" + line;
    (void)!::write(peer.get(), answer.data(), answer.size());
  });
  run(pool_, [](std::string p) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    ClientRequest request;
    request.url = "http://d/v4/libpod/info";
    request.unix_socket = p;
    auto response = co_await client.send(std::move(request));
    EXPECT_TRUE(response) << response.error().context;
    if (!response) co_return;
    EXPECT_EQ((co_await read_all(*response->body, 1'000)).value_or("error"),
              "GET /v4/libpod/info HTTP/1.1");
  }(path));
  server.join();
  std::filesystem::remove_all(folder);
}

TEST_F(ClientTest, ManyRequestsAtOnceShareTheConnectionsTheyMay) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond(ResponseHead{}, pattern(10'000));
  });
  std::vector<std::future<bool>> all;
  ClientOptions options;
  options.max_connections = 4;
  auto client = run(pool_, [](ClientOptions o) -> asio::awaitable<std::shared_ptr<HttpClient>> {
    co_return std::make_shared<HttpClient>(co_await asio::this_coro::executor, o);
  }(options));
  for (int i = 0; i < 100; ++i) {
    all.push_back(asio::co_spawn(
        pool_.at(0),
        [](std::shared_ptr<HttpClient> c, std::string u) -> asio::awaitable<bool> {
          ClientRequest request;
          request.url = u;
          auto response = co_await c->send(std::move(request));
          if (!response) co_return false;
          auto body = co_await read_all(*response->body, 100'000);
          co_return body && body->size() == 10'000;
        }(client, url("/")),
        asio::use_future));
  }
  for (auto& one : all) EXPECT_TRUE(one.get());
  EXPECT_LE(server_->connections(), 4u);
  asio::post(pool_.at(0), [client = std::move(client)]() mutable { client.reset(); });
}

}  // namespace
}  // namespace holdfast::net

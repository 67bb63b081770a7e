#include "net/http_client.h"

#include <sys/un.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <thread>

#include "base/event.h"
#include "tests/unit/net/client_fixture.h"

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;

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

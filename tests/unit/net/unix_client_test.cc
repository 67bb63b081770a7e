// The HTTP client over unix sockets, where our own framing carries it instead of libcurl.
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>

#include "base/event.h"
#include "net/http_client.h"
#include "tests/unit/net/net_fixture.h"

namespace holdfast::net {
namespace {

constexpr std::size_t large = 8u << 20;

class UnixClientTest : public ServerTest {
 protected:
  UnixClientTest() {
    char name[] = "/tmp/holdfast-unix-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~UnixClientTest() override { std::filesystem::remove_all(folder_); }

  void serve_unix(Handler handler) {
    ServerOptions options;
    options.address = "unix:" + path();
    serve(std::move(handler), std::move(options));
  }
  std::string path() const { return folder_ + "/s"; }

  static ClientRequest request_to(const std::string& path, std::string method = "GET") {
    ClientRequest request;
    request.method = std::move(method);
    request.url = "http://d/some?thing";
    request.unix_socket = path;
    return request;
  }

  std::string folder_;
};

TEST_F(UnixClientTest, LargeBodiesGoBothWays) {
  serve_unix([](Exchange& exchange) -> asio::awaitable<void> {
    auto body = co_await read_all(exchange.body(), large);
    (void)co_await exchange.respond(ResponseHead{}, body.value_or("error"));
  });
  for (const bool sized : {true, false}) {
    run(pool_, [](std::string p, bool with_size) -> asio::awaitable<void> {
      HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
      auto request = request_to(p, "PUT");
      auto reader = make_string_reader(pattern(large));
      request.body = reader.get();
      if (with_size) request.body_size = large;
      auto response = co_await client.send(std::move(request));
      EXPECT_TRUE(response) << response.error().context;
      if (!response) co_return;
      EXPECT_EQ(response->body->size(), large);
      EXPECT_EQ((co_await read_all(*response->body, large)).value_or("error"), pattern(large));
    }(path(), sized));
  }
}

TEST_F(UnixClientTest, APostWithoutABodySaysThatItHasNone) {
  serve_unix([](Exchange& exchange) -> asio::awaitable<void> {
    const auto& head = exchange.request();
    (void)co_await exchange.respond(
        ResponseHead{}, head.method + " " + head.target + " " + std::string(head.host()) + " " +
                            std::string(head.headers.get("Content-Length")));
  });
  run(pool_, [](std::string p) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    auto response = co_await client.send(request_to(p, "POST"));
    EXPECT_TRUE(response) << response.error().context;
    if (!response) co_return;
    EXPECT_EQ((co_await read_all(*response->body, 100)).value_or("error"), "POST /some?thing d 0");
  }(path()));
}

TEST_F(UnixClientTest, AnAnswerBeforeTheEndOfTheUploadIsSeen) {
  serve_unix([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond(ResponseHead{403, {}}, std::string("denied"));
  });
  run(pool_, [](std::string p) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    auto request = request_to(p, "PUT");
    auto reader = make_string_reader(pattern(large));
    request.body = reader.get();
    request.body_size = large;
    auto response = co_await client.send(std::move(request));
    EXPECT_TRUE(response) << response.error().context;
    if (!response) co_return;
    EXPECT_EQ(response->status, 403u);
    EXPECT_EQ((co_await read_all(*response->body, 100)).value_or("error"), "denied");
  }(path()));
}

TEST_F(UnixClientTest, AnUploadThatFailsFailsTheRequest) {
  serve_unix([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await read_all(exchange.body(), large);
    (void)co_await exchange.respond(ResponseHead{}, std::string());
  });
  run(pool_, [](std::string p) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    auto request = request_to(p, "PUT");
    auto reader = make_string_reader("short");
    request.body = reader.get();
    request.body_size = 100;
    auto response = co_await client.send(std::move(request));
    EXPECT_FALSE(response);
    if (!response) EXPECT_EQ(response.error().code, ErrorCode::incomplete_body);
  }(path()));
}

TEST_F(UnixClientTest, ASocketThatNobodyServesIsUnavailable) {
  run(pool_, [](std::string p) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    auto response = co_await client.send(request_to(p));
    EXPECT_FALSE(response);
    if (!response) EXPECT_EQ(response.error().code, ErrorCode::unavailable);
  }(path()));
}

TEST_F(UnixClientTest, AServerThatSaysNothingTimesOut) {
  serve_unix([](Exchange&) -> asio::awaitable<void> { return sleep_for(std::chrono::hours(1)); });
  run(pool_, [](std::string p) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
    auto request = request_to(p);
    request.head_timeout = std::chrono::milliseconds(50);
    auto response = co_await client.send(std::move(request));
    EXPECT_FALSE(response);
    if (!response) EXPECT_EQ(response.error().code, ErrorCode::timed_out);
  }(path()));
}

TEST_F(UnixClientTest, CancellingTheCoroutineEndsTheRequest) {
  Signal entered;
  serve_unix([&entered](Exchange&) -> asio::awaitable<void> {
    entered.set();
    return sleep_for(std::chrono::hours(1));
  });
  asio::cancellation_signal cancel;
  auto done = asio::co_spawn(
      pool_.at(0),
      [](std::string p) -> asio::awaitable<ErrorCode> {
        HttpClient client(co_await asio::this_coro::executor, ClientOptions{});
        auto response = co_await client.send(request_to(p));
        co_return response ? ErrorCode::internal : response.error().code;
      }(path()),
      asio::bind_cancellation_slot(cancel.slot(), asio::use_future));
  ASSERT_TRUE(entered.wait());
  asio::post(pool_.at(0), [&cancel] { cancel.emit(asio::cancellation_type::terminal); });
  EXPECT_EQ(done.get(), ErrorCode::cancelled);
}

TEST_F(UnixClientTest, AClientThatGoesAwayEndsWhatWaits) {
  Signal entered;
  serve_unix([&entered](Exchange&) -> asio::awaitable<void> {
    entered.set();
    return sleep_for(std::chrono::hours(1));
  });
  auto client = run(pool_, []() -> asio::awaitable<std::shared_ptr<HttpClient>> {
    co_return std::make_shared<HttpClient>(co_await asio::this_coro::executor, ClientOptions{});
  }());
  auto waits = asio::co_spawn(
      pool_.at(0),
      [](HttpClient& c, std::string p) -> asio::awaitable<ErrorCode> {
        auto response = co_await c.send(request_to(p));
        co_return response ? ErrorCode::internal : response.error().code;
      }(*client, path()),
      asio::use_future);
  ASSERT_TRUE(entered.wait());
  asio::post(pool_.at(0), [client = std::move(client)]() mutable { client.reset(); });
  EXPECT_EQ(waits.get(), ErrorCode::cancelled);
}

TEST_F(UnixClientTest, AReaderOutlivesItsClientWithAnError) {
  serve_unix([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond(ResponseHead{}, pattern(large));
  });
  run(pool_, [](std::string p) -> asio::awaitable<void> {
    auto client = std::make_unique<HttpClient>(co_await asio::this_coro::executor, ClientOptions{});
    auto response = co_await client->send(request_to(p));
    EXPECT_TRUE(response) << response.error().context;
    client.reset();
    if (!response) co_return;
    auto read = co_await read_all(*response->body, large);
    EXPECT_FALSE(read);
    if (!read) EXPECT_EQ(read.error().code, ErrorCode::cancelled);
  }(path()));
}

}  // namespace
}  // namespace holdfast::net

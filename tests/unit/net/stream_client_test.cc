#include "net/stream_client.h"

#include <atomic>

#include "base/event.h"
#include "tests/unit/net/net_fixture.h"

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;

ConnectTarget target(std::uint16_t port) {
  return ConnectTarget{"127.0.0.1", port, milliseconds(2'000)};
}

RequestHead request_head(std::string method, std::string path) {
  RequestHead head{std::move(method), std::move(path), {}};
  head.headers.add("Host", "h");
  return head;
}

asio::awaitable<void> echo(Exchange& exchange) {
  auto body = co_await read_all(exchange.body(), 100u << 20);
  if (!body) co_return;
  const auto n = body->size();
  if (exchange.request().path() == "/chunked") {
    (void)co_await exchange.respond(ResponseHead{}, make_string_reader(*std::move(body)),
                                    std::nullopt);
  } else {
    (void)co_await exchange.respond(ResponseHead{}, make_string_reader(*std::move(body)), n);
  }
}

TEST_F(ServerTest, StreamClientCarriesManyMessagesWithBothFramings) {
  serve(echo);
  run(pool_, [](std::uint16_t p) -> asio::awaitable<void> {
    auto client = co_await StreamClient::connect(target(p), StreamClient::Timeouts{});
    EXPECT_TRUE(client);
    if (!client) co_return;
    const auto bytes = pattern(5'000'000);
    for (const char* path : {"/sized", "/chunked"}) {
      for (const auto kind : {Framing::Kind::length, Framing::Kind::chunked}) {
        auto reader = make_string_reader(bytes);
        const Framing framing{kind, kind == Framing::Kind::length ? bytes.size() : 0};
        auto sent = co_await (*client)->send(request_head("PUT", path), framing, reader.get());
        EXPECT_TRUE(sent) << sent.error().context;
        auto head = co_await (*client)->read_head();
        EXPECT_TRUE(head) << head.error().context;
        if (!head) co_return;
        auto body = co_await read_all((*client)->body(), 100u << 20);
        EXPECT_TRUE(body && *body == bytes);
        EXPECT_TRUE((*client)->reusable());
      }
    }
  }(port()));
}

TEST_F(ServerTest, StreamClientReadsABodyThatEndsWithTheConnection) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    auto raw = exchange.take_over();
    (void)co_await raw->write(std::as_bytes(std::span(std::string_view(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nX: y\r\n\r\nuntil the end"))));
    raw->close();
  });
  run(pool_, [](std::uint16_t p) -> asio::awaitable<void> {
    auto client = co_await StreamClient::connect(target(p), StreamClient::Timeouts{});
    EXPECT_TRUE(client);
    if (!client) co_return;
    EXPECT_TRUE(co_await (*client)->send(request_head("GET", "/"), Framing{}, nullptr));
    auto head = co_await (*client)->read_head();
    EXPECT_TRUE(head) << head.error().context;
    auto body = co_await read_all((*client)->body(), 100);
    EXPECT_EQ(body.value_or("error"), "until the end");
    EXPECT_FALSE((*client)->reusable());
  }(port()));
}

TEST_F(ServerTest, StreamClientTimesOutAndRefusesMalformedAnswers) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    auto raw = exchange.take_over();
    if (exchange.request().target == "/silent") co_await sleep_for(std::chrono::hours(1));
    (void)co_await raw->write(std::as_bytes(std::span(
        std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"))));
    raw->close();
  });
  run(pool_, [](std::uint16_t p) -> asio::awaitable<void> {
    for (const bool silent : {true, false}) {
      const StreamClient::Timeouts soon{milliseconds(100), milliseconds(100)};
      auto client =
          co_await StreamClient::connect(target(p), silent ? soon : StreamClient::Timeouts{});
      EXPECT_TRUE(client);
      if (!client) co_return;
      EXPECT_TRUE(co_await (*client)->send(request_head("GET", silent ? "/silent" : "/bad"),
                                           Framing{}, nullptr));
      auto head = co_await (*client)->read_head();
      EXPECT_FALSE(head);
      EXPECT_EQ(head.error().code, silent ? ErrorCode::timed_out : ErrorCode::malformed);
    }
    auto refused = co_await connect(ConnectTarget{"127.0.0.1", 1, milliseconds(1'000)});
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  }(port()));
}

// The tool behind the proxy: switches protocols, then echoes.
asio::awaitable<void> upgrade_echo(Exchange& exchange) {
  auto raw = exchange.take_over();
  (void)co_await raw->write(std::as_bytes(std::span(std::string_view(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello "))));
  std::vector<std::byte> buffer(8'192);
  for (;;) {
    auto got = co_await raw->read(buffer);
    if (!got || *got == 0) co_return;
    if (auto sent = co_await raw->write(std::span(buffer).first(*got)); !sent) co_return;
  }
}

struct ProxyState {
  std::uint16_t upstream = 0;
  milliseconds idle{0};
  Signal ended;
  std::atomic<ErrorCode> code = ErrorCode::internal;
  std::atomic<std::uint64_t> to_upstream = 0;
};

asio::awaitable<void> proxy_upgrade(Exchange& exchange, ProxyState& state) {
  auto client = co_await StreamClient::connect(target(state.upstream), StreamClient::Timeouts{});
  EXPECT_TRUE(client);
  if (!client) co_return;
  EXPECT_TRUE(co_await (*client)->send(exchange.request(), Framing{}, nullptr));
  auto head = co_await (*client)->read_head();
  EXPECT_TRUE(head && head->status == 101);
  auto upstream = (*client)->release();
  auto browser = exchange.take_over();
  (void)co_await browser->write(
      std::as_bytes(std::span(std::string_view("HTTP/1.1 101 Switching Protocols\r\n\r\n"))));
  auto count = co_await relay(*browser, *upstream, RelayOptions{state.idle});
  if (count) state.to_upstream = count->to_right;
  state.code = count ? ErrorCode::not_found : count.error().code;
  state.ended.set();
}

class RelayTest : public ServerTest {
 protected:
  void SetUp() override {
    serve(upgrade_echo);
    state_.upstream = port();
    auto proxy = HttpServer::listen(
        pool_, {}, [this](Exchange& exchange) { return proxy_upgrade(exchange, state_); });
    ASSERT_TRUE(proxy);
    proxy_ = *std::move(proxy);
  }
  void TearDown() override {
    run(pool_, proxy_->stop(milliseconds(0)));
    proxy_.reset();
    ServerTest::TearDown();
  }
  ProxyState state_;
  std::unique_ptr<HttpServer> proxy_;
};

TEST_F(RelayTest, CarriesBytesBothWaysAndEndsWithEitherSide) {
  RawClient client(proxy_->endpoint().port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  EXPECT_EQ(client.read_exactly(6), "hello ");
  const auto bytes = pattern(300'000);
  client.send(bytes);
  EXPECT_TRUE(client.read_exactly(bytes.size()) == bytes);
  client.close();
  ASSERT_TRUE(state_.ended.wait());
  EXPECT_EQ(state_.code, ErrorCode::not_found);
  EXPECT_EQ(state_.to_upstream, bytes.size());
}

TEST_F(RelayTest, EndsWhenIdle) {
  state_.idle = milliseconds(100);
  RawClient client(proxy_->endpoint().port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
  EXPECT_TRUE(client.read_to_end().ends_with("hello "));
  ASSERT_TRUE(state_.ended.wait());
  EXPECT_EQ(state_.code, ErrorCode::timed_out);
}

TEST_F(RelayTest, EndsWhenItsServerStops) {
  RawClient client(proxy_->endpoint().port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
  EXPECT_TRUE(client.read_until("hello ").ends_with("hello "));
  run(pool_, proxy_->stop(milliseconds(10)));
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(proxy_->connections(), 0u);
}

TEST(RequestHeads, AreRefusedWhenUnfitToBeSent) {
  EXPECT_EQ(*write_request_head(request_head("GET", "/a"), Framing{}),
            "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(write_request_head(request_head("GET", "/a b"), Framing{}));
  EXPECT_FALSE(write_request_head(request_head("GET", "/a\r\nX: y"), Framing{}));
  auto head = request_head("GET", "/");
  head.headers.add("X", "a\r\nY: b");
  EXPECT_FALSE(write_request_head(head, Framing{}));
}

TEST(RequestHeads, LoseTheirHopByHopFields) {
  Headers headers;
  headers.add("Host", "h");
  headers.add("Connection", "keep-alive, X-Private, host");
  headers.add("X-Private", "1");
  headers.add("Keep-Alive", "timeout=5");
  headers.add("Upgrade", "websocket");
  headers.add("Cookie", "c");
  remove_hop_by_hop(headers);
  ASSERT_EQ(headers.items().size(), 2u);
  EXPECT_TRUE(headers.has("Host"));
  EXPECT_TRUE(headers.has("Cookie"));
}

}  // namespace
}  // namespace holdfast::net

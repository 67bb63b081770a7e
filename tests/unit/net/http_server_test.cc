#include "net/http_server.h"

#include <atomic>
#include <stdexcept>

#include "base/event.h"
#include "tests/unit/net/net_fixture.h"

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;

asio::awaitable<void> answer_with_target(Exchange& exchange) {
  (void)co_await exchange.respond(ResponseHead{}, exchange.request().target);
}

asio::awaitable<void> echo_body(Exchange& exchange) {
  auto body = co_await read_all(exchange.body(), 1u << 20);
  if (!body) {
    (void)co_await exchange.respond(ResponseHead{400, {}}, std::string("bad body"));
    co_return;
  }
  (void)co_await exchange.respond(ResponseHead{}, *std::move(body));
}

TEST_F(ServerTest, AnswersManyRequestsOnOneConnection) {
  serve(answer_with_target);
  RawClient client(port());
  for (const std::string path : {"/one", "/two", "/three"}) {
    client.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.body, path);
    EXPECT_FALSE(answer.field("Date").empty());
    EXPECT_EQ(answer.field("Server"), "Holdfast");
  }
  EXPECT_EQ(server_->connections(), 1u);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrderWithTheirBodies) {
  serve(echo_body);
  RawClient client(port());
  client.send(
      "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
      "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
      "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nghi"
      "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz");
  EXPECT_EQ(client.read_answer().body, "abc");
  EXPECT_EQ(client.read_answer().body, "def");
  const auto last = client.read_answer();
  EXPECT_EQ(last.body, "ghi");
  EXPECT_EQ(last.field("Connection"), "close");
  EXPECT_TRUE(client.ended());
}

TEST_F(ServerTest, SmugglingShapesAreAnsweredOnceAndTheConnectionEnds) {
  std::atomic<int> handled = 0;
  serve([&handled](Exchange& exchange) {
    ++handled;
    return answer_with_target(exchange);
  });
  const std::string next = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string fields :
       {"Host: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Host: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Host: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", "Host: h\r\nHost: g\r\n\r\n",
        "Host: h\nA: b\r\n\r\n", "Host: h\r\nA: b\r\n c\r\n\r\n",
        "Host: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"}) {
    RawClient client(port());
    client.send("PUT / HTTP/1.1\r\n" + fields + next);
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status(), 400) << fields;
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(client.ended()) << fields;
  }
  EXPECT_EQ(handled, 0);
}

TEST_F(ServerTest, ABodyWithBrokenChunksIsAnErrorAndEndsTheConnection) {
  serve(echo_body);
  RawClient client(port());
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_answer().status(), 400);
  EXPECT_TRUE(client.ended());
}

TEST_F(ServerTest, SpeaksToOldClients) {
  serve(answer_with_target);
  RawClient once(port());
  once.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(once.read_answer().field("Connection"), "close");
  EXPECT_TRUE(once.ended());
  RawClient kept(port());
  kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(kept.read_answer().field("Connection"), "keep-alive");
  kept.send("GET /b HTTP/1.0\r\n\r\n");
  EXPECT_EQ(kept.read_answer().body, "/b");
}

TEST_F(ServerTest, SendsContinueOnlyWhenTheBodyIsRead) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    if (exchange.request().target == "/refused") {
      return [](Exchange& e) -> asio::awaitable<void> {
        (void)co_await e.respond(ResponseHead{403, {}}, std::string("no"));
      }(exchange);
    }
    return echo_body(exchange);
  });
  const std::string tail =
      " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  RawClient read(port());
  read.send("PUT /read" + tail);
  EXPECT_EQ(read.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  read.send("abc");
  EXPECT_EQ(read.read_answer().body, "abc");

  RawClient refused(port());
  refused.send("PUT /refused" + tail);
  const auto answer = refused.read_answer();
  EXPECT_EQ(answer.status(), 403);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(refused.ended());
}

TEST_F(ServerTest, SendsContinueBeforeTheAnswerWhereTheExpectedBodyIsEmpty) {
  serve(echo_body);
  RawClient client(port());
  for (const std::string_view framing : {"Content-Length: 0", "Transfer-Encoding: chunked"}) {
    const bool chunked = framing.starts_with("Transfer");
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n" + std::string(framing) +
                "\r\n\r\n");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    if (chunked) client.send("0\r\n\r\n");
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.body, "");
  }
  // Without a word about a body there is none either.
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status(), 200);
  client.send("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client.read_answer().status(), 200);
}

TEST_F(ServerTest, ASlowHeadIsAnsweredAndCut) {
  ServerOptions options;
  options.head_timeout = milliseconds(100);
  serve(answer_with_target, options);
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHos");
  EXPECT_EQ(client.read_answer().status(), 408);
  EXPECT_TRUE(client.ended());
}

TEST_F(ServerTest, AnIdleConnectionIsClosedSilently) {
  ServerOptions options;
  options.idle_timeout = milliseconds(1'000);
  serve(answer_with_target, options);
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer().status(), 200);
  EXPECT_TRUE(client.ended());
}

TEST_F(ServerTest, ABodyThatStopsIsAnError) {
  ServerOptions options;
  options.body_timeout = milliseconds(100);
  Signal failed;
  std::atomic<ErrorCode> code = ErrorCode::internal;
  serve(
      [&](Exchange& exchange) -> asio::awaitable<void> {
        return [](Exchange& e, Signal& f, std::atomic<ErrorCode>& c) -> asio::awaitable<void> {
          auto body = co_await read_all(e.body(), 100);
          if (!body) c = body.error().code;
          f.set();
        }(exchange, failed, code);
      },
      options);
  RawClient client(port());
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  ASSERT_TRUE(failed.wait());
  EXPECT_EQ(code, ErrorCode::timed_out);
}

TEST_F(ServerTest, AHandlerThatThrowsOrSaysNothingGivesFiveHundred) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    if (exchange.request().target == "/throw") throw std::runtime_error("a bug");
    co_return;
  });
  RawClient client(port());
  client.send("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer().status(), 500);
  client.send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer().status(), 500);
}

TEST_F(ServerTest, AHeaderThatWouldSplitTheAnswerIsRefused) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    ResponseHead head;
    head.headers.add("X-A", "b\r\nSet-Cookie: c");
    auto sent = co_await exchange.respond(std::move(head), std::string());
    EXPECT_FALSE(sent);
    EXPECT_FALSE(exchange.answered());
  });
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer().status(), 500);
}

TEST_F(ServerTest, ConnectionsOverTheLimitWaitTheirTurn) {
  ServerOptions options;
  options.max_connections = 2;
  serve(answer_with_target, options);
  auto first = std::make_unique<RawClient>(port());
  RawClient second(port());
  const std::string request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
  first->send(request);
  second.send(request);
  EXPECT_EQ(first->read_answer().status(), 200);
  EXPECT_EQ(second.read_answer().status(), 200);
  RawClient third(port());
  third.send(request);
  EXPECT_EQ(server_->connections(), 2u);
  first.reset();
  EXPECT_EQ(third.read_answer().status(), 200);
}

TEST_F(ServerTest, APortInUseIsAConflictThatSaysWhatToDo) {
  serve(answer_with_target);
  ServerOptions options;
  options.address = "127.0.0.1:" + std::to_string(port());
  auto second = HttpServer::listen(pool_, options, answer_with_target);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_NE(second.error().context.find(std::to_string(port())), std::string::npos);
  EXPECT_NE(second.error().context.find("choose another port"), std::string::npos);
}

TEST_F(ServerTest, AnAddressThatIsNoneIsInvalid) {
  for (const char* address : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"}) {
    ServerOptions options;
    options.address = address;
    auto server = HttpServer::listen(pool_, options, answer_with_target);
    ASSERT_FALSE(server) << address;
    EXPECT_EQ(server.error().code, ErrorCode::invalid_argument);
  }
}

asio::awaitable<void> raw_echo(Exchange& exchange) {
  auto raw = exchange.take_over();
  std::array<std::byte, 64> buffer;
  (void)co_await raw->write(std::as_bytes(std::span(std::string_view("ready "))));
  for (;;) {
    auto got = co_await raw->read(buffer);
    if (!got || *got == 0) break;
    (void)co_await raw->write(std::span(buffer).first(*got));
  }
  raw->close();
}

TEST_F(ServerTest, TakeOverHandsOverBytesThatWereAlreadyRead) {
  serve(raw_echo);
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nearly");
  EXPECT_EQ(client.read_exactly(11), "ready early");
  client.send("late");
  EXPECT_EQ(client.read_exactly(4), "late");
  client.end_sending();
  EXPECT_TRUE(client.ended());
}

TEST_F(ServerTest, StopLetsARequestFinishAndClosesIdleConnections) {
  Signal entered;
  serve([&entered](Exchange& exchange) -> asio::awaitable<void> {
    if (exchange.request().target == "/idle") return answer_with_target(exchange);
    return [](Exchange& e, Signal& s) -> asio::awaitable<void> {
      s.set();
      auto body = co_await read_all(e.body(), 100);
      (void)co_await e.respond(ResponseHead{}, body.value_or("broken"));
    }(exchange, entered);
  });
  RawClient idle(port());
  idle.send("GET /idle HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(idle.read_answer().status(), 200);
  RawClient busy(port());
  busy.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(entered.wait());
  auto stopped =
      asio::co_spawn(pool_.at(1), server_->stop(std::chrono::seconds(20)), asio::use_future);
  EXPECT_TRUE(idle.ended());
  busy.send("abc");
  const auto answer = busy.read_answer();
  EXPECT_EQ(answer.body, "abc");
  EXPECT_EQ(answer.field("Connection"), "close");
  stopped.get();
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(ServerTest, StopCutsWhatDoesNotFinishInItsGrace) {
  Signal entered;
  serve([&entered](Exchange&) -> asio::awaitable<void> {
    entered.set();
    return sleep_for(std::chrono::hours(1));
  });
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(entered.wait());
  run(pool_, server_->stop(milliseconds(10)));
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(server_->connections(), 0u);
}

}  // namespace
}  // namespace holdfast::net

// Bodies of requests and answers: framing, sendfile, HEAD, draining, TLS.
#include <sys/mman.h>

#include <thread>

#include "net/http_client.h"
#include "net/http_server.h"
#include "tests/unit/net/net_fixture.h"
#include "tests/unit/net/tls_fixture.h"

namespace holdfast::net {
namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string head_request = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";

// Hands out `total` bytes in uneven pieces, then the end or an error.
class PieceReader final : public BodyReader {
 public:
  PieceReader(std::string bytes, bool fails) : bytes_(std::move(bytes)), fails_(fails) {}
  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (at_ == bytes_.size() && fails_) co_return fail(ErrorCode::io, "the disk is gone");
    step_ = step_ * 7 % 10007 + 1;
    const auto n = std::min({out.size(), step_, bytes_.size() - at_});
    std::memcpy(out.data(), bytes_.data() + at_, n);
    at_ += n;
    co_return n;
  }
  std::optional<std::uint64_t> size() const override { return std::nullopt; }

 private:
  std::string bytes_;
  bool fails_;
  std::size_t at_ = 0;
  std::size_t step_ = 1;
};

struct Extents {
  std::shared_ptr<const Fd> a, b;
  std::string expected;
  std::vector<FileExtent> list;
};

Extents make_extents() {
  const auto first = pattern(40u << 20, 1);
  const auto second = pattern(20u << 20, 2);
  Extents extents{temporary_file(first), temporary_file(second), {}, {}};
  extents.list = {{extents.a, 12'345, 30u << 20},
                  {extents.b, 7, 1},
                  {extents.b, 0, 19u << 20},
                  {extents.a, 0, 4096}};
  extents.expected = first.substr(12'345, 30u << 20) + second.substr(7, 1) +
                     second.substr(0, 19u << 20) + first.substr(0, 4096);
  return extents;
}

TEST_F(ServerTest, SendsExtentsOfSeveralFilesByteForByte) {
  const auto extents = make_extents();
  serve([&extents](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, std::vector<FileExtent> list, std::uint64_t n) -> asio::awaitable<void> {
      auto sent = co_await e.respond(ResponseHead{206, {}}, Body(std::move(list)), n);
      EXPECT_TRUE(sent) << sent.error().context;
    }(exchange, extents.list, extents.expected.size());
  });
  RawClient client(port());
  for (int round = 0; round < 2; ++round) {
    client.send(get);
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status(), 206);
    EXPECT_TRUE(answer.body == extents.expected);
  }
  client.send(head_request);
  const auto head = client.read_until("\r\n\r\n");
  EXPECT_NE(head.find("Content-Length: " + std::to_string(extents.expected.size())),
            std::string::npos);
  client.send(get);
  EXPECT_TRUE(client.read_answer().body == extents.expected);
}

TEST_F(ServerTest, AFileThatIsTooShortCutsTheConnection) {
  auto file = temporary_file(pattern(100'000));
  serve([file](Exchange& exchange) -> asio::awaitable<void> {
    std::vector<FileExtent> list{{file, 0, 200'000}};
    return [](Exchange& e, std::vector<FileExtent> l) -> asio::awaitable<void> {
      auto sent = co_await e.respond(ResponseHead{}, Body(std::move(l)), 200'000);
      EXPECT_FALSE(sent);
    }(exchange, std::move(list));
  });
  RawClient client(port());
  client.send(get);
  EXPECT_EQ(client.read_answer().body.size(), 100'000u);
  EXPECT_TRUE(client.ended());
}

TEST_F(ServerTest, ABodyOfUnknownLengthIsChunked) {
  const auto bytes = pattern(3'000'000);
  serve([&bytes](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, std::string b) -> asio::awaitable<void> {
      const bool fails = e.request().target == "/fails";
      (void)co_await e.respond(ResponseHead{}, std::make_unique<PieceReader>(std::move(b), fails),
                               std::nullopt);
    }(exchange, bytes);
  });
  RawClient client(port());
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.field("Transfer-Encoding"), "chunked");
  EXPECT_TRUE(answer.body == bytes);
  client.send(head_request);
  EXPECT_EQ(client.read_until("\r\n\r\n").find("Content-Length"), std::string::npos);
  RawClient old(port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read_until("\r\n\r\n").find("chunked"), std::string::npos);
  EXPECT_TRUE(old.read_to_end() == bytes);
  RawClient cut(port());
  cut.send("GET /fails HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto broken = cut.read_to_end();
  EXPECT_FALSE(broken.ends_with("0\r\n\r\n"));
}

TEST_F(ServerTest, HeadHasTheHeaderFieldsOfGetAndNoBody) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond(ResponseHead{}, std::string("hello"));
  });
  RawClient client(port());
  client.send(head_request + get);
  EXPECT_NE(client.read_until("\r\n\r\n").find("Content-Length: 5"), std::string::npos);
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST_F(ServerTest, StatusesWithoutABodySendNone) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    const unsigned status = exchange.request().target == "/304" ? 304 : 204;
    (void)co_await exchange.respond(ResponseHead{status, {}}, std::string("dropped"));
  });
  RawClient client(port());
  client.send("GET /204 HTTP/1.1\r\nHost: h\r\n\r\nGET /304 HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto first = client.read_until("\r\n\r\n");
  EXPECT_TRUE(first.starts_with("HTTP/1.1 204 "));
  EXPECT_EQ(first.find("Content-Length"), std::string::npos);
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 304 "));
}

TEST_F(ServerTest, ASmallUnreadBodyIsDrainedAndALargeOneEndsTheConnection) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond(ResponseHead{}, std::string("ok"));
  });
  RawClient small(port());
  small.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + pattern(100'000));
  EXPECT_EQ(small.read_answer().body, "ok");
  small.send(
      "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(small.read_answer().body, "ok");
  small.send(get);
  EXPECT_EQ(small.read_answer().body, "ok");
  RawClient large(port());
  large.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + pattern(1'000'000));
  const auto answer = large.read_answer();
  EXPECT_EQ(answer.body, "ok");
  EXPECT_EQ(answer.field("Connection"), "close");
}

// The socket can be written again only once a third of its buffer, of megabytes, was taken.
TEST_F(ServerTest, AReaderThatIsSlowButSteadyGetsAllOfABodyAndOneThatStopsIsCut) {
  ServerOptions options;
  options.body_timeout = std::chrono::milliseconds(1'500);
  const std::string text = pattern(12u << 20);
  const auto file = temporary_file(text);
  Signal cut;
  serve(
      [&](Exchange& exchange) -> asio::awaitable<void> {
        return [](Exchange& e, FileExtent extent, Signal& s) -> asio::awaitable<void> {
          const std::uint64_t length = extent.length;
          auto sent = co_await e.respond({}, std::vector<FileExtent>{std::move(extent)}, length);
          if (!sent) s.set();
        }(exchange, {file, 0, text.size()}, cut);
      },
      options);
  RawClient slow(port());
  slow.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(slow.read_until("\r\n\r\n").find(" 200 "), std::string::npos);
  std::string got;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  while (std::chrono::steady_clock::now() < until) {
    got += slow.read_exactly(16u << 10);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the pace is what is tested
  }
  got += slow.read_exactly(text.size() - got.size());
  EXPECT_TRUE(got == text) << got.size() << " bytes";
  RawClient stopped(port());
  stopped.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(cut.wait());
}

// Of small pieces, each sent at once: no step of a long one ends, and no wait lasts.
TEST_F(ServerTest, AGuardIsAskedAlsoWhileAReaderTakesALittleAllTheTime) {
  constexpr std::uint64_t piece = 512u << 10, pieces = 8192;
  const auto file = std::make_shared<const Fd>(::memfd_create("body", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file->get(), piece), 0);
  serve([&](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, std::vector<FileExtent> extents) -> asio::awaitable<void> {
      e.guard({[] { return false; }, std::chrono::milliseconds(100)});
      (void)co_await e.respond({}, std::move(extents), piece * pieces);
    }(exchange, std::vector<FileExtent>(pieces, {file, 0, piece}));
  });
  RawClient client(port());
  client.send(get);
  std::uint64_t received = 0;
  for (std::string part; !(part = client.read_exactly(64u << 10)).empty();) received += part.size();
  EXPECT_LT(received, piece * pieces);
}

TEST_F(ServerTest, AClientThatLeavesInTheMiddleOfABodyIsIncomplete) {
  Signal seen;
  serve([&seen](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, Signal& s) -> asio::awaitable<void> {
      auto body = co_await read_all(e.body(), 100);
      EXPECT_FALSE(body);
      EXPECT_EQ(body.error().code, ErrorCode::incomplete_body);
      s.set();
    }(exchange, seen);
  });
  RawClient client(port());
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  client.end_sending();
  EXPECT_TRUE(seen.wait());
}

TEST_F(ServerTest, SpeaksTlsWithTheSameBodies) {
  const TestCertificate certificate;
  ServerOptions options;
  options.tls = certificate.identity();
  const auto extents = make_extents();
  serve(
      [&extents](Exchange& exchange) -> asio::awaitable<void> {
        return [](Exchange& e, std::vector<FileExtent> list) -> asio::awaitable<void> {
          EXPECT_TRUE(e.secure());
          auto body = co_await read_all(e.body(), 10u << 20);
          if (body && !body->empty()) {
            (void)co_await e.respond(ResponseHead{}, *std::move(body));
            co_return;
          }
          (void)co_await e.respond(ResponseHead{}, Body(std::move(list)), std::nullopt);
        }(exchange, extents.list);
      },
      options);
  ClientOptions client_options;
  client_options.ca_file = certificate.files.certificate;
  run(pool_, [](std::uint16_t p, ClientOptions o, const Extents& x) -> asio::awaitable<void> {
    HttpClient client(co_await asio::this_coro::executor, o);
    ClientRequest request;
    request.url = "https://127.0.0.1:" + std::to_string(p) + "/";
    auto response = co_await client.send(request);
    EXPECT_TRUE(response) << response.error().context;
    if (!response) co_return;
    auto body = co_await read_all(*response->body, 100u << 20);
    EXPECT_TRUE(body && *body == x.expected);
    const auto upload = pattern(5u << 20);
    auto reader = make_string_reader(upload);
    request.method = "PUT";
    request.body = reader.get();
    request.body_size = upload.size();
    response = co_await client.send(request);
    EXPECT_TRUE(response);
    if (!response) co_return;
    body = co_await read_all(*response->body, 100u << 20);
    EXPECT_TRUE(body && *body == upload);
  }(port(), client_options, extents));
}

}  // namespace
}  // namespace holdfast::net

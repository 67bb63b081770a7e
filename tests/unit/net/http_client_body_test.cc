// Bodies that pass the client: no faster than they are read, ended early, cut, stalled, dropped.
#include <array>
#include <atomic>

#include "base/event.h"
#include "tests/unit/net/client_fixture.h"

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

class ClientBodyTest : public ClientTest {
 protected:
  std::atomic<std::uint64_t> taken_ = 0;  // of what the server or the client reads
};

TEST_F(ClientBodyTest, DownloadsALargeBodyNoFasterThanItIsRead) {
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

TEST_F(ClientBodyTest, UploadsALargeBodyNoFasterThanItIsTaken) {
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

TEST_F(ClientBodyTest, AnAnswerBeforeTheEndOfTheUploadIsSeen) {
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

TEST_F(ClientBodyTest, AnUploadThatFailsFailsTheRequest) {
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

TEST_F(ClientBodyTest, ABodyThatStallsTimesOutAndOneThatIsCutIsIncomplete) {
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

TEST_F(ClientBodyTest, ADroppedResponseFreesItsPlace) {
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

TEST_F(ClientBodyTest, AReaderOutlivesItsClientWithAnError) {
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

}  // namespace
}  // namespace holdfast::net

#include "cli/key_set_reader.h"

#include "base/event.h"
#include "tests/unit/net/net_fixture.h"

namespace holdfast::cli {
namespace {

namespace asio = boost::asio;
using net::Exchange;
using namespace std::chrono_literals;

class KeySetReaderTest : public net::ServerTest {
 protected:
  Result<std::string> read(const std::string& url) {
    KeySetReader reader(pool_.at(0).get_executor(), url, patience);
    auto answer = net::run(pool_, reader.read());
    // Its client ends on its own executor.
    net::run(pool_, settle());
    return answer;
  }
  std::string outcome(const std::string& url) {
    auto answer = read(url);
    return answer ? "ok" : std::string(to_string(answer.error().code));
  }
  static asio::awaitable<bool> settle() { co_return true; }

  std::chrono::milliseconds patience{20'000};
};

TEST_F(KeySetReaderTest, ReadsItsOwnUrlAndNoOther) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    net::ResponseHead head;
    if (exchange.request().path() == "/moved") {
      head.status = 302;
      head.headers.add("Location", "/keys");
    }
    (void)co_await exchange.respond(std::move(head), std::string(R"({"keys":[]})"));
  });
  EXPECT_EQ(read(url("/keys")).value_or(""), R"({"keys":[]})");
  EXPECT_EQ(outcome(url("/moved")), "unavailable");
}

TEST_F(KeySetReaderTest, TakesNoErrorPageForKeys) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond({500, {}}, std::string(R"({"keys":[]})"));
  });
  EXPECT_EQ(outcome(url("/keys")), "unavailable");
}

TEST_F(KeySetReaderTest, ReadsAQuarterOfAMebibyteAtMost) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    const std::size_t bytes = exchange.request().path() == "/more" ? (256u << 10) + 1 : 256u << 10;
    (void)co_await exchange.respond({200, {}}, std::string(bytes, ' '));
  });
  EXPECT_EQ(outcome(url("/keys")), "ok");
  EXPECT_EQ(outcome(url("/more")), "entity too large");
}

TEST_F(KeySetReaderTest, ConnectsToNoAddressThatIsRuledOut) {
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    (void)co_await exchange.respond({200, {}}, std::string("{}"));
  });
  EXPECT_EQ(outcome("http://0.0.0.0:" + std::to_string(port()) + "/keys"), "unavailable");
}

TEST_F(KeySetReaderTest, DoesNotWaitForAProviderThatKeepsSilent) {
  patience = 300ms;
  serve([](Exchange&) -> asio::awaitable<void> { return sleep_for(std::chrono::hours(1)); });
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(outcome(url("/keys")), "timed out");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);  // the client alone waits a minute
}

// Says how much is to come, sends a part of it and then nothing.
class Stalling final : public BodyReader {
 public:
  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (given_) co_await sleep_for(std::chrono::hours(1));
    given_ = true;
    out[0] = std::byte{'{'};
    co_return 1;
  }
  std::optional<std::uint64_t> size() const override { return std::nullopt; }

 private:
  bool given_ = false;
};

TEST_F(KeySetReaderTest, DoesNotWaitForAProviderThatStopsMidway) {
  patience = 300ms;
  serve([](Exchange& exchange) -> asio::awaitable<void> {
    std::unique_ptr<BodyReader> body = std::make_unique<Stalling>();
    (void)co_await exchange.respond({200, {}}, std::move(body), 1000);
  });
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(outcome(url("/keys")), "timed out");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);  // the client alone waits a minute
}

}  // namespace
}  // namespace holdfast::cli

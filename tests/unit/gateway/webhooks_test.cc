// Webhooks over a store in memory, a clock that the test moves, and an endpoint that the test makes
// refuse, keep silent, or answer.
#include "gateway/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <list>

#include "base/event.h"
#include "base/fd.h"
#include "tests/unit/base/directory.h"
#include "tests/unit/store/store_test.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::ip::tcp;
using store::ManualClock;
using namespace std::chrono_literals;

// Accepts and reads every delivery; what it says is up to the test.
class Endpoint {
 public:
  enum class Mood : std::uint8_t { takes, refuses, keeps_silent, redirects, talks, drips };

  explicit Endpoint(asio::io_context& io)
      : acceptor_(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
    asio::co_spawn(io, accept(), [](std::exception_ptr) {});
  }
  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/hook";
  }

  Mood mood = Mood::takes;
  int asked = 0;
  std::size_t said = 0;           // bytes of endless answers
  std::string elsewhere;          // where it redirects to
  std::vector<std::string> keys;  // of what it took, in order

 private:
  asio::awaitable<void> accept() {
    for (;;) {
      auto& socket = sockets_.emplace_back(co_await acceptor_.async_accept(asio::use_awaitable));
      asio::co_spawn(acceptor_.get_executor(), serve(socket), [](std::exception_ptr) {});
    }
  }
  asio::awaitable<void> serve(tcp::socket& socket) {
    std::string text;
    const auto head = co_await asio::async_read_until(socket, asio::dynamic_buffer(text),
                                                      "\r\n\r\n", asio::use_awaitable);
    const auto from = text.find("Content-Length: ") + 16;
    const auto length = std::stoul(text.substr(from, text.find("\r\n", from) - from));
    while (text.size() < head + length) {
      char more[4096];
      const auto got = co_await socket.async_read_some(asio::buffer(more), asio::use_awaitable);
      text.append(more, got);
    }
    ++asked;
    if (mood == Mood::keeps_silent) co_return;  // and keeps the connection
    if (mood == Mood::talks || mood == Mood::drips) co_return co_await go_on_talking(socket);
    if (mood == Mood::redirects) {
      const std::string moved = "HTTP/1.1 307 Moved\r\nLocation: " + elsewhere +
                                "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      co_await asio::async_write(socket, asio::buffer(moved), asio::use_awaitable);
      socket.close();
      co_return;
    }
    const bool takes = mood == Mood::takes;
    if (takes) {
      keys.emplace_back(json::parse(text.substr(head)).at("Key").as_string());
    }
    const std::string answer = std::string("HTTP/1.1 ") + (takes ? "200 OK" : "503 Busy") +
                               "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
    socket.close();
  }

  // Takes the event and answers without an end: as fast as it is read, or a byte now and then.
  asio::awaitable<void> go_on_talking(tcp::socket& socket) {
    const bool drips = mood == Mood::drips;
    const std::string piece(drips ? 1 : 64u << 10, 'x');
    std::string next = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
    for (;;) {
      said += co_await asio::async_write(socket, asio::buffer(next), asio::use_awaitable);
      next = piece;
      if (drips) co_await sleep_for(10ms);
    }
  }

  tcp::acceptor acceptor_;
  std::list<tcp::socket> sockets_;
};

class WebhooksTest : public ::testing::Test {
 protected:
  WebhooksTest() {
    options.targets = {{"x", endpoint.url(), ""}, {"y", other.url(), ""}};
    options.region = "us-east-1";
    options.position_file = directory.path() + "/positions.json";
    options.first_retry = 1ms;
    options.longest_retry = 5ms;
    for (const char* name : {"one", "two"}) {
      EXPECT_TRUE(run(memory.create_bucket(BucketName(name), false)));
    }
  }
  ~WebhooksTest() override { end(); }

  void begin() {
    webhooks.emplace(io.get_executor(), Webhooks::Parts{memory, pool, clock, random}, options);
    run(none(webhooks->start()));
  }
  void end() {
    if (webhooks) run(none(webhooks->stop()));
    webhooks.reset();
  }
  static asio::awaitable<int> none(asio::awaitable<void> task) {
    co_await std::move(task);
    co_return 0;
  }
  template <class T>
  T run(asio::awaitable<T> task) {
    std::optional<T> answer;
    asio::co_spawn(io, std::move(task),
                   [&](std::exception_ptr, T value) { answer.emplace(std::move(value)); });
    EXPECT_TRUE(becomes([&] { return answer.has_value(); }));
    return std::move(answer).value();
  }
  // Lets all go on until the condition holds.
  ::testing::AssertionResult becomes(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return ::testing::AssertionFailure() << json::serialize(webhooks->status());
      }
      io.restart();
      io.run_one_for(10ms);
    }
    return ::testing::AssertionSuccess();
  }
  static std::string notify(const std::string& target) {
    return "<NotificationConfiguration><QueueConfiguration><Id>r</Id>"
           "<Queue>arn:holdfast:sqs::" +
           target +
           ":webhook</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>"
           "</NotificationConfiguration>";
  }
  // As NotifyingStore does it.
  void configure(const std::string& bucket, const std::string& target) {
    const auto xml = notify(target);
    auto rules = webhooks->check(xml);
    ASSERT_TRUE(rules) << rules.error().context;
    ASSERT_TRUE(run(webhooks->prepare(BucketName(bucket), *rules)));
    ASSERT_TRUE(run(
        memory.set_bucket_document(BucketName(bucket), store::BucketDocument::notification, xml)));
    run(none(webhooks->reload(BucketName(bucket))));
  }
  // Whether the line was in the file when prepare() had answered.
  asio::awaitable<bool> add(std::string bucket, std::vector<NotificationRule> rules) {
    const auto prepared = co_await webhooks->prepare(BucketName(bucket), std::move(rules));
    const bool durable = prepared && written().contains(bucket);
    (void)co_await memory.set_bucket_document(BucketName(bucket),
                                              store::BucketDocument::notification, notify("x"));
    co_await webhooks->reload(BucketName(bucket));
    co_return durable;
  }
  void put(const std::string& bucket, const std::string& key) {
    auto body = make_string_reader("x");
    ASSERT_TRUE(run(memory.put({.bucket = BucketName(bucket), .key = ObjectKey(key)}, *body)));
  }
  std::uint64_t count(const std::string& bucket, std::string_view what) const {
    for (const auto& row : webhooks->status()) {
      if (row.at("bucket") == json::value(bucket)) return row.at(what).to_number<std::uint64_t>();
    }
    return 0;
  }
  std::map<std::string, std::uint64_t> written() const {
    std::map<std::string, std::uint64_t> rows;
    const auto text = read_file(options.position_file);
    for (const auto& row : json::parse(text.value_or("[]")).as_array()) {
      rows[std::string(row.at("bucket").as_string())] = row.at("after").to_number<std::uint64_t>();
    }
    return rows;
  }

  asio::io_context io;
  ManualClock clock;
  SeededRandom random{7};
  BlockingPool pool{2};
  store::MemoryStore memory{io.get_executor(), clock, random, {.feed_entries = 8}};
  test::Directory directory;
  Endpoint endpoint{io}, other{io};
  WebhookOptions options;
  std::optional<Webhooks> webhooks;
};

TEST_F(WebhooksTest, AnEventThatNobodyTakesForThreeDaysIsGivenUpAndTheNextComes) {
  begin();
  configure("one", "x");
  endpoint.mood = Endpoint::Mood::refuses;
  put("one", "lost");
  ASSERT_TRUE(becomes([&] { return count("one", "failed") > 0; }));
  clock.advance(72h);
  const auto before = endpoint.asked;
  ASSERT_TRUE(becomes([&] { return endpoint.asked > before + 2; }));
  EXPECT_EQ(count("one", "lost"), 0u) << "three days are not over yet";
  clock.advance(1s);
  ASSERT_TRUE(becomes([&] { return count("one", "lost") == 1; }));
  put("one", "next");
  endpoint.mood = Endpoint::Mood::takes;
  ASSERT_TRUE(becomes([&] { return count("one", "delivered") == 1; }));
  EXPECT_EQ(endpoint.keys, std::vector<std::string>{"one/next"});
  EXPECT_EQ(count("one", "lost"), 1u);
  end();
  begin();
  put("one", "last");
  ASSERT_TRUE(becomes([&] { return count("one", "delivered") == 1; }));
  EXPECT_EQ(endpoint.keys, (std::vector<std::string>{"one/next", "one/last"}))
      << "what was given up does not come back";
}

TEST_F(WebhooksTest, AFeedThatNoLongerTellsWhatCameIsCountedAndFollowedFromItsEnd) {
  begin();
  configure("one", "x");
  put("one", "first");
  ASSERT_TRUE(becomes([&] { return count("one", "delivered") == 1; }));
  end();
  for (int i = 0; i < 20; ++i) put("one", "unseen" + std::to_string(i));  // the feed keeps 8
  begin();
  ASSERT_TRUE(becomes([&] { return count("one", "lost") == 1; }));
  put("one", "after");
  ASSERT_TRUE(becomes([&] { return count("one", "delivered") == 1; }));
  EXPECT_EQ(endpoint.keys, (std::vector<std::string>{"one/first", "one/after"}));
  EXPECT_EQ(count("one", "lost"), 1u);
}

TEST_F(WebhooksTest, AnEndpointThatAcceptsAndNeverAnswersIsCutAndHoldsUpNoOther) {
  options.answer_timeout = 100ms;
  begin();
  configure("one", "x");
  configure("two", "y");
  endpoint.mood = Endpoint::Mood::keeps_silent;
  put("one", "a");
  put("one", "b");
  ASSERT_TRUE(becomes([&] { return endpoint.asked > 0; }));
  put("two", "elsewhere");
  ASSERT_TRUE(becomes([&] { return count("two", "delivered") == 1; }));
  // Each attempt ends at its deadline, and another follows.
  ASSERT_TRUE(becomes([&] { return count("one", "failed") >= 2; }));
  EXPECT_EQ(count("one", "delivered"), 0u);
  endpoint.mood = Endpoint::Mood::takes;
  ASSERT_TRUE(becomes([&] { return count("one", "delivered") == 2; }));
  // At least once: an answer may come after its deadline.
  const auto again = std::ranges::unique(endpoint.keys);
  endpoint.keys.erase(again.begin(), again.end());
  EXPECT_EQ(endpoint.keys, (std::vector<std::string>{"one/a", "one/b"}));
  EXPECT_FALSE(other.keys.empty());
  EXPECT_THAT(other.keys, ::testing::Each("two/elsewhere"));
}

TEST_F(WebhooksTest, ARedirectIsNotFollowed) {
  begin();
  configure("one", "x");
  endpoint.mood = Endpoint::Mood::redirects;
  endpoint.elsewhere = other.url();
  put("one", "a");
  ASSERT_TRUE(becomes([&] { return count("one", "failed") >= 1; }));
  EXPECT_EQ(other.asked, 0);
  EXPECT_EQ(count("one", "delivered"), 0u);
}

TEST_F(WebhooksTest, AnAddressThatIsRuledOutIsNotReached) {
  const auto url = endpoint.url();
  options.targets[0].url = "http://0.0.0.0" + url.substr(url.rfind(':'));
  begin();
  configure("one", "x");
  put("one", "a");
  ASSERT_TRUE(becomes([&] { return count("one", "failed") >= 1; }));
  EXPECT_EQ(endpoint.asked, 0);
}

// What an endpoint says beside its status does not matter, however much or slowly it says it.
TEST_F(WebhooksTest, AnAnswerWithoutAnEndIsCutInSizeAndInTime) {
  options.answer_timeout = 100ms;
  begin();
  configure("one", "x");
  endpoint.mood = Endpoint::Mood::talks;
  put("one", "a");
  ASSERT_TRUE(becomes([&] { return count("one", "delivered") == 1; }));
  EXPECT_LT(endpoint.said, std::size_t{16} << 20);
  configure("two", "y");
  other.mood = Endpoint::Mood::drips;
  put("two", "b");
  ASSERT_TRUE(becomes([&] { return count("two", "delivered") == 1; }));
}

TEST_F(WebhooksTest, OnlyConfiguredTargetsAreNotified) {
  begin();
  for (const char* other : {"formerly", "http://127.0.0.1/"}) {
    const auto checked = webhooks->check(notify(other));
    ASSERT_FALSE(checked) << other;
    EXPECT_EQ(checked.error().code, ErrorCode::invalid_argument);
  }
  // One that stands in the store, from when it was configured.
  ASSERT_TRUE(run(memory.set_bucket_document(BucketName("one"), store::BucketDocument::notification,
                                             notify("formerly"))));
  run(none(webhooks->reload(BucketName("one"))));
  put("one", "a");
  EXPECT_EQ(webhooks->status().size(), 0u);
  EXPECT_TRUE(written().empty());
}

TEST_F(WebhooksTest, AStopEndsWhileAnEndpointKeepsSilentAndItsEventComesAfterTheNextStart) {
  options.answer_timeout = 100ms;
  begin();
  configure("one", "x");
  endpoint.mood = Endpoint::Mood::keeps_silent;
  put("one", "a");
  ASSERT_TRUE(becomes([&] { return endpoint.asked > 0; }));
  end();
  endpoint.mood = Endpoint::Mood::takes;
  begin();
  ASSERT_TRUE(becomes([&] { return count("one", "delivered") == 1; }));
  EXPECT_EQ(endpoint.keys, std::vector<std::string>{"one/a"});
}

// Many at once: their saves and reloads wait for each other.
TEST_F(WebhooksTest, EachLineIsDurableWhenItsConfigurationMayBeStored) {
  begin();
  constexpr int buckets = 40;
  int done = 0, missing = 0;
  const auto rules = webhooks->check(notify("x"));
  ASSERT_TRUE(rules);
  for (int i = 0; i < buckets; ++i) {
    const auto name = "bucket-" + std::to_string(i);
    ASSERT_TRUE(run(memory.create_bucket(BucketName(name), false)));
    asio::co_spawn(io, add(name, *rules), [&](std::exception_ptr, bool durable) {
      ++done;
      missing += durable ? 0 : 1;
    });
  }
  ASSERT_TRUE(becomes([&] { return done == buckets; }));
  EXPECT_EQ(missing, 0);
  EXPECT_EQ(webhooks->status().size(), static_cast<std::size_t>(buckets));
}

TEST_F(WebhooksTest, ALineThatIsTakenBackIsForgottenDurably) {
  begin();
  configure("one", "x");
  ASSERT_TRUE(written().contains("one"));
  ASSERT_TRUE(
      run(memory.set_bucket_document(BucketName("one"), store::BucketDocument::notification, "")));
  run(none(webhooks->reload(BucketName("one"))));
  EXPECT_TRUE(webhooks->status().empty());
  ASSERT_TRUE(becomes([&] { return !written().contains("one"); }));
  put("one", "untold");
  configure("one", "x");
  put("one", "told");
  ASSERT_TRUE(becomes([&] { return count("one", "delivered") == 1; }));
  EXPECT_EQ(endpoint.keys, std::vector<std::string>{"one/told"});
}

}  // namespace
}  // namespace holdfast::gateway

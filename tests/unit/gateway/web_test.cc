#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "gateway/deleted_groups.h"
#include "gateway/web_cookies.h"
#include "gateway/web_pages.h"
#include "gateway/web_request.h"
#include "store/memory_store.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;

TEST(Cookies, AreFoundByTheirWholeName) {
  net::Headers headers;
  headers.add("Cookie", "a=1; __Host-holdfast-tool=t; __Host-holdfast=s");
  EXPECT_EQ(cookie_value(headers, "__Host-holdfast"), "s");
  EXPECT_EQ(cookie_value(headers, "__Host-holdfast-tool"), "t");
  EXPECT_EQ(cookie_value(headers, "__Host"), "");
}

TEST(Cookies, OfOursNeverReachATool) {
  EXPECT_EQ(without_cookies("_xsrf=2|x; __Host-holdfast=s; __Host-holdfast-tool=t; b=2",
                            "__Host-holdfast"),
            "_xsrf=2|x; b=2");
  EXPECT_EQ(without_cookies("__Host-holdfast=s", "__Host-holdfast"), "");
}

TEST(Cookies, AreForOneHostAndNotForScripts) {
  const auto cookie = set_cookie({"__Host-holdfast", "v", 60});
  EXPECT_NE(cookie.find("; HttpOnly"), std::string::npos);
  EXPECT_NE(cookie.find("; Secure"), std::string::npos);
  EXPECT_NE(cookie.find("; Path=/"), std::string::npos);
  EXPECT_EQ(cookie.find("Domain"), std::string::npos);
}

TEST(Pages, EscapeWhatComesFromOutside) {
  EXPECT_EQ(escape_html("<img src=x onerror='a()'>\"&"),
            "&lt;img src=x onerror=&#39;a()&#39;&gt;&quot;&amp;");
}

TEST(Keys, ThatAreNoUtf8AreGivenRawToo) {
  EXPECT_TRUE(is_utf8("ünïcode 🚀"));
  EXPECT_FALSE(is_utf8("\xff"));
  EXPECT_FALSE(is_utf8("\xc0\xaf"));      // overlong
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));  // a surrogate
  EXPECT_FALSE(is_utf8("cut \xe2\x82"));  // truncated
  boost::json::object out;
  set_key(out, "key", "a\xff");
  EXPECT_EQ(out.at("key").as_string(), "a%FF");
  EXPECT_EQ(out.at("key_raw").as_string(), "Yf8=");
  const auto back = key_field(out);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->value, "a\xff");
}

TEST(Places, AreWrittenAsOnTheCommandLine) {
  const BucketName homes("homes");
  const auto home = parse_place("home:alice/a b/c", homes);
  ASSERT_TRUE(home);
  EXPECT_EQ(home->bucket, homes);
  EXPECT_EQ(home->path, "alice/a b/c");
  const auto bucket = parse_place("s3://research/x/", homes);
  ASSERT_TRUE(bucket);
  EXPECT_EQ(bucket->path, "x/");
  for (const auto* wrong : {"", "alice/x", "home:", "home:/x", "s3://", "s3:///x"}) {
    EXPECT_FALSE(parse_place(wrong, homes)) << wrong;
  }
}

// A clock that moves by a second at each look.
class StepClock final : public Clock {
 public:
  TimePoint now() const override { return at_ += step; }
  MonotonicTime monotonic() const override { return {}; }
  mutable TimePoint at_{std::chrono::seconds(1'700'000'000)};
  std::chrono::seconds step{1};
};

class Deleted : public testing::Test {
 protected:
  template <class T>
  T run(asio::awaitable<T> work) {
    auto future = asio::co_spawn(context_, std::move(work), asio::use_future);
    context_.restart();
    context_.run();
    return future.get();
  }
  void SetUp() override {
    ASSERT_TRUE(run(store_.create_bucket(bucket_, false)));
    ASSERT_TRUE(run(store_.set_versioning(bucket_, store::Versioning::enabled)));
  }
  void put(const std::string& key) {
    auto body = make_string_reader("12345");
    ASSERT_TRUE(run(store_.put({.bucket = bucket_, .key = ObjectKey(key)}, *body)));
  }
  void remove(const std::string& key) {
    ASSERT_TRUE(run(store_.remove({.bucket = bucket_, .key = ObjectKey(key)})));
  }

  asio::io_context context_;
  StepClock clock_;
  SeededRandom random_{1};
  store::MemoryStore store_{context_.get_executor(), clock_, random_, {}};
  BucketName bucket_{"homes"};
};

TEST_F(Deleted, AWholeDirectoryIsOneRow) {
  for (const auto* key : {"al/t/", "al/t/a", "al/t/c/", "al/t/c/b", "al/keep"}) put(key);
  for (const auto* key : {"al/t/a", "al/t/c/b", "al/t/c/", "al/t/"}) remove(key);
  const auto groups = run(deleted_groups(store_, bucket_, "al/"));
  ASSERT_TRUE(groups);
  ASSERT_EQ(groups->size(), 1u);
  EXPECT_EQ(groups->front().path, "al/t/");
  EXPECT_TRUE(groups->front().directory);
  EXPECT_EQ(groups->front().count, 2u);
  EXPECT_EQ(groups->front().bytes, 10u);
  EXPECT_LT(groups->front().restore_at(), groups->front().first);
}

TEST_F(Deleted, AFileInADirectoryThatLivesOnIsARowOfItsOwn) {
  for (const auto* key : {"al/t/a", "al/t/b"}) put(key);
  remove("al/t/a");
  const auto groups = run(deleted_groups(store_, bucket_, "al/"));
  ASSERT_TRUE(groups);
  ASSERT_EQ(groups->size(), 1u);
  EXPECT_EQ(groups->front().path, "al/t/a");
  EXPECT_FALSE(groups->front().directory);
}

TEST_F(Deleted, DeletionsFarApartAreSeparateRowsNewestFirst) {
  for (const auto* key : {"al/t/a", "al/t/b"}) put(key);
  remove("al/t/a");
  clock_.at_ += std::chrono::hours(1);
  remove("al/t/b");
  const auto groups = run(deleted_groups(store_, bucket_, "al/"));
  ASSERT_TRUE(groups);
  ASSERT_EQ(groups->size(), 2u);
  EXPECT_GT((*groups)[0].last, (*groups)[1].last);
  EXPECT_EQ((*groups)[0].count, 1u);
}

}  // namespace
}  // namespace holdfast::gateway

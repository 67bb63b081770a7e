#include "store/s3_store.h"

#include <fmt/format.h>

#include <boost/asio/use_future.hpp>

#include <deque>
#include <mutex>

#include "net/http_server.h"
#include "net/io_pool.h"
#include "store_test.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

struct Canned {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// An endpoint that answers what a test has laid out, and remembers what it was asked.
class S3StoreTest : public StoreTest {
 protected:
  S3StoreTest() {
    auto server = net::HttpServer::listen(
        pool_, {}, [this](net::Exchange& exchange) { return answer(exchange); });
    if (!server) throw std::runtime_error(server.error().context);
    server_ = std::move(*server);
    store_ = open(server_->endpoint().port());
  }
  ~S3StoreTest() override {
    store_.reset();
    stop();
    pool_.stop();
  }

  std::unique_ptr<S3Store> open(unsigned port, S3StoreOptions options = {}) {
    options.endpoint = fmt::format("http://127.0.0.1:{}", port);
    auto store = S3Store::open(io_.get_executor(), options, credentials_, clock_);
    if (!store) throw std::runtime_error(store.error().context);
    return std::move(*store);
  }
  void stop() {
    if (!server_) return;
    boost::asio::co_spawn(pool_.at(0), server_->stop(0ms), boost::asio::use_future).wait();
    server_.reset();
  }
  void will_answer(Canned canned) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(canned));
  }
  net::RequestHead asked() {
    const std::lock_guard lock(mutex_);
    return asked_.back();
  }
  GetRequest object(const std::string& key = "k") {
    return {.bucket = bucket_, .key = ObjectKey(key)};
  }
  std::string read(const std::string& key = "k") {
    auto got = run(store_->get(object(key)));
    if (!got) return "<" + outcome(got) + ">";
    auto reader = make_reader(std::move(got->body));
    auto text = run(read_all(*reader, 1 << 20));
    return text ? *text : "<" + outcome(text) + ">";
  }

  FixedCredentials credentials_{{"AKTEST", "secret", "token"}};
  net::IoPool pool_{1};
  std::mutex mutex_;
  std::deque<Canned> answers_;
  std::vector<net::RequestHead> asked_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<S3Store> store_;

 private:
  Canned take(const net::RequestHead& head) {
    const std::lock_guard lock(mutex_);
    asked_.push_back(head);
    if (answers_.empty()) return {.status = 500};
    Canned canned = std::move(answers_.front());
    answers_.pop_front();
    return canned;
  }
  boost::asio::awaitable<void> answer(net::Exchange& exchange) {
    (void)co_await read_all(exchange.body(), 64u << 20);
    Canned canned = take(exchange.request());
    net::ResponseHead head{.status = canned.status};
    for (const auto& [name, value] : canned.headers) head.headers.add(name, value);
    (void)co_await exchange.respond(std::move(head), std::move(canned.body));
  }
};

std::string error_document(const std::string& code) {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>m</Message></Error>";
}

TEST_F(S3StoreTest, ConnectsToNoAddressThatIsRuledOut) {
  S3StoreOptions options;
  options.endpoint = fmt::format("http://0.0.0.0:{}", server_->endpoint().port());
  options.reach = net::Reach::not_link_local;
  auto store = S3Store::open(io_.get_executor(), options, credentials_, clock_);
  ASSERT_TRUE(store);
  EXPECT_EQ(outcome(run((*store)->head(object()))), "unavailable");
}

TEST_F(S3StoreTest, AnEndpointThatCannotBeReachedIsUnavailableNeverMissing) {
  const auto port = server_->endpoint().port();
  stop();
  auto store = open(port);
  EXPECT_EQ(outcome(run(store->get(object()))), "unavailable");
  EXPECT_EQ(outcome(run(store->head(object()))), "unavailable");
  EXPECT_EQ(outcome(run(store->head_bucket(bucket_))), "unavailable");
  EXPECT_EQ(outcome(run(store->list({.bucket = bucket_}))), "unavailable");
  EXPECT_EQ(outcome(run(store->changes({.bucket = bucket_}))), "unavailable");
}

TEST_F(S3StoreTest, AnEndpointThatIsNoUrlIsRefusedAtOnce) {
  for (const char* bad : {"", "127.0.0.1:7070", "ftp://host", "http://"}) {
    S3StoreOptions options;
    options.endpoint = bad;
    EXPECT_EQ(outcome(S3Store::open(io_.get_executor(), options, credentials_, clock_)),
              "invalid argument")
        << bad;
  }
}

TEST_F(S3StoreTest, ErrorsKeepTheMeaningThatTheirCodeHas) {
  const auto refused_with = [&](unsigned status, const std::string& code) {
    will_answer({status, {}, code.empty() ? "" : error_document(code)});
    return outcome(run(store_->get(object())));
  };
  EXPECT_EQ(refused_with(404, "NoSuchKey"), "no such key");
  EXPECT_EQ(refused_with(404, "NoSuchBucket"), "no such bucket");
  EXPECT_EQ(refused_with(403, "AccessDenied"), "access denied");
  EXPECT_EQ(refused_with(503, "SlowDown"), "throttled");
  EXPECT_EQ(refused_with(503, ""), "unavailable");
  EXPECT_EQ(refused_with(412, "PreconditionFailed"), "precondition failed");
  EXPECT_EQ(refused_with(304, ""), "not modified");
  will_answer({404, {}, ""});
  EXPECT_EQ(outcome(run(store_->head(object()))), "no such key");
}

TEST_F(S3StoreTest, AKeyGoesEncodedOnceAndEveryRequestIsSigned) {
  will_answer({200, {{"ETag", "\"abc\""}}, "text"});
  EXPECT_EQ(read("a b/%41?#/../é"), "text");
  const auto head = asked();
  EXPECT_EQ(head.target, "/homes/a%20b/%2541%3F%23/../%C3%A9");
  EXPECT_TRUE(head.headers.get("Authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKTEST/"));
  EXPECT_EQ(head.headers.get("x-amz-security-token"), "token");
  EXPECT_EQ(head.headers.all("Host").size(), 1u);
}

TEST_F(S3StoreTest, BytesThatDoNotMatchTheirChecksumAreAnError) {
  will_answer({200, {{"ETag", "\"5d41402abc4b2a76b9719d911017c592\""}}, "hello"});
  EXPECT_EQ(read(), "hello");
  will_answer({200, {{"ETag", "\"5d41402abc4b2a76b9719d911017c592\""}}, "jello"});
  EXPECT_EQ(read(), "<corrupted>");
  will_answer({200, {{"ETag", "\"x-2\""}, {"x-amz-checksum-crc32c", "mnG7TA=="}}, "hello"});
  EXPECT_EQ(read(), "hello");
  will_answer({200, {{"ETag", "\"x-2\""}, {"x-amz-checksum-crc32c", "mnG7TA=="}}, "jello"});
  EXPECT_EQ(read(), "<corrupted>");
  will_answer({200, {{"ETag", "\"x-2\""}}, "jello"});
  EXPECT_EQ(read(), "jello") << "there is nothing to compare with";
}

TEST_F(S3StoreTest, AnAnswerThatNamesOtherBytesThanWereSentIsAnError) {
  will_answer({200, {{"ETag", "\"00000000000000000000000000000000\""}}, ""});
  auto body = make_string_reader("hello");
  EXPECT_EQ(outcome(run(store_->put({.bucket = bucket_, .key = ObjectKey("k")}, *body))),
            "checksum mismatch");
}

TEST_F(S3StoreTest, AnObjectTooLongForOneCopyIsCopiedInPartsOfOneVersion) {
  store_ = open(server_->endpoint().port(), {.copy_bytes = 10});
  const std::string initiated =
      "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
  const std::string part = "<CopyPartResult><ETag>\"p\"</ETag></CopyPartResult>";
  const Canned source = {
      200, {{"ETag", "\"src-2\""}, {"x-amz-meta-mode", "33188"}}, std::string(25, 'x')};
  will_answer({400, {}, error_document("InvalidRequest")});
  will_answer(source);
  will_answer({200, {}, initiated});
  for (int i = 0; i < 3; ++i) will_answer({200, {}, part});
  will_answer({200,
               {},
               "<CompleteMultipartUploadResult><ETag>\"e-3\"</ETag>"
               "</CompleteMultipartUploadResult>"});
  will_answer({200, {{"ETag", "\"e-3\""}}, std::string(25, 'x')});
  CopyRequest request{.source_bucket = bucket_, .source_key = ObjectKey("from")};
  request.bucket = bucket_;
  request.key = ObjectKey("to");
  request.conditions.if_none_match_any = true;
  const auto done = run(store_->copy(std::move(request)));
  ASSERT_EQ(outcome(done), "ok");
  EXPECT_EQ(done->etag.value, "e-3");
  EXPECT_EQ(done->size, 25u);
  ASSERT_EQ(asked_.size(), 8u);
  EXPECT_EQ(asked_[2].headers.get("x-amz-meta-mode"), "33188");
  for (int i = 0; i < 3; ++i) {
    const auto& head = asked_[static_cast<std::size_t>(3 + i)];
    const char* ranges[] = {"bytes=0-9", "bytes=10-19", "bytes=20-24"};
    EXPECT_EQ(head.headers.get("x-amz-copy-source-range"), ranges[i]);
    EXPECT_EQ(head.headers.get("x-amz-copy-source-if-match"), "\"src-2\"");
  }
  EXPECT_EQ(asked_[6].headers.get("if-none-match"), "*");
}

TEST_F(S3StoreTest, ACopyThatIsRefusedForAnotherReasonStaysRefused) {
  will_answer({400, {}, error_document("InvalidRequest")});
  will_answer({200, {{"ETag", "\"src\""}}, "short"});
  CopyRequest request{.source_bucket = bucket_, .source_key = ObjectKey("from")};
  request.bucket = bucket_;
  request.key = ObjectKey("to");
  EXPECT_EQ(outcome(run(store_->copy(std::move(request)))), "invalid argument");
}

TEST_F(S3StoreTest, AnEndpointThatIgnoresAPartNumberIsNotBelieved) {
  GetRequest request = object();
  request.part_number = 2;
  will_answer({200, {{"ETag", "\"e-2\""}}, "the whole object"});
  EXPECT_EQ(outcome(run(store_->get(request))), "not supported");
}

TEST_F(S3StoreTest, AMissingVersionAndAMarkerAreToldApartFromAMissingKey) {
  GetRequest request = object();
  request.version = VersionId("v1");
  will_answer({404, {}, error_document("NoSuchKey")});
  EXPECT_EQ(outcome(run(store_->get(request))), "no such version");
  will_answer({404, {{"x-amz-delete-marker", "true"}}, error_document("NoSuchKey")});
  EXPECT_EQ(outcome(run(store_->get(request))), "method not allowed");
}

TEST_F(S3StoreTest, TheChangeFeedIsReadLineByLine) {
  will_answer({200,
               {{"x-holdfast-next", "12"}},
               R"({"sequence":11,"kind":"put","key":"YS9i","version":"v1","etag":"e","size":5,)"
               R"("time":"2026-11-22T05:00:00.5Z"})"
               "\n"
               R"({"sequence":12,"kind":"delete_marker","key":"/w==","version":"v2"})"
               "\n"});
  const auto page =
      run(store_->changes({.bucket = bucket_, .prefix = "a/", .after = 10, .wait = 1500ms}));
  ASSERT_EQ(outcome(page), "ok");
  EXPECT_EQ(asked().target, "/homes?events=s3%3A%2A&prefix=a%2F&since=10&wait=2");
  ASSERT_EQ(page->changes.size(), 2u);
  EXPECT_EQ(page->changes[0].key.value, "a/b");
  EXPECT_EQ(page->changes[0].size, 5u);
  EXPECT_EQ(page->changes[1].kind, ChangeKind::delete_marker);
  EXPECT_EQ(page->changes[1].key.value, "\xff");
  EXPECT_EQ(page->next, 12u);
  EXPECT_FALSE(page->reset);
  will_answer({200, {{"x-holdfast-next", "40"}, {"x-holdfast-reset", "true"}}, ""});
  EXPECT_TRUE(run(store_->changes({.bucket = bucket_, .after = 1}))->reset);
}

TEST_F(S3StoreTest, AnEndpointWithoutTheExtensionHasNoFeed) {
  const auto feed = [&] { return outcome(run(store_->changes({.bucket = bucket_, .after = 1}))); };
  will_answer({501, {}, error_document("NotImplemented")});
  EXPECT_EQ(feed(), "not supported");
  will_answer({400, {}, error_document("InvalidArgument")});
  EXPECT_EQ(feed(), "not supported");
  will_answer({200, {}, "<ListBucketResult></ListBucketResult>"});
  EXPECT_EQ(feed(), "not supported");
  will_answer({404, {}, error_document("NoSuchBucket")});
  EXPECT_EQ(feed(), "no such bucket");
  will_answer({403, {}, error_document("AccessDenied")});
  EXPECT_EQ(feed(), "access denied");
  will_answer({200, {}, "<ListAllMyBucketsResult/>"});
  EXPECT_EQ(outcome(run(store_->access(0, 0ms))), "not supported");
}

TEST_F(S3StoreTest, TheAccessFeedTellsWhatMayBeSeen) {
  will_answer({200,
               {},
               R"({"epoch":7,"principal":"alice","visible":[{"bucket":"research",)"
               R"("prefix":"public/","level":"read","not_after":null},{"bucket":"team",)"
               R"("prefix":"","level":"write","not_after":"2026-12-01T00:00:00Z"}]})"});
  const auto page = run(store_->access(6, 30s));
  ASSERT_EQ(outcome(page), "ok");
  EXPECT_EQ(asked().target, "/?holdfast-access=&epoch=6&wait=30");
  EXPECT_EQ(page->epoch, 7u);
  EXPECT_EQ(page->principal.value, "alice");
  ASSERT_EQ(page->visible.size(), 2u);
  EXPECT_EQ(page->visible[0].prefix, "public/");
  EXPECT_FALSE(page->visible[0].not_after.has_value());
  EXPECT_EQ(page->visible[1].level, AccessLevel::write);
  EXPECT_TRUE(page->visible[1].not_after.has_value());
}

}  // namespace
}  // namespace holdfast::store

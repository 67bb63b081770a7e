// Which signed URLs of the console name the endpoint behind the gateway, and which stay here. The
// endpoint is a real server that does what a test asks of it.
#include <fmt/format.h>

#include <boost/asio/use_future.hpp>

#include "net/http_server.h"
#include "s3/names.h"
#include "store/direct_urls.h"
#include "web_api_fixture.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using control::Level;
using control::testing::administrator;
using control::testing::as;

// Answers the probe of direct URLs as an endpoint does that looks at signatures.
struct Endpoint {
  std::atomic<bool> obeys_unsigned_headers{false};
  std::atomic<bool> admits_the_console{false};
  std::atomic<int> preflights{0};
  std::mutex mutex;
  std::vector<s3::QueryParameters> asked_of_sts;

  boost::asio::awaitable<void> answer(net::Exchange& exchange) {
    const auto& request = exchange.request();
    net::ResponseHead head{.status = 200, .headers = {}};
    std::string body;
    const auto sent = co_await read_all(exchange.body(), 1 << 20);
    if (request.method == "POST") {
      const std::scoped_lock lock(mutex);
      asked_of_sts.push_back(s3::parse_query(sent.value_or("")).value_or(s3::QueryParameters()));
      body =
          "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>LENT</AccessKeyId>"
          "<Expiration>2027-01-15T09:00:00Z</Expiration><SecretAccessKey>S</SecretAccessKey>"
          "<SessionToken>T</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    } else if (request.method == "OPTIONS") {
      ++preflights;
      head.status = admits_the_console ? 200 : 403;
      head.headers.add("Access-Control-Allow-Origin", request.headers.get("Origin"));
      head.headers.add("Access-Control-Allow-Methods", "GET, PUT");
      head.headers.add("Access-Control-Expose-Headers", "etag");
    } else if (request.headers.has("x-amz-copy-source") && !obeys_unsigned_headers) {
      head.status = 403;
    } else if (request.method == "GET") {
      head.status = request.target.ends_with("versionId=null") ? 403 : 200;
      body = "holdfast";
    }
    co_await exchange.respond(std::move(head), std::move(body));
  }
};

// alice writes, dora drops, erin has nothing, fred reads for two more minutes.
class WebDirect : public WebApiTest {
 protected:
  WebDirect() {
    auto listening = net::HttpServer::listen(
        threads, {}, [this](net::Exchange& exchange) { return endpoint.answer(exchange); });
    EXPECT_TRUE(listening);
    server = std::move(*listening);
    for (const char* name : {"alice", "dora", "erin", "fred"}) user(name);
    EXPECT_TRUE(run(store.create_bucket(homes, false)));
    EXPECT_TRUE(run(store.set_versioning(homes, store::Versioning::enabled)));
    EXPECT_TRUE(registry->add_grant(administrator(), wanted("alice", "", Level::write)));
    EXPECT_TRUE(registry->add_grant(administrator(), wanted("dora", "", Level::drop)));
    auto ending = wanted("fred", "", Level::read);
    ending.not_after = clock.now() + 120s;
    EXPECT_TRUE(registry->add_grant(administrator(), ending));
  }
  ~WebDirect() override {
    api.reset();
    boost::asio::co_spawn(threads.at(0), server->stop(0ms), boost::asio::use_future).wait();
    server.reset();
    threads.stop();
  }

  // Once the endpoint is as the test wants it.
  void open(std::string address = {}) {
    store::DirectOptions options{.names = {"hf-", {}}};
    const auto here = fmt::format("http://127.0.0.1:{}", server->endpoint().port());
    options.endpoint = address.empty() ? here : address;
    options.lend_writes = lend_writes;
    if (with_sts) {
      sts = std::move(*store::StsClient::open({.endpoint = here, .role = "arn:aws:iam:::role/r"},
                                              credentials, clock));
    }
    auto opened = store::DirectUrls::open(std::move(options), credentials, clock, sts.get());
    ASSERT_TRUE(opened);
    direct = std::move(*opened);
    EXPECT_TRUE(run([](store::DirectUrls& urls, store::ObjectStore& at,
                       BucketName in) -> boost::asio::awaitable<bool> {
      co_await urls.probe(at, std::move(in));
      co_return true;
    }(*direct, store, homes)));
    begin_serving(direct.get());
  }

  Result<ApiAnswer> ask(const control::Actor& who, std::vector<std::string> path, json::object body,
                        std::string session = {}) {
    return post({.actor = who, .session_id = std::move(session)}, std::move(path), key,
                std::move(body));
  }
  // "direct", "gateway", or the refusal's name.
  std::string way(const Result<ApiAnswer>& answer) {
    if (!answer) return std::string(to_string(answer.error().code));
    const auto& body = answer->body.as_object();
    const auto& url = body.contains("url") ? body.at("url") : body.at("urls").at("7");
    const bool there =
        url.as_string().starts_with(direct->hosts() + "/hf-research/dir/big%20file?");
    const bool here = url.as_string().starts_with("http://localhost:7070/research/dir/big%20file?");
    EXPECT_EQ(body.at("direct").as_bool(), there);
    EXPECT_NE(here, there) << url.as_string();
    EXPECT_EQ(body.at("seconds").as_int64(), there ? 300 : 900);
    return there ? "direct" : "gateway";
  }
  std::string read(const std::string& who, json::object body = {}) {
    return way(ask(as(who), {"files", "sign"}, std::move(body)));
  }
  std::string part(const std::string& who, const std::string& session = {}) {
    auto upload = begin_upload(who, key);
    if (!upload) return std::string(to_string(upload.error().code));
    return way(
        ask(as(who), {"uploads", "sign"}, {{"upload_id", *upload}, {"numbers", {7}}}, session));
  }
  Result<ApiAnswer> lend(const std::string& who, json::object body = {}) {
    return call({.actor = as(who)}, {"credentials"}, std::move(body));
  }
  // What STS was asked last.
  std::string asked(std::string_view parameter) {
    const std::scoped_lock lock(endpoint.mutex);
    if (endpoint.asked_of_sts.empty()) return "nothing";
    const auto* value = s3::find_query(endpoint.asked_of_sts.back(), parameter);
    return value != nullptr ? *value : "";
  }
  std::vector<control::AuditEvent> given(std::string_view action = "direct.url") {
    auto events = registry->audit().tail(100, {.actor = {}, .action = std::string(action)});
    EXPECT_TRUE(events);
    return events.value_or(std::vector<control::AuditEvent>());
  }
  void put_policy(const std::string& effect, const std::string& action) {
    EXPECT_TRUE(run(store.set_bucket_document(
        bucket, store::BucketDocument::policy,
        R"({"Version":"2012-10-17","Statement":[{"Effect":")" + effect +
            R"(","Principal":{"AWS":"arn:aws:iam::000000000000:user/erin"},"Action":")" + action +
            R"(","Resource":"arn:aws:s3:::research/*"}]})")));
  }

  const std::string key = "dir/big file";
  Endpoint endpoint;
  net::IoPool threads{1};
  std::unique_ptr<net::HttpServer> server;
  BucketName homes{"homes"};
  store::FixedCredentials credentials{{"AKUP", "secret", ""}};
  bool with_sts = false, lend_writes = false;
  std::unique_ptr<store::StsClient> sts;
  std::unique_ptr<store::DirectUrls> direct;
};

TEST_F(WebDirect, DownloadsAndPartsNameTheEndpoint) {
  open();
  EXPECT_EQ(read("alice"), "direct");
  EXPECT_EQ(read("alice", {{"version", "v1"}}), "direct");
  EXPECT_EQ(part("alice"), "direct");
  EXPECT_EQ(way(ask(administrator(), {"files", "sign"}, {})), "direct");
}

TEST_F(WebDirect, ADirectDownloadAlwaysComesAsAnAttachment) {
  open();
  const auto url = [&](json::object body) {
    body["attachment"] = false;
    auto answer = ask(as("alice"), {"files", "sign"}, std::move(body));
    return answer ? std::string(answer->body.at("url").as_string()) : "";
  };
  EXPECT_NE(url({}).find("response-content-disposition=attachment"), std::string::npos);
  EXPECT_EQ(url({{"direct", false}}).find("disposition"), std::string::npos);
}

TEST_F(WebDirect, AWholePutStaysHereForTheFeedWouldMissIt) {
  open();
  EXPECT_EQ(read("alice", {{"method", "PUT"}, {"metadata", {{"mtime", "1"}}}}), "gateway");
}

TEST_F(WebDirect, WhoHasNoGrantGetsNoUrlOfEitherKind) {
  open();
  EXPECT_EQ(read("erin"), "access denied");
  EXPECT_EQ(part("erin"), "access denied");
  EXPECT_EQ(read("dora"), "access denied");
  EXPECT_TRUE(given().empty());
}

TEST_F(WebDirect, WhatADropGrantAllowsStaysHere) {
  open();
  EXPECT_EQ(part("dora"), "gateway");
}

TEST_F(WebDirect, ABucketWithAPolicyStaysHere) {
  put_policy("Deny", "s3:GetObject");
  open();
  EXPECT_EQ(read("alice"), "gateway");
  EXPECT_EQ(part("alice"), "gateway");
}

TEST_F(WebDirect, WhatOnlyAPolicyAllowsStaysHere) {
  put_policy("Allow", "s3:GetObject");
  open();
  EXPECT_EQ(read("erin"), "gateway");
}

TEST_F(WebDirect, AGrantThatEndsBeforeTheUrlWouldStaysHere) {
  open();
  EXPECT_EQ(read("fred"), "gateway");
}

TEST_F(WebDirect, WhoAsksForTheGatewayGetsIt) {
  open();
  EXPECT_EQ(read("alice", {{"direct", false}}), "gateway");
}

TEST_F(WebDirect, PartsStayHereWhereTheEndpointObeysHeadersThatNobodySigned) {
  endpoint.obeys_unsigned_headers = true;
  open();
  EXPECT_EQ(part("alice"), "gateway");
  EXPECT_EQ(read("alice"), "direct");
}

TEST_F(WebDirect, NothingIsDirectWhereTheEndpointWasNotSeenToTakeIt) {
  open("http://127.0.0.1:1");
  EXPECT_EQ(read("alice"), "gateway");
  EXPECT_EQ(part("alice"), "gateway");
}

TEST_F(WebDirect, ABrowserSendsPartsOnlyWhereTheEndpointsCorsLetsIt) {
  open();
  EXPECT_EQ(part("alice", "session-1"), "gateway");
  endpoint.admits_the_console = true;
  EXPECT_EQ(part("alice", "session-1"), "gateway");  // remembered
  EXPECT_EQ(endpoint.preflights, 1);
  clock.advance(61s);
  EXPECT_EQ(part("alice", "session-1"), "direct");
  EXPECT_EQ(part("alice", "session-1"), "direct");
  EXPECT_EQ(endpoint.preflights, 2);
}

TEST_F(WebDirect, TheAuditSaysThatAUrlWasGiven) {
  open();
  EXPECT_EQ(read("alice"), "direct");
  EXPECT_EQ(part("alice"), "direct");
  EXPECT_EQ(read("alice", {{"direct", false}}), "gateway");
  const auto events = given();
  ASSERT_EQ(events.size(), 2u);
  for (const auto& event : events) {
    EXPECT_EQ(event.actor.value, "alice");
    EXPECT_EQ(event.target, "research/dir/big file");
    EXPECT_GT(event.grant, 0);
    EXPECT_EQ(event.outcome, "ok");
  }
  EXPECT_NE(events.front().detail.find(R"("parts":[7])"), std::string::npos);
  EXPECT_NE(events.back().detail.find(R"("method":"GET")"), std::string::npos);
  EXPECT_NE(events.back().detail.find(R"("seconds":300)"), std::string::npos);
}

// --- with STS

TEST_F(WebDirect, WithStsAPartIsSignedByAKeyThatCanDoNoMoreThanPutIt) {
  with_sts = true;
  open();
  EXPECT_EQ(part("alice"), "direct");
  EXPECT_EQ(asked("Policy"),
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject"],)"
            R"("Resource":["arn:aws:s3:::hf-research/dir/big file"]}]})");
  EXPECT_EQ(asked("DurationSeconds"), "900");
}

TEST_F(WebDirect, NobodyIsLentAnythingWithoutSts) {
  open();
  EXPECT_EQ(code(lend("alice")), ErrorCode::not_supported);
}

TEST_F(WebDirect, WhatIsLentSaysWhatIsGranted) {
  with_sts = lend_writes = true;
  open();
  const auto lent = lend("alice", {{"bucket", "research"}, {"prefix", "dir/"}, {"seconds", 1'000}});
  ASSERT_TRUE(lent) << lent.error().context;
  EXPECT_EQ(lent->body.at("access_key_id").as_string(), "LENT");
  EXPECT_EQ(lent->body.at("session_token").as_string(), "T");
  EXPECT_EQ(lent->body.at("places").at(0).at("upstream_bucket").as_string(), "hf-research");
  EXPECT_EQ(lent->body.at("places").at(0).at("level").as_string(), "write");
  EXPECT_EQ(asked("DurationSeconds"), "1000");
  EXPECT_EQ(asked("RoleSessionName"), "holdfast-alice");
  EXPECT_NE(asked("Policy").find("arn:aws:s3:::hf-research/dir/*"), std::string::npos);
  EXPECT_EQ(asked("Policy").find("arn:aws:s3:::hf-research/*"), std::string::npos);
  EXPECT_NE(asked("Policy").find("s3:PutObject"), std::string::npos);
  const auto events = given("direct.credentials");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].target, "alice");
  EXPECT_NE(events[0].detail.find("LENT"), std::string::npos);
  EXPECT_EQ(events[0].detail.find("\"S\""), std::string::npos);
}

TEST_F(WebDirect, WhatIsLentOnlyReadsUnlessTheAdministratorSaysMore) {
  with_sts = true;
  open();
  ASSERT_TRUE(lend("alice", {{"bucket", "research"}}));
  EXPECT_NE(asked("Policy").find("s3:GetObject"), std::string::npos);
  EXPECT_EQ(asked("Policy").find("s3:PutObject"), std::string::npos);
}

TEST_F(WebDirect, NothingIsLentForADropGrantAPolicyOrAGrantThatEnds) {
  with_sts = lend_writes = true;
  open();
  for (const char* who : {"dora", "erin", "fred"}) {
    EXPECT_EQ(code(lend(who, {{"bucket", "research"}})), ErrorCode::access_denied) << who;
  }
  put_policy("Deny", "s3:GetObject");
  EXPECT_TRUE(run([](BucketRulesBook& book, BucketName name) -> boost::asio::awaitable<bool> {
    co_await book.reload(std::move(name));
    co_return true;
  }(rules, bucket)));
  EXPECT_EQ(code(lend("alice", {{"bucket", "research"}})), ErrorCode::access_denied);
  EXPECT_TRUE(given("direct.credentials").empty());
}

TEST_F(WebDirect, NobodyIsLentWhatIsAnothersOrForLongerThanAnHour) {
  with_sts = true;
  open();
  EXPECT_EQ(code(lend("alice", {{"user", "fred"}})), ErrorCode::access_denied);
  EXPECT_EQ(code(lend("alice", {{"seconds", 3'601}})), ErrorCode::invalid_argument);
  EXPECT_EQ(code(lend("alice", {{"seconds", 899}})), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace holdfast::gateway

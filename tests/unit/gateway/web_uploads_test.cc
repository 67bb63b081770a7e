// Uploads in parts through the console's API: whose they are.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>

#include "control/publisher.h"
#include "control/sessions.h"
#include "gateway/web_api.h"
#include "store/memory_store.h"
#include "tests/unit/control/fixtures.h"

namespace holdfast::gateway {
namespace {

using control::Level;
using control::testing::administrator;
using control::testing::as;

// alice writes, dora drops, carol may put by the bucket's policy alone.
class WebUploads : public control::testing::RegistryTest {
 protected:
  WebUploads() {
    EXPECT_TRUE(publisher.attach(*registry));
    sessions = std::move(*control::Sessions::open(*registry, clock, random));
    for (const char* name : {"alice", "dora", "carol"}) user(name);
    EXPECT_TRUE(run(store.create_bucket(bucket, false)));
    EXPECT_TRUE(registry->add_grant(administrator(), wanted("alice", "", Level::write)));
    EXPECT_TRUE(registry->add_grant(administrator(), wanted("dora", "", Level::drop)));
    EXPECT_TRUE(run(store.set_bucket_document(
        bucket, store::BucketDocument::policy,
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":)"
        R"("arn:aws:iam::000000000000:user/carol"},"Action":"s3:PutObject",)"
        R"("Resource":"arn:aws:s3:::research/*"}]})")));
    EXPECT_TRUE(run(rules.load()));
    api.emplace(WebApiParts{.store = store,
                            .registry = *registry,
                            .sessions = *sessions,
                            .policy = publisher,
                            .tools = nullptr,
                            .pool = pool,
                            .clock = clock,
                            .homes = {},
                            .rules = &rules},
                WebApiOptions{});
  }
  template <class T>
  T run(boost::asio::awaitable<T> task) {
    std::optional<T> answer;
    boost::asio::co_spawn(context, std::move(task), [&](const std::exception_ptr&, T value) {
      answer.emplace(std::move(value));
    });
    context.restart();
    context.run();
    return std::move(answer).value();
  }
  Result<ApiAnswer> post(const std::string& who, const std::string& route,
                         boost::json::object body) {
    body["bucket"] = "research";
    body["key"] = "big";
    return run(api->call({.method = "POST",
                          .path = {"uploads", route},
                          .query = {},
                          .body = std::move(body),
                          .caller = {.actor = as(who)}}));
  }
  std::string begin(const std::string& who) {
    auto begun = run(api->call({.method = "POST",
                                .path = {"uploads"},
                                .query = {},
                                .body = {{"bucket", "research"}, {"key", "big"}, {"size", 10}},
                                .caller = {.actor = as(who)}}));
    EXPECT_TRUE(begun) << begun.error().context;
    if (!begun) return {};
    return std::string(begun->body.at("upload_id").as_string());
  }
  ErrorCode outcome(const std::string& who, const std::string& route, const std::string& upload) {
    boost::json::object body{{"upload_id", upload}, {"parts", boost::json::array{}}};
    return code(post(who, route, std::move(body)));
  }

  boost::asio::io_context context;
  control::PolicyPublisher publisher{clock};
  std::unique_ptr<control::Sessions> sessions;
  BlockingPool pool{1};
  store::MemoryStore store{context.get_executor(), clock, random};
  BucketName bucket{"research"};
  BucketRulesBook rules{store, PublicAccessBlock()};
  std::optional<WebApi> api;
};

TEST_F(WebUploads, WhoMayOnlyDropOrPutByAPolicyHandlesTheirOwn) {
  for (const char* who : {"dora", "carol"}) {
    const auto upload = begin(who);
    EXPECT_TRUE(post(who, "parts", {{"upload_id", upload}})) << who;
    EXPECT_TRUE(post(who, "abort", {{"upload_id", upload}})) << who;
  }
}

TEST_F(WebUploads, UploadsOfOthersAreNotThere) {
  const auto upload = begin("alice");
  for (const char* who : {"dora", "carol"}) {
    for (const char* route : {"parts", "complete", "abort"}) {
      EXPECT_EQ(outcome(who, route, upload), ErrorCode::no_such_upload) << who << " " << route;
    }
    boost::json::object body{{"upload_id", upload}, {"numbers", {1}}};
    EXPECT_EQ(code(post(who, "sign", std::move(body))), ErrorCode::no_such_upload) << who;
  }
  EXPECT_TRUE(post("alice", "abort", {{"upload_id", upload}}));
}

TEST_F(WebUploads, HoldersOfAGrantToWriteAndAdministratorsHandleAll) {
  const auto first = begin("carol");
  EXPECT_TRUE(post("alice", "parts", {{"upload_id", first}}));
  EXPECT_TRUE(post("alice", "abort", {{"upload_id", first}}));
  const auto second = begin("dora");
  auto aborted =
      run(api->call({.method = "POST",
                     .path = {"uploads", "abort"},
                     .query = {},
                     .body = {{"bucket", "research"}, {"key", "big"}, {"upload_id", second}},
                     .caller = {.actor = administrator(), .admin = true}}));
  EXPECT_TRUE(aborted);
}

}  // namespace
}  // namespace holdfast::gateway

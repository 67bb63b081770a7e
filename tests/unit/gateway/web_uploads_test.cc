// Uploads in parts through the console's API: whose they are.
#include "web_api_fixture.h"

namespace holdfast::gateway {
namespace {

using control::Level;
using control::testing::administrator;
using control::testing::as;

// alice writes, dora drops, carol may put by the bucket's policy alone.
class WebUploads : public WebApiTest {
 protected:
  WebUploads() {
    for (const char* name : {"alice", "dora", "carol"}) user(name);
    EXPECT_TRUE(registry->add_grant(administrator(), wanted("alice", "", Level::write)));
    EXPECT_TRUE(registry->add_grant(administrator(), wanted("dora", "", Level::drop)));
    EXPECT_TRUE(run(store.set_bucket_document(
        bucket, store::BucketDocument::policy,
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":)"
        R"("arn:aws:iam::000000000000:user/carol"},"Action":"s3:PutObject",)"
        R"("Resource":"arn:aws:s3:::research/*"}]})")));
    begin_serving();
  }
  Result<ApiAnswer> ask(const std::string& who, const std::string& route,
                        boost::json::object body) {
    return post({.actor = as(who)}, {"uploads", route}, "big", std::move(body));
  }
  std::string begin(const std::string& who) {
    auto upload = begin_upload(who, "big");
    EXPECT_TRUE(upload) << upload.error().context;
    return upload.value_or("");
  }
  ErrorCode outcome(const std::string& who, const std::string& route, const std::string& upload) {
    boost::json::object body{{"upload_id", upload}, {"parts", boost::json::array{}}};
    return code(ask(who, route, std::move(body)));
  }
};

TEST_F(WebUploads, WhoMayOnlyDropOrPutByAPolicyHandlesTheirOwn) {
  for (const char* who : {"dora", "carol"}) {
    const auto upload = begin(who);
    EXPECT_TRUE(ask(who, "parts", {{"upload_id", upload}})) << who;
    EXPECT_TRUE(ask(who, "abort", {{"upload_id", upload}})) << who;
  }
}

TEST_F(WebUploads, UploadsOfOthersAreNotThere) {
  const auto upload = begin("alice");
  for (const char* who : {"dora", "carol"}) {
    for (const char* route : {"parts", "complete", "abort"}) {
      EXPECT_EQ(outcome(who, route, upload), ErrorCode::no_such_upload) << who << " " << route;
    }
    boost::json::object body{{"upload_id", upload}, {"numbers", {1}}};
    EXPECT_EQ(code(ask(who, "sign", std::move(body))), ErrorCode::no_such_upload) << who;
  }
  EXPECT_TRUE(ask("alice", "abort", {{"upload_id", upload}}));
}

TEST_F(WebUploads, HoldersOfAGrantToWriteAndAdministratorsHandleAll) {
  const auto first = begin("carol");
  EXPECT_TRUE(ask("alice", "parts", {{"upload_id", first}}));
  EXPECT_TRUE(ask("alice", "abort", {{"upload_id", first}}));
  const auto second = begin("dora");
  EXPECT_TRUE(post({.actor = administrator(), .admin = true}, {"uploads", "abort"}, "big",
                   {{"upload_id", second}}));
}

}  // namespace
}  // namespace holdfast::gateway

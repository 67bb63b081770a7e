// ACLs: whom they open a bucket or an object to, and every guard that holds them back.
#include "gateway/acl.h"

#include <boost/asio/detached.hpp>

#include "s3_fixture.h"
#include "store/fault_store.h"

namespace holdfast::gateway {
namespace {

using control::Level;

constexpr const char* group_uri = "http://acs.amazonaws.com/groups/global/";

class S3Acl : public S3Fixture {
 protected:
  S3Acl() {
    options_.block_public_access = false;
    service_.emplace(store_, policy_, audit_, clock_, random_, options_);
    add_person("carol", Level::read, "elsewhere", "");
    add_person("owner", Level::admin, "research", "");
    policy_.publish(content_);
    put("/research/k", {});
  }
  static net::Headers acl(std::string_view canned) { return header("x-amz-acl", canned); }
  void put(const std::string& path, net::Headers headers) {
    const Answer answer = as("admin", "PUT", path, "text", std::move(headers));
    EXPECT_EQ(answer.status, 200u) << path << answer.body;
  }
  void open_bucket(std::string_view canned) {
    EXPECT_EQ(as("owner", "PUT", "/research?acl", {}, acl(canned)).status, 200u);
  }
  void open_object(std::string_view canned) {
    EXPECT_EQ(as("owner", "PUT", "/research/k?acl", {}, acl(canned)).status, 200u);
  }
  void put_block(const std::string& member) {
    EXPECT_EQ(as("admin", "PUT", "/research?publicAccessBlock",
                 "<PublicAccessBlockConfiguration><" + member + ">true</" + member +
                     "></PublicAccessBlockConfiguration>")
                  .status,
              200u);
  }
  void put_ownership(const std::string& name) {
    EXPECT_EQ(as("admin", "PUT", "/research?ownershipControls",
                 "<OwnershipControls><Rule><ObjectOwnership>" + name +
                     "</ObjectOwnership></Rule></OwnershipControls>")
                  .status,
              200u);
  }
  Answer stranger(const std::string& method, const std::string& target, std::string body = {},
                  net::Headers headers = {}) {
    return send(head_of(method, target, std::move(headers)), std::move(body));
  }
};

TEST_F(S3Acl, WithoutOneEverythingIsPrivate) {
  expect_denied(stranger("GET", "/research/k"));
  expect_denied(stranger("GET", "/research"));
  expect_denied(stranger("PUT", "/research/new", "x"));
  expect_denied(as("carol", "GET", "/research/k"));
  const Answer answer = as("owner", "GET", "/research/k?acl");
  EXPECT_NE(answer.body.find("FULL_CONTROL"), std::string::npos);
  EXPECT_EQ(answer.body.find(group_uri), std::string::npos);
}

TEST_F(S3Acl, AnObjectsAclOpensItForReadingAndNothingElse) {
  open_object("public-read-write");
  EXPECT_EQ(stranger("GET", "/research/k").body, "text");
  EXPECT_EQ(stranger("HEAD", "/research/k").status, 200u);
  EXPECT_EQ(as("carol", "GET", "/research/k").body, "text");
  expect_denied(stranger("PUT", "/research/k", "mine"));
  expect_denied(stranger("DELETE", "/research/k"));
  expect_denied(stranger("GET", "/research/k?acl"));
  expect_denied(stranger("PUT", "/research/k?acl", {}, acl("private")));
  expect_denied(stranger("GET", "/research/k?tagging"));
  expect_denied(
      stranger("GET", "/research/k?attributes", {}, header("x-amz-object-attributes", "ETag")));
  expect_denied(stranger("GET", "/research"));
  open_object("private");
  expect_denied(stranger("GET", "/research/k"));
}

TEST_F(S3Acl, AuthenticatedReadIsForThoseWhoSign) {
  open_object("authenticated-read");
  expect_denied(stranger("GET", "/research/k"));
  EXPECT_EQ(as("carol", "GET", "/research/k").body, "text");
  for (auto& principal : content_.principals) {
    if (principal.name.value == "carol") principal.disabled = true;
  }
  policy_.publish(content_);
  expect_denied(as("carol", "GET", "/research/k"));
}

TEST_F(S3Acl, ABucketsReadListsAndReadsNoObject) {
  open_bucket("public-read");
  EXPECT_EQ(stranger("GET", "/research?list-type=2").status, 200u);
  EXPECT_EQ(stranger("HEAD", "/research").status, 200u);
  EXPECT_EQ(stranger("GET", "/research?versions").status, 200u);
  EXPECT_EQ(stranger("GET", "/research?uploads").status, 200u);
  expect_denied(stranger("GET", "/research/k"));
  expect_denied(stranger("PUT", "/research/new", "x"));
  expect_denied(stranger("GET", "/research?policy"));
  expect_denied(stranger("GET", "/research?acl"));
  expect_denied(stranger("GET", "/research?location"));
  expect_denied(stranger("GET", "/research?events=1&wait=0"));
  expect_denied(stranger("GET", "/other?list-type=2"));
  EXPECT_EQ(stranger("GET", "/research/none").code(), "NoSuchKey") << "who may list may know";
}

TEST_F(S3Acl, ABucketsWriteTakesObjectsAndGivesNothingElse) {
  open_bucket("public-read-write");
  EXPECT_EQ(stranger("PUT", "/research/new", "x").status, 200u);
  expect_denied(stranger("GET", "/research/new"));
  expect_denied(stranger("DELETE", "/research/new"));
  expect_denied(stranger("PUT", "/research/k?tagging", "<Tagging><TagSet/></Tagging>"));
  expect_denied(stranger("PUT", "/research?acl", {}, acl("public-read-write")));
  expect_denied(stranger("PUT", "/research?versioning"));
  expect_denied(stranger("DELETE", "/research"));
  expect_denied(
      stranger("PUT", "/research/locked", "x", header("x-amz-object-lock-legal-hold", "ON")));
}

// Whoever comes by an ACL may open what they write, as AWS's writer owns it; never what is there.
TEST_F(S3Acl, AWriterByAclOpensOnlyWhatItWrites) {
  open_bucket("public-read-write");
  EXPECT_EQ(stranger("PUT", "/research/new", "x", acl("public-read")).status, 200u);
  EXPECT_EQ(stranger("GET", "/research/new").body, "x");
  expect_denied(stranger("PUT", "/research/k?acl", {}, acl("public-read")));
  expect_denied(as("carol", "PUT", "/research/k?acl", {}, acl("public-read")));
  expect_denied(stranger("GET", "/research/k"));
  net::Headers copy = header("x-amz-copy-source", "/research/k");
  copy.add("x-amz-acl", "public-read");
  expect_denied(as("carol", "PUT", "/research/stolen", {}, copy));
}

TEST_F(S3Acl, UploadsByAclAreOfThoseWhoSignAndTheirOwn) {
  open_bucket("public-read-write");
  expect_denied(stranger("POST", "/research/up?uploads"));
  const Answer made = as("owner", "POST", "/research/up?uploads");
  const auto from = made.body.find("<UploadId>") + 10;
  const std::string upload = made.body.substr(from, made.body.find("</UploadId>") - from);
  expect_denied(stranger("PUT", "/research/up?partNumber=1&uploadId=" + upload, "x"));
  EXPECT_EQ(as("carol", "PUT", "/research/up?partNumber=1&uploadId=" + upload, "x").code(),
            "NoSuchUpload");
  EXPECT_EQ(as("carol", "DELETE", "/research/up?uploadId=" + upload).code(), "NoSuchUpload");
  EXPECT_EQ(as("carol", "POST", "/research/own?uploads").status, 200u);
}

TEST_F(S3Acl, ToOpenAnObjectTakesMoreThanToWriteIt) {
  // alice may write all of "research", but not share it.
  expect_denied(as("alice", "PUT", "/research/k?acl", {}, acl("public-read")));
  expect_denied(as("alice", "PUT", "/research/a", "x", acl("public-read")));
  expect_denied(as("alice", "PUT", "/research/a", "x",
                   header("x-amz-grant-read", std::string("uri=") + group_uri + "AllUsers")));
  expect_denied(as("alice", "POST", "/research/a?uploads", {}, acl("authenticated-read")));
  net::Headers copy = header("x-amz-copy-source", "/research/k");
  copy.add("x-amz-acl", "public-read");
  expect_denied(as("alice", "PUT", "/research/a", {}, copy));
  // Hoisted into a presigned URL it is the same.
  const std::string url = presign("PUT", "/research/a?x-amz-acl=public-read", signer("alice"),
                                  std::chrono::seconds(60));
  expect_denied(send(head_of("PUT", url, {}), "x"));
  EXPECT_EQ(as("alice", "PUT", "/research/a", "x", acl("private")).status, 200u);
  expect_denied(stranger("GET", "/research/a"));
}

TEST_F(S3Acl, AHoistedAclIsKeptToo) {
  const std::string url = presign("PUT", "/research/a?x-amz-acl=public-read", signer("owner"),
                                  std::chrono::seconds(60));
  EXPECT_EQ(send(head_of("PUT", url, {}), "x").status, 200u);
  EXPECT_EQ(stranger("GET", "/research/a").body, "x");
}

TEST_F(S3Acl, BlockPublicAclsRefusesThemInEveryRequest) {
  open_object("public-read");
  put_block("BlockPublicAcls");
  for (const char* canned : {"public-read", "public-read-write", "authenticated-read"}) {
    expect_denied(as("admin", "PUT", "/research?acl", {}, acl(canned)));
    expect_denied(as("admin", "PUT", "/research/k?acl", {}, acl(canned)));
    expect_denied(as("admin", "PUT", "/research/k", "x", acl(canned)));
    expect_denied(as("admin", "POST", "/research/k?uploads", {}, acl(canned)));
    net::Headers copy = header("x-amz-copy-source", "/research/k");
    copy.add("x-amz-acl", canned);
    expect_denied(as("admin", "PUT", "/research/c", {}, copy));
  }
  EXPECT_EQ(as("admin", "PUT", "/research/k2", "x", acl("private")).status, 200u);
  EXPECT_EQ(stranger("GET", "/research/k").body, "text") << "what is there stays";
}

TEST_F(S3Acl, IgnorePublicAclsMakesThemVoidAtOnce) {
  open_bucket("public-read-write");
  open_object("public-read");
  put_block("IgnorePublicAcls");
  expect_denied(stranger("GET", "/research/k"));
  expect_denied(as("carol", "GET", "/research/k"));
  expect_denied(stranger("GET", "/research"));
  expect_denied(stranger("PUT", "/research/k", "x"));
  EXPECT_EQ(as("admin", "DELETE", "/research?publicAccessBlock").status, 204u);
  EXPECT_EQ(stranger("GET", "/research/k").body, "text");
}

TEST_F(S3Acl, OwnerEnforcedTurnsAclsOff) {
  open_bucket("public-read");
  open_object("public-read");
  put_ownership("BucketOwnerEnforced");
  expect_denied(stranger("GET", "/research/k"));
  expect_denied(stranger("GET", "/research"));
  for (const char* target : {"/research?acl", "/research/k?acl", "/research/new"}) {
    const Answer answer = as("admin", "PUT", target, {}, acl("public-read"));
    EXPECT_EQ(answer.status, 400u) << target;
    EXPECT_EQ(answer.code(), "AccessControlListNotSupported") << target;
  }
  EXPECT_EQ(as("admin", "PUT", "/research/new", "x", acl("bucket-owner-full-control")).status,
            200u);
  EXPECT_EQ(as("admin", "GET", "/research?acl").body.find(group_uri), std::string::npos);
  EXPECT_EQ(as("admin", "GET", "/research/k?acl").body.find(group_uri), std::string::npos);
  put_ownership("BucketOwnerPreferred");
  EXPECT_EQ(stranger("GET", "/research/k").body, "text");
}

// As a server is set up: two locks, each of which holds alone.
TEST_F(S3Acl, ADefaultServerNeedsBothTheBlockAndTheOwnershipOpened) {
  options_.block_public_access = true;
  service_.emplace(store_, policy_, audit_, clock_, random_, options_);
  expect_denied(as("admin", "PUT", "/research/k?acl", {}, acl("public-read")));
  expect_denied(as("admin", "PUT", "/fresh", {}, acl("public-read")));
  EXPECT_EQ(as("admin", "HEAD", "/fresh").status, 404u) << "refused before it was made";
  EXPECT_EQ(
      as("admin", "PUT", "/research?publicAccessBlock", "<PublicAccessBlockConfiguration/>").status,
      200u);
  EXPECT_EQ(as("admin", "PUT", "/research/k?acl", {}, acl("public-read")).code(),
            "AccessControlListNotSupported");
  put_ownership("BucketOwnerPreferred");
  open_object("public-read");
  EXPECT_EQ(stranger("GET", "/research/k").body, "text");
  EXPECT_EQ(as("admin", "DELETE", "/research?publicAccessBlock").status, 204u);
  expect_denied(stranger("GET", "/research/k"));
}

TEST_F(S3Acl, APolicysDenyStandsAboveThem) {
  open_bucket("public-read");
  open_object("public-read");
  const auto deny = [&](const std::string& action, const std::string& resource) {
    const std::string policy =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":")" +
        action + R"(","Resource":"arn:aws:s3:::)" + resource + R"("}]})";
    EXPECT_EQ(as("admin", "PUT", "/research?policy", policy).status, 204u);
  };
  deny("s3:GetObject", "research/*");
  expect_denied(stranger("GET", "/research/k"));
  deny("s3:ListBucket", "research");
  expect_denied(stranger("GET", "/research"));
  deny("s3:PutObjectAcl", "research/*");
  expect_denied(as("admin", "PUT", "/research/k?acl", {}, acl("public-read")));
  expect_denied(as("admin", "PUT", "/research/n", "x", acl("public-read")));
  deny("s3:PutBucketAcl", "research");
  expect_denied(as("admin", "PUT", "/research?acl", {}, acl("public-read")));
  expect_denied(as("admin", "PUT", "/research", {}, acl("public-read-write")));
}

TEST_F(S3Acl, HomesAreNeverOpened) {
  make_bucket("homes");
  put("/homes/alice/f", {});
  expect_denied(as("admin", "PUT", "/homes?acl", {}, acl("public-read")));
  expect_denied(as("admin", "PUT", "/homes/alice/f?acl", {}, acl("public-read")));
  expect_denied(as("admin", "PUT", "/homes/alice/g", "x", acl("public-read")));
  // Nor by what was written there behind the service's back.
  boost::asio::co_spawn(
      context_,
      [](store::ObjectStore& store) -> boost::asio::awaitable<void> {
        (void)co_await store.set_acl(BucketName("homes"), ObjectKey("alice/f"), std::nullopt,
                                     "everyone-read");
        (void)co_await store.set_bucket_document(BucketName("homes"), store::BucketDocument::acl,
                                                 "everyone-read everyone-write");
      }(store_),
      boost::asio::detached);
  context_.restart();
  context_.run();
  service_.emplace(store_, policy_, audit_, clock_, random_, options_);
  expect_denied(stranger("GET", "/homes/alice/f"));
  expect_denied(stranger("GET", "/homes"));
  expect_denied(as("carol", "GET", "/homes/alice/f"));
  expect_denied(stranger("PUT", "/homes/alice/f", "x"));
}

TEST_F(S3Acl, AKeysScopeIsNotWidened) {
  open_bucket("public-read-write");
  open_object("public-read");
  for (auto& key : content_.keys) {
    if (key.principal.value == "carol") {
      key.scope = control::KeyScope{{{.bucket = BucketName("elsewhere")}}};
    }
  }
  policy_.publish(content_);
  expect_denied(as("carol", "GET", "/research/k"));
  expect_denied(as("carol", "GET", "/research"));
  expect_denied(as("carol", "PUT", "/research/k", "x"));
}

TEST_F(S3Acl, ItIsTheVersionsOwnAclThatCounts) {
  EXPECT_EQ(as("owner", "PUT", "/research?versioning",
               "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
                .status,
            200u);
  const Answer first = as("owner", "PUT", "/research/v", "one", acl("public-read"));
  const Answer second = as("owner", "PUT", "/research/v", "two");
  expect_denied(stranger("GET", "/research/v"));
  const auto at = [](const Answer& answer) {
    return "/research/v?versionId=" + std::string(answer.headers.get("x-amz-version-id"));
  };
  EXPECT_EQ(stranger("GET", at(first)).body, "one");
  expect_denied(stranger("GET", at(second)));
}

// Does something between two requests to the store: before the `nth` of its operation.
class MeanwhilePlan final : public store::FaultPlan {
 public:
  MeanwhilePlan(store::Operation operation, int nth, std::function<void()> act)
      : operation_(operation), left_(nth), act_(std::move(act)) {}
  store::Fault next(store::Operation operation) override {
    if (operation != operation_ || --left_ != 0) return {};
    act_();
    return {.latency = std::chrono::milliseconds(5)};
  }

 private:
  store::Operation operation_;
  int left_;
  std::function<void()> act_;
};

TEST_F(S3Acl, AnObjectThatWasClosedMeanwhileIsNotSent) {
  open_object("public-read");
  // Looked at for its ACL, then read.
  MeanwhilePlan plan(store::Operation::read, 2, [&] {
    boost::asio::co_spawn(context_,
                          store_.set_acl(BucketName("research"), ObjectKey("k"), std::nullopt, {}),
                          boost::asio::detached);
  });
  store::FaultStore closing(store_, plan);
  service_.emplace(closing, policy_, audit_, clock_, random_, options_);
  expect_denied(stranger("GET", "/research/k"));
}

TEST_F(S3Acl, ACopyIsTiedToTheVersionWhoseAclWasJudged) {
  open_object("public-read");
  open_bucket("public-read-write");
  net::Headers copy = header("x-amz-copy-source", "/research/k");
  EXPECT_EQ(as("carol", "PUT", "/research/c", {}, copy).status, 200u);
  expect_denied(stranger("GET", "/research/c"));
  auto secret = make_string_reader("secret");
  MeanwhilePlan plan(store::Operation::write, 1, [&] {
    boost::asio::co_spawn(
        context_, store_.put({.bucket = BucketName("research"), .key = ObjectKey("k")}, *secret),
        boost::asio::detached);
  });
  store::FaultStore replacing(store_, plan);
  service_.emplace(replacing, policy_, audit_, clock_, random_, options_);
  EXPECT_EQ(as("carol", "PUT", "/research/c", {}, copy).code(), "PreconditionFailed");
}

TEST_F(S3Acl, AStrangersFormIsTakenWhereTheBucketIsOpen) {
  const auto form = [&](const std::string& fields) {
    std::string body;
    for (const char* part : {"name=\"key\"\r\n\r\nform.txt\r\n"}) {
      body += std::string("--b\r\nContent-Disposition: form-data; ") + part;
    }
    body += fields;
    body += "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nbar\r\n--b--\r\n";
    return stranger("POST", "/research", body,
                    header("Content-Type", "multipart/form-data; boundary=b"));
  };
  const std::string open =
      "--b\r\nContent-Disposition: form-data; name=\"acl\"\r\n\r\npublic-read\r\n";
  expect_denied(form(open));
  open_bucket("public-read");
  expect_denied(form({}));
  open_bucket("public-read-write");
  EXPECT_EQ(form(open).status, 204u);
  EXPECT_EQ(stranger("GET", "/research/form.txt").body, "bar");
  put_block("BlockPublicAcls");
  expect_denied(form(open));
  EXPECT_EQ(form({}).status, 204u);
  expect_denied(stranger("GET", "/research/form.txt"));
}

TEST_F(S3Acl, GrantsAndBodiesSayTheSameAsCannedOnes) {
  const std::string all = std::string(group_uri) + "AllUsers";
  EXPECT_EQ(
      as("owner", "PUT", "/research/k?acl", {}, header("x-amz-grant-read", "uri=\"" + all + "\""))
          .status,
      200u);
  EXPECT_EQ(stranger("GET", "/research/k").body, "text");
  const std::string told = as("owner", "GET", "/research/k?acl").body;
  EXPECT_NE(told.find(all), std::string::npos);
  open_object("private");
  EXPECT_EQ(as("owner", "PUT", "/research/k?acl", told).status, 200u);
  EXPECT_EQ(stranger("GET", "/research/k").body, "text");
  const auto refused = [&](net::Headers headers) {
    return as("owner", "PUT", "/research/k?acl", {}, std::move(headers)).code();
  };
  EXPECT_EQ(refused(header("x-amz-grant-write-acp", "uri=" + all)), "NotImplemented");
  EXPECT_EQ(refused(header("x-amz-grant-full-control", "uri=" + all)), "NotImplemented");
  EXPECT_EQ(refused(header("x-amz-grant-read", "id=alice")), "NotImplemented");
  EXPECT_EQ(refused(header("x-amz-grant-read", "everyone")), "InvalidArgument");
  EXPECT_EQ(refused(acl("public")), "InvalidArgument");
  net::Headers both = acl("private");
  both.add("x-amz-grant-read", "uri=" + all);
  EXPECT_EQ(refused(both), "InvalidRequest");
}

TEST(Acl, WhatIsKeptReadsBackAndNothingElseOpens) {
  for (const char* name :
       {"", "private", "public-read", "public-read-write", "authenticated-read"}) {
    const auto acl = parse_canned_acl(name);
    ASSERT_TRUE(acl);
    EXPECT_EQ(acl_from_text(to_text(*acl)), *acl) << name;
  }
  EXPECT_EQ(to_text(Acl()), "");
  EXPECT_FALSE(acl_from_text("everyone"));
  EXPECT_FALSE(acl_from_text("everyone-read everyone-delete"));
}

}  // namespace
}  // namespace holdfast::gateway

// The security checklist of the S3 listener: each test fails without its guard.
#include "s3_security_fixture.h"

namespace holdfast::gateway {
namespace {

// --- 1. One switch, before dispatch, default deny

TEST_F(S3Security, WithoutASignatureNothingIsServed) {
  for (const char* method : {"GET", "HEAD", "PUT", "POST", "DELETE"}) {
    for (const char* target : {"/", "/research", "/research/public/p", "/research?policy",
                               "/research?delete", "/no-such-bucket/k"}) {
      const auto answer = send(head_of(method, target, {}), "x");
      EXPECT_TRUE(answer.status == 403 || answer.status == 405) << method << target;
    }
  }
  EXPECT_TRUE(exists("/research/public/p"));
}

TEST_F(S3Security, AnUnsignedTrailerModeDoesNotSkipTheSignature) {
  net::Headers headers;
  headers.add("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
  headers.add("x-amz-decoded-content-length", "1");
  headers.add("x-amz-trailer", "x-amz-checksum-crc32");
  const auto answer = send(head_of("PUT", "/research/k", headers), "1\r\nx\r\n0\r\n\r\n");
  EXPECT_EQ(answer.status, 403u);
  EXPECT_FALSE(exists("/research/k"));
}

TEST_F(S3Security, MixedCredentialsAreRefused) {
  auto head = head_of(
      "GET", presign("GET", "/research/public/p", signer("admin"), std::chrono::seconds(60)), {});
  EXPECT_EQ(send(head).status, 200u);
  head.headers.add("Authorization",
                   "AWS4-HMAC-SHA256 Credential=AKbob/20261122/us-east-1/s3/"
                   "aws4_request, SignedHeaders=host, Signature=0");
  EXPECT_EQ(send(head).status, 400u);
}

TEST_F(S3Security, OldSignatureSchemesAreRefused) {
  // Told by name, not taken for a request without a signature.
  EXPECT_EQ(
      send(head_of("GET", "/research/public/p", header("Authorization", "AWS AKadmin:x"))).status,
      400u);
  EXPECT_EQ(
      send(head_of("GET", "/research/public/p?AWSAccessKeyId=AKadmin&Signature=x&Expires=9", {}))
          .status,
      400u);
}

TEST_F(S3Security, ASignatureCoversMethodTargetHeadersAndBody) {
  const std::string body = "body";
  const auto good = sign(head_of("PUT", "/research/k?tagging=", header("x-amz-meta-a", "1")),
                         signer("admin"), s3::sha256_hex(body));
  auto moved = good;
  moved.target = "/research/other?tagging=";
  EXPECT_EQ(send(moved, body).code(), "SignatureDoesNotMatch");
  auto queried = good;
  queried.target = "/research/k";
  EXPECT_EQ(send(queried, body).code(), "SignatureDoesNotMatch");
  auto method = good;
  method.method = "DELETE";
  EXPECT_EQ(send(method, body).code(), "SignatureDoesNotMatch");
  auto changed = good;
  changed.headers.set("x-amz-meta-a", "2");
  EXPECT_EQ(send(changed, body).code(), "SignatureDoesNotMatch");
  auto added = good;
  added.headers.add("x-amz-meta-b", "unsigned");
  EXPECT_EQ(send(added, body).status, 403u);
  const auto plain = sign(head_of("PUT", "/research/k", {}), signer("admin"), s3::sha256_hex(body));
  EXPECT_EQ(send(plain, "bodY").code(), "XAmzContentSHA256Mismatch");
  EXPECT_FALSE(exists("/research/k"));
}

TEST_F(S3Security, AnEmptyBodyIsHeldToItsDigestToo) {
  const auto head = sign(head_of("PUT", "/research/k", {}), signer("admin"), s3::sha256_hex("x"));
  EXPECT_EQ(send(head, "").code(), "XAmzContentSHA256Mismatch");
  EXPECT_FALSE(exists("/research/k"));
}

TEST_F(S3Security, ClocksMayDifferByFifteenMinutes) {
  const auto head = sign(head_of("GET", "/research/public/p", {}), signer("admin"),
                         std::string(s3::empty_sha256_hex));
  clock_.advance(std::chrono::minutes(14));
  EXPECT_EQ(send(head).status, 200u);
  clock_.advance(std::chrono::minutes(2));
  EXPECT_EQ(send(head).code(), "RequestTimeTooSkewed");
}

// --- Keys

TEST_F(S3Security, AScopeNarrowsWhatItsKeyMayDo) {
  auto& key = add_key("alice", "");
  key.id = AccessKeyId("AKscoped");
  key.secret = "scoped-secret";
  control::Grant only;
  only.bucket = BucketName("research");
  only.prefix = "public/";
  only.level = control::Level::read;
  key.scope = control::KeyScope{{only}};
  republish();
  const auto with_scope = [&](const char* method, const std::string& target) {
    return send(sign(head_of(method, target, {}), {"AKscoped", "scoped-secret", ""},
                     std::string(s3::empty_sha256_hex)));
  };
  EXPECT_EQ(with_scope("GET", "/research/public/p").status, 200u);
  expect_denied(with_scope("GET", "/research/secret/s"));
  expect_denied(with_scope("PUT", "/research/public/new"));
}

// --- 3. One decoded path

TEST_F(S3Security, EncodedPathsAreJudgedAsTheyAreStored) {
  // A key of exactly these bytes, inside public/: not there, and never secret/s.
  EXPECT_EQ(as("bob", "GET", "/research/public%2F..%2Fsecret%2Fs").code(), "NoSuchKey");
  expect_denied(as("bob", "GET", "/research/%73ecret/s"));
  expect_denied(as("bob", "GET", "/research/publicity"));
  EXPECT_EQ(as("bob", "GET", "/research/%70ublic%2Fp").body, "public");
  EXPECT_EQ(as("bob", "GET", "/research/public/../secret/s").code(), "NoSuchKey");
}

TEST_F(S3Security, AnEncodedVersionInACopySourceIsPartOfTheKey) {
  const auto copy = [&](std::string_view source) {
    return as("alice", "PUT", "/research/copy", {}, header("x-amz-copy-source", source));
  };
  EXPECT_EQ(copy("/research/public/p%3FversionId=null").code(), "NoSuchKey");
  EXPECT_EQ(copy("research/public/p").status, 200u);
}

TEST_F(S3Security, ACopySourceThatNamesNoObjectIsRefusedBeforeAnybodyIsJudged) {
  const auto copy = [&](const std::string& target, const std::string& source) {
    return as("bob", "PUT", target, {}, header("x-amz-copy-source", source)).code();
  };
  for (const char* target : {"/research/copy", "/research/copy?partNumber=1&uploadId=u"}) {
    EXPECT_EQ(copy(target, "/Research_/p"), "InvalidBucketName");
    EXPECT_EQ(copy(target, "/research/" + std::string(s3::max_key_bytes + 1, 'k')),
              "InvalidArgument");
    EXPECT_EQ(copy(target, "/research/a%00b"), "InvalidArgument");
    EXPECT_EQ(copy(target, "/research/"), "InvalidArgument");
    EXPECT_EQ(copy(target, "/research/" + std::string(s3::max_key_bytes, 'k')), "AccessDenied");
  }
}

// --- 5. Both sides of copies

TEST_F(S3Security, CopiesNeedBothSides) {
  EXPECT_EQ(as("admin", "PUT", "/other/o", "x").status, 200u);
  expect_denied(as("alice", "PUT", "/research/c", {}, header("x-amz-copy-source", "/other/o")));
  expect_denied(
      as("alice", "PUT", "/other/c", {}, header("x-amz-copy-source", "/research/public/p")));
  expect_denied(as("bob", "PUT", "/research/public/c", {},
                   header("x-amz-copy-source", "/research/public/p")));
  const auto made = as("alice", "POST", "/research/mp?uploads");
  const auto from = made.body.find("<UploadId>") + 10;
  const auto upload = made.body.substr(from, made.body.find("</UploadId>") - from);
  expect_denied(as("alice", "PUT", "/research/mp?partNumber=1&uploadId=" + upload, {},
                   header("x-amz-copy-source", "/other/o")));
}

TEST_F(S3Security, ADropMayNotReadThroughACopy) {
  EXPECT_EQ(as("dora", "PUT", "/research/in/x", "x").status, 200u);
  expect_denied(as("dora", "GET", "/research/in/x"));
  expect_denied(
      as("dora", "PUT", "/research/in/y", {}, header("x-amz-copy-source", "/research/public/p")));
  expect_denied(as("dora", "GET", "/research?versions&prefix=in/"));
}

// --- 6. Versioned access

TEST_F(S3Security, NamingAVersionIsAnotherRight) {
  expect_denied(as("dora", "DELETE", "/research/in/x?versionId=null"));
  expect_denied(as("bob", "DELETE", "/research/public/p?versionId=null"));
  // Who may remove objects may not for that remove their versions.
  expect_denied(as("alice", "DELETE", "/research/public/p?versionId=null"));
  EXPECT_EQ(as("alice", "DELETE", "/research/public/p").status, 204u);
  EXPECT_EQ(as("admin", "GET", "/research/public/p?versionId=").status, 400u);
}

TEST_F(S3Security, HomesKeepTheirVersions) {
  make_bucket("homes");
  for (auto& principal : content_.principals) principal.uid = 1000;
  republish();
  EXPECT_EQ(as("alice", "PUT", "/homes/alice/f", "x").status, 200u);
  EXPECT_EQ(as("alice", "DELETE", "/homes/alice/f").status, 204u);
  expect_denied(as("alice", "DELETE", "/homes/alice/f?versionId=null"));
  expect_denied(as("alice", "GET", "/homes/bob/f"));
  const std::string body =
      "<Delete><Object><Key>alice/f</Key><VersionId>null</VersionId></Object>"
      "</Delete>";
  const auto md5 = to_base64(as_bytes(s3::digest_of(s3::Algorithm::md5, body)));
  const auto answer = as("alice", "POST", "/homes?delete", body, header("Content-MD5", md5));
  EXPECT_NE(answer.body.find("AccessDenied"), std::string::npos);
}

// --- 7. DeleteObjects by key

TEST_F(S3Security, DeletingManyIsJudgedKeyByKey) {
  control::Grant grant;
  grant.id = 99;
  grant.principal = PrincipalName("bob");
  grant.bucket = BucketName("research");
  grant.prefix = "bobs/";
  grant.level = control::Level::write;
  content_.grants.push_back(grant);
  republish();
  put("bobs/b", "x");
  const std::string body =
      "<Delete><Object><Key>bobs/b</Key></Object><Object><Key>secret/s</Key>"
      "</Object><Object><Key>public/p</Key></Object></Delete>";
  const auto md5 = to_base64(as_bytes(s3::digest_of(s3::Algorithm::md5, body)));
  const auto answer = as("bob", "POST", "/research?delete", body, header("Content-MD5", md5));
  EXPECT_EQ(answer.status, 200u);
  EXPECT_FALSE(exists("/research/bobs/b"));
  EXPECT_TRUE(exists("/research/secret/s"));
  EXPECT_TRUE(exists("/research/public/p"));
  EXPECT_EQ(audit_.events.back().outcome, AuditOutcome::denied);
  EXPECT_EQ(as("alice", "POST", "/research?delete", body).status, 400u);  // no digest
  EXPECT_EQ(as("alice", "POST", "/research?delete", body,
               header("Content-MD5", to_base64(as_bytes(std::string(16, 'x')))))
                .code(),
            "BadDigest");
}

// --- 8. Lists

TEST_F(S3Security, ListingsAreJudgedOnTheirPrefix) {
  for (const char* target :
       {"/research", "/research?prefix=", "/research?prefix=public", "/research?prefix=secret/",
        "/research?delimiter=/", "/research?list-type=2&prefix=pub", "/research?versions",
        "/research?uploads", "/research?prefix=secret/&marker=public/", "/research?events=s3%3A%2A",
        "/research?events=s3%3A%2A&since=0&prefix=secret/",
        // "public" begins "publicity" too
        "/research?versions&prefix=public", "/research?events=s3%3A%2A&prefix=public"}) {
    expect_denied(as("bob", "GET", target));
  }
  expect_denied(as("dora", "GET", "/research?uploads&prefix=in"));
  EXPECT_EQ(as("dora", "GET", "/research?uploads&prefix=in/").status, 200u);
  const auto listed = as("bob", "GET", "/research?prefix=public/&marker=&delimiter=/");
  EXPECT_EQ(listed.status, 200u);
  EXPECT_EQ(listed.body.find("publicity"), std::string::npos);
  EXPECT_EQ(listed.body.find("secret"), std::string::npos);
}

TEST_F(S3Security, ATokenDoesNotLeaveThePrefix) {
  const auto token = to_base64url(as_bytes(std::string_view("secret")));
  const auto listed =
      as("bob", "GET", "/research?list-type=2&prefix=public/&continuation-token=" + token);
  EXPECT_EQ(listed.status, 200u);
  EXPECT_EQ(listed.body.find("secret/s"), std::string::npos);
}

TEST_F(S3Security, BucketListsShowOnlyWhatIsVisible) {
  const auto listed = as("bob", "GET", "/");
  EXPECT_NE(listed.body.find("<Name>research</Name>"), std::string::npos);
  EXPECT_EQ(listed.body.find("<Name>other</Name>"), std::string::npos);
}

TEST_F(S3Security, ADenialDoesNotTellWhatExists) {
  const auto present = as("bob", "GET", "/research/secret/s");
  const auto absent = as("bob", "GET", "/research/secret/none");
  const auto bucket = as("bob", "GET", "/no-such-bucket-at-all/k");
  expect_denied(present);
  expect_denied(absent);
  expect_denied(bucket);
  // Whoever sees their own uploads only learns no more of others' from a read.
  expect_denied(as("dora", "GET", "/research/in/none"));
}

// --- 9, 12, 13. Headers

TEST_F(S3Security, ClientHeadersNeverBecomeInternalMetadata) {
  net::Headers headers;
  headers.add("x-holdfast-internal", "1");
  headers.add("x-amz-version-id", "forged");
  headers.add("x-amz-meta-", "nameless");
  EXPECT_EQ(as("alice", "PUT", "/research/m", "x", headers).status, 200u);
  const auto got = as("alice", "GET", "/research/m");
  EXPECT_FALSE(got.headers.has("x-holdfast-internal"));
  EXPECT_NE(got.headers.get("x-amz-version-id"), "forged");
  for (const auto& header : got.headers.items()) {
    EXPECT_FALSE(s3::ascii_lower(header.name).starts_with("x-amz-meta-")) << header.name;
  }
}

TEST_F(S3Security, OverridesCannotSplitTheAnswer) {
  const auto answer =
      as("alice", "GET", "/research/public/p?response-content-type=a%0d%0aSet-Cookie%3a%20x%3d1");
  EXPECT_EQ(answer.status, 400u);
  EXPECT_EQ(as("alice", "GET", "/research/public/p?response-content-type=text%2Fx")
                .headers.get("content-type"),
            "text/x");
}

TEST_F(S3Security, UsersPagesAreSandboxed) {
  EXPECT_EQ(as("alice", "PUT", "/research/x.html", "<script>", header("Content-Type", "text/html"))
                .status,
            200u);
  const auto got = as("bob", "GET", "/research/public/p");
  EXPECT_EQ(got.headers.get("x-content-type-options"), "nosniff");
  EXPECT_EQ(got.headers.get("content-security-policy"), "sandbox");
}

TEST_F(S3Security, OriginsAreNotReflected) {
  const auto got = as("alice", "GET", "/research/public/p", {}, header("Origin", "https://evil"));
  EXPECT_EQ(got.status, 200u);
  EXPECT_FALSE(got.headers.has("access-control-allow-origin"));
  const auto console =
      as("alice", "GET", "/research/public/p", {}, header("Origin", "http://localhost:7080"));
  EXPECT_EQ(console.headers.get("access-control-allow-origin"), "http://localhost:7080");
  EXPECT_FALSE(console.headers.has("access-control-allow-credentials"));
}

// --- 16. Presigned URLs

TEST_F(S3Security, APresignedUrlIsBoundToItsTimeKeyAndQuery) {
  const auto url = presign("GET", "/research/public/p", signer("bob"), std::chrono::seconds(60));
  EXPECT_EQ(send(head_of("GET", url, {})).body, "public");
  EXPECT_EQ(send(head_of("HEAD", url, {})).status, 403u);
  EXPECT_EQ(send(head_of("GET", url + "&versionId=null", {})).status, 403u);
  EXPECT_EQ(send(head_of("GET", url + "&tagging", {})).status, 403u);
  EXPECT_EQ(send(head_of("GET", url + "&response-content-type=text%2Fhtml", {})).status, 403u);
  EXPECT_EQ(send(head_of("GET", url, header("x-amz-checksum-mode", "ENABLED"))).status, 403u);
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(send(head_of("GET", url, {})).status, 403u);
  const auto week =
      presign("GET", "/research/public/p", signer("bob"), std::chrono::hours(24 * 7 + 1));
  EXPECT_GE(send(head_of("GET", week, {})).status, 400u);
}

TEST_F(S3Security, TheEmptyChecksumThatSdksSignIntoUrlsIsNoChecksum) {
  const auto url = presign("PUT",
                           "/research/js?x-amz-checksum-crc32=AAAAAA%3D%3D&"
                           "x-amz-sdk-checksum-algorithm=CRC32",
                           signer("alice"), std::chrono::seconds(60));
  EXPECT_EQ(send(head_of("PUT", url, {}), "not empty").status, 200u);
}

// --- 17. Limits

TEST_F(S3Security, ABodyIsReadOnlyAfterItsRequestWasJudged) {
  const auto head =
      sign(head_of("PUT", "/research/public/new", {}), signer("bob"), s3::sha256_hex("body"));
  MemoryExchange exchange(head, "body");
  expect_denied(run(exchange));
  EXPECT_EQ(exchange.reader.reads, 0);
}

TEST_F(S3Security, LongDocumentsAndEntitiesAreRefused) {
  const std::string bomb =
      "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><Delete><Object><Key>&a;</Key>"
      "</Object></Delete>";
  const auto md5 = to_base64(as_bytes(s3::digest_of(s3::Algorithm::md5, bomb)));
  EXPECT_EQ(as("alice", "POST", "/research?delete", bomb, header("Content-MD5", md5)).code(),
            "MalformedXML");
  const std::string large(3u << 20, 'x');
  const auto large_md5 = to_base64(as_bytes(s3::digest_of(s3::Algorithm::md5, large)));
  EXPECT_EQ(as("alice", "POST", "/research?delete", large, header("Content-MD5", large_md5)).status,
            400u);
}

// --- Audit

TEST_F(S3Security, DenialsAreAuditedWithWhoAndWhat) {
  audit_.events.clear();
  expect_denied(as("bob", "GET", "/research/secret/s"));
  ASSERT_EQ(audit_.events.size(), 1u);
  EXPECT_EQ(audit_.events[0].principal, "bob");
  EXPECT_EQ(audit_.events[0].operation, "GetObject");
  EXPECT_EQ(audit_.events[0].path, "secret/s");
  EXPECT_FALSE(audit_.events[0].reason.empty());
  send(head_of("GET", "/research/secret/s", {}));
  ASSERT_EQ(audit_.events.size(), 2u);
  EXPECT_TRUE(audit_.events[1].principal.empty());
}

}  // namespace
}  // namespace holdfast::gateway

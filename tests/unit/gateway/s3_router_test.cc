#include "gateway/s3_router.h"

#include <gtest/gtest.h>

namespace holdfast::gateway {
namespace {

net::RequestHead head(std::string method, std::string target, std::string host = "127.0.0.1:7070") {
  net::RequestHead request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.add("Host", host);
  return request;
}

HostNames names() { return {{"localhost", "s3.test"}, "us-east-1"}; }

struct Routed {
  std::string bucket, key;
  s3::ApiResult<Operation> operation;
};

Routed routed(const net::RequestHead& request) {
  auto target = parse_target(request, names());
  if (!target) return {{}, {}, std::unexpected(target.error())};
  return {target->bucket.value, target->key.value, route(request, *target)};
}

void expect_operation(const net::RequestHead& request, Operation operation) {
  const auto answer = routed(request);
  ASSERT_TRUE(answer.operation) << request.method << " " << request.target;
  EXPECT_EQ(*answer.operation, operation) << request.method << " " << request.target;
}

void expect_refused(const net::RequestHead& request, s3::ApiError error) {
  const auto answer = routed(request);
  ASSERT_FALSE(answer.operation) << request.method << " " << request.target;
  EXPECT_EQ(answer.operation.error().error, error) << request.method << " " << request.target;
}

TEST(S3Router, EveryOperationHasItsMethodAndSubresource) {
  expect_operation(head("GET", "/"), Operation::list_buckets);
  expect_operation(head("GET", "/?holdfast-access&epoch=1"), Operation::access_feed);
  expect_operation(head("PUT", "/bucket"), Operation::create_bucket);
  expect_operation(head("DELETE", "/bucket/"), Operation::delete_bucket);
  expect_operation(head("HEAD", "/bucket"), Operation::head_bucket);
  expect_operation(head("GET", "/bucket"), Operation::list_objects);
  expect_operation(head("GET", "/bucket?list-type=2"), Operation::list_objects_v2);
  expect_operation(head("GET", "/bucket?versions"), Operation::list_versions);
  expect_operation(head("GET", "/bucket?uploads="), Operation::list_uploads);
  expect_operation(head("GET", "/bucket?events=s3%3A%2A"), Operation::watch_changes);
  expect_operation(head("POST", "/bucket?delete"), Operation::delete_objects);
  expect_operation(head("GET", "/bucket?cors"), Operation::get_document);
  expect_operation(head("PUT", "/bucket?lifecycle"), Operation::put_document);
  expect_operation(head("DELETE", "/bucket?policy"), Operation::delete_document);
  expect_operation(head("GET", "/bucket/k"), Operation::get_object);
  expect_operation(head("PUT", "/bucket/k?tagging"), Operation::put_tagging);
  expect_operation(head("POST", "/bucket/k?uploads"), Operation::create_upload);
  expect_operation(head("PUT", "/bucket/k?partNumber=1&uploadId=u"), Operation::put_part);
  expect_operation(head("GET", "/bucket/k?uploadId=u"), Operation::list_parts);
  expect_operation(head("POST", "/bucket/k?uploadId=u"), Operation::complete_upload);
  expect_operation(head("DELETE", "/bucket/k?uploadId=u"), Operation::abort_upload);
  expect_operation(head("OPTIONS", "/bucket/k"), Operation::preflight);
  auto copy = head("PUT", "/bucket/k");
  copy.headers.add("x-amz-copy-source", "/a-bucket/k");
  expect_operation(copy, Operation::copy_object);
}

TEST(S3Router, WhatIsNotServedIsNeverTakenForThePlainOperation) {
  expect_refused(head("GET", "/bucket/k?torrent"), s3::ApiError::not_implemented);
  expect_refused(head("PUT", "/bucket?replication"), s3::ApiError::not_implemented);
  expect_refused(head("DELETE", "/bucket?website"), s3::ApiError::not_implemented);
  expect_refused(head("DELETE", "/bucket?acl"), s3::ApiError::method_not_allowed);
  expect_refused(head("DELETE", "/bucket?versioning"), s3::ApiError::method_not_allowed);
  expect_refused(head("PATCH", "/bucket/k"), s3::ApiError::method_not_allowed);
  expect_refused(head("POST", "/bucket"), s3::ApiError::method_not_allowed);
}

TEST(S3Router, TwoSubresourcesAreRefused) {
  expect_refused(head("GET", "/bucket/k?acl&tagging"), s3::ApiError::invalid_request);
  expect_refused(head("DELETE", "/bucket?cors&policy"), s3::ApiError::invalid_request);
}

TEST(S3Router, TheSameParameterTwiceIsRefused) {
  expect_refused(head("GET", "/bucket/k?versionId=a&versionId=b"), s3::ApiError::invalid_argument);
  expect_refused(head("GET", "/bucket?prefix=a&pre%66ix=b"), s3::ApiError::invalid_argument);
}

TEST(S3Router, QueriesAreBounded) {
  std::string query = "/bucket?a0";
  for (int i = 1; i < 65; ++i) query += "&a" + std::to_string(i);
  expect_refused(head("GET", query), s3::ApiError::invalid_argument);
}

TEST(S3Target, AKeyIsDecodedExactlyOnce) {
  EXPECT_EQ(routed(head("GET", "/bucket/a%2Fb%252F+c")).key, "a/b%2F+c");
  EXPECT_EQ(routed(head("GET", "/bucket//x/../y")).key, "/x/../y");
  EXPECT_EQ(routed(head("GET", "/bucket/..%2F..%2Fx")).key, "../../x");
  expect_refused(head("GET", "/bucket/a%zz"), s3::ApiError::invalid_uri);
  expect_refused(head("GET", "/bucket/a%00b"), s3::ApiError::invalid_uri);
  expect_refused(head("GET", "/bucket/k?a=%f"), s3::ApiError::invalid_uri);
  expect_refused(head("GET", "/buck%zzet/k"), s3::ApiError::invalid_uri);
  expect_refused(head("GET", "bucket/k"), s3::ApiError::invalid_uri);  // no path
}

TEST(S3Target, ABucketNameCannotHideASlash) {
  expect_refused(head("GET", "/buck%2Fet/k"), s3::ApiError::invalid_bucket_name);
  expect_refused(head("GET", "/../k"), s3::ApiError::invalid_bucket_name);
  expect_refused(head("GET", "/B_ad/k"), s3::ApiError::invalid_bucket_name);
  expect_refused(head("GET", "//k"), s3::ApiError::invalid_bucket_name);
}

TEST(S3Target, LongKeysAreRefusedAtTheLimit) {
  EXPECT_TRUE(routed(head("GET", "/bucket/" + std::string(1024, 'k'))).operation);
  expect_refused(head("GET", "/bucket/" + std::string(1025, 'k')), s3::ApiError::key_too_long);
}

TEST(S3Target, HostsNameBucketsAndRegionsDoNot) {
  EXPECT_EQ(bucket_of_host("my-bucket.localhost:7070", names()), "my-bucket");
  EXPECT_EQ(bucket_of_host("My.Bucket.S3.Test", names()), "my.bucket");
  EXPECT_EQ(bucket_of_host("us-east-1.localhost", names()), "");
  EXPECT_EQ(bucket_of_host("eu-central-2.s3.test", names()), "");
  EXPECT_EQ(bucket_of_host("bucket.us-east-1.localhost", names()), "bucket");
  EXPECT_EQ(bucket_of_host("localhost:7070", names()), "");
  EXPECT_EQ(bucket_of_host("127.0.0.1:7070", names()), "");
  EXPECT_EQ(bucket_of_host("[::1]:7070", names()), "");
  EXPECT_EQ(bucket_of_host("evillocalhost", names()), "");
  EXPECT_EQ(routed(head("GET", "/a/b", "bucket.localhost")).key, "a/b");
  EXPECT_EQ(routed(head("GET", "/a/b", "bucket.localhost")).bucket, "bucket");
}

TEST(S3Operation, VersionedAccessIsItsOwnAction) {
  EXPECT_EQ(action_of(Operation::get_object, false), control::Action::read_object);
  EXPECT_EQ(action_of(Operation::get_object, true), control::Action::read_version);
  EXPECT_EQ(action_of(Operation::delete_object, true), control::Action::delete_version);
}

}  // namespace
}  // namespace holdfast::gateway

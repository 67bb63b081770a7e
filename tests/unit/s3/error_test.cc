#include "s3/error.h"

#include <gtest/gtest.h>

#include <set>

#include "s3/results.h"

namespace holdfast::s3 {
namespace {

TEST(ApiErrorTable, EveryErrorHasACodeAStatusAndAMessage) {
  for (int i = 0; i < static_cast<int>(ApiError::count_); ++i) {
    const auto& info = describe(static_cast<ApiError>(i));
    EXPECT_FALSE(info.code.empty()) << i;
    EXPECT_FALSE(info.message.empty()) << info.code;
    EXPECT_TRUE(info.status == 304 || (info.status >= 400 && info.status < 600)) << info.code;
  }
}

TEST(ApiErrorTable, EveryErrorOfHoldfastHasAnAnswer) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    EXPECT_LT(to_s3_error({static_cast<ErrorCode>(i), ""}), ApiError::count_);
  }
  EXPECT_EQ(describe(to_s3_error({ErrorCode::no_space, ""})).status, 507u);
  EXPECT_EQ(describe(to_s3_error({ErrorCode::corrupted, ""})).status, 500u);
  EXPECT_EQ(describe(to_s3_error({ErrorCode::unavailable, ""})).status, 503u);
  EXPECT_EQ(describe(to_s3_error({ErrorCode::throttled, ""})).code, "SlowDown");
}

TEST(ApiErrorTable, ClientsReadBackWhatTheServerMeant) {
  for (const ErrorCode code : {ErrorCode::no_such_bucket,     ErrorCode::no_such_key,
                               ErrorCode::no_such_version,    ErrorCode::no_such_upload,
                               ErrorCode::bucket_exists,      ErrorCode::bucket_not_empty,
                               ErrorCode::invalid_range,      ErrorCode::invalid_part,
                               ErrorCode::invalid_part_order, ErrorCode::entity_too_small,
                               ErrorCode::entity_too_large,   ErrorCode::incomplete_body,
                               ErrorCode::bad_digest,         ErrorCode::precondition_failed,
                               ErrorCode::not_modified,       ErrorCode::access_denied,
                               ErrorCode::no_space,           ErrorCode::throttled,
                               ErrorCode::quota_exceeded,     ErrorCode::method_not_allowed,
                               ErrorCode::not_supported}) {
    const auto& info = describe(to_s3_error({code, ""}));
    EXPECT_EQ(to_error_code(info.code, info.status), code) << info.code;
  }
}

TEST(ApiErrorTable, StatusAloneIsEnoughForHead) {
  EXPECT_EQ(to_error_code("", 404), ErrorCode::not_found);
  EXPECT_EQ(to_error_code("", 412), ErrorCode::precondition_failed);
  EXPECT_EQ(to_error_code("", 503), ErrorCode::unavailable);
}

TEST(ErrorXml, EscapesAndIsReadByTheClientSide) {
  const std::pair<std::string_view, std::string_view> extras[] = {{"BucketName", "b"}};
  const auto text =
      error_xml(ApiError::no_such_key, "no <\"key\"> & so", "/b/<k>\x01", "id-1", extras);
  EXPECT_EQ(text.find("<k>"), std::string::npos);
  EXPECT_NE(text.find("<BucketName>b</BucketName>"), std::string::npos);
  const auto read = parse_error(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->code, "NoSuchKey");
  EXPECT_EQ(read->message, "no <\"key\"> & so");
  EXPECT_EQ(read->resource, "/b/<k>\x01");
  EXPECT_EQ(read->request_id, "id-1");
}

}  // namespace
}  // namespace holdfast::s3

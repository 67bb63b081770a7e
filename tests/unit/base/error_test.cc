#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace holdfast {
namespace {

TEST(Errors, EveryCodeHasANameOfItsOwnAndAnErrno) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_TRUE(names.insert(to_string(code)).second) << to_string(code);
    EXPECT_GT(to_errno(code), 0) << to_string(code);
  }
}

TEST(Errors, AnUnreachableStoreIsNeverNotFound) {
  for (const ErrorCode code : {ErrorCode::unavailable, ErrorCode::timed_out, ErrorCode::throttled,
                               ErrorCode::corrupted, ErrorCode::internal}) {
    EXPECT_NE(to_errno(code), ENOENT) << to_string(code);
  }
  EXPECT_EQ(to_errno(ErrorCode::no_such_key), ENOENT);
}

TEST(Errors, ErrnoBecomesTheCodeThatSaysWhatHappened) {
  EXPECT_EQ(error_from_errno(ENOENT, "open").code, ErrorCode::not_found);
  EXPECT_EQ(error_from_errno(EEXIST, "open").code, ErrorCode::already_exists);
  EXPECT_EQ(error_from_errno(ENOSPC, "write").code, ErrorCode::no_space);
  EXPECT_EQ(error_from_errno(EROFS, "write").code, ErrorCode::read_only);
  EXPECT_EQ(error_from_errno(EACCES, "open").code, ErrorCode::access_denied);
  EXPECT_EQ(error_from_errno(EIO, "read").code, ErrorCode::io);
  EXPECT_NE(error_from_errno(ENOENT, "open /x").context.find("open /x"), std::string::npos);
}

TEST(Errors, ContextGrowsFromTheInsideOut) {
  const Result<void> failed = fail_within("save", Error{ErrorCode::no_space, "write: full"});
  EXPECT_EQ(failed.error().code, ErrorCode::no_space);
  EXPECT_EQ(failed.error().context, "save: write: full");
}

TEST(ErrorsDeathTest, AFailedCheckStopsTheProgramAndSaysWhere) {
  EXPECT_DEATH(HOLDFAST_CHECK(1 + 1 == 3), "error_test.cc.*1 \\+ 1 == 3");
}

}  // namespace
}  // namespace holdfast

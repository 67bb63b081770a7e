#include "base/encoding.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

TEST(Hex, RoundTripsAndRefusesWhatIsNoHex) {
  EXPECT_EQ(to_hex(as_bytes(std::string_view("\x00\xff\x1a", 3))), "00ff1a");
  EXPECT_EQ(from_hex("00FF1a"), std::string("\x00\xff\x1a", 3));
  EXPECT_EQ(from_hex(""), "");
  for (const char* bad : {"0", "0g", "-1", "+1", " 1", "0x"}) EXPECT_FALSE(from_hex(bad)) << bad;
}

TEST(Base64, GivesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(text)), encoded);
    EXPECT_EQ(from_base64(encoded), text);
  }
  EXPECT_EQ(to_base64url(as_bytes("\xfb\xff")), "-_8");
  EXPECT_EQ(from_base64url("-_8"), "\xfb\xff");
}

TEST(Base64, RoundTripsRandomBytes) {
  SeededRandom random(1);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string text(size, '\0');
    random.fill(std::as_writable_bytes(std::span(text)));
    EXPECT_EQ(from_base64(to_base64(as_bytes(text))), text);
    EXPECT_EQ(from_base64url(to_base64url(as_bytes(text))), text);
  }
}

TEST(Base64, DecodingIsStrict) {
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9v\n",
                          "-_8=", "Zg==="}) {
    EXPECT_FALSE(from_base64(bad)) << bad;
  }
  for (const char* bad : {"Z", "Zg==", "Zh", "+/8"}) EXPECT_FALSE(from_base64url(bad)) << bad;
}

TEST(Times, AreWrittenInTheThreeForms) {
  const TimePoint time =
      std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + 4h + 31min + 34s + 123ms;
  EXPECT_EQ(to_rfc3339(time), "2026-11-22T04:31:34.123Z");
  EXPECT_EQ(to_http_date(time), "Sun, 22 Nov 2026 04:31:34 GMT");
  EXPECT_EQ(to_amz_date(time), "20261122T043134Z");
  EXPECT_EQ(from_rfc3339(to_rfc3339(time)), time);
  EXPECT_EQ(from_http_date(to_http_date(time)), time - 123ms);
  EXPECT_EQ(from_amz_date(to_amz_date(time)), time - 123ms);
}

TEST(Times, Rfc3339TakesOffsetsAndFractions) {
  const auto noon = from_rfc3339("2026-01-01T12:00:00Z");
  ASSERT_TRUE(noon);
  EXPECT_EQ(from_rfc3339("2026-01-01T13:30:00+01:30"), noon);
  EXPECT_EQ(from_rfc3339("2026-01-01T11:00:00-01:00"), noon);
  EXPECT_EQ(from_rfc3339("2026-01-01T12:00:00.000000001Z"), *noon + 1ns);
  EXPECT_EQ(to_rfc3339(TimePoint(-1ms)), "1969-12-31T23:59:59.999Z");
}

TEST(Times, MalformedOnesAreRefused) {
  for (const char* bad :
       {"", "2026-01-01", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+1",
        "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.1234567890Z",
        "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "-026-01-01T00:00:00Z",
        "2261-12-31T23:59:60Z", "2261-12-31T23:59:59-00:01", "1678-01-01T00:00:00+00:01"}) {
    EXPECT_FALSE(from_rfc3339(bad)) << bad;
  }
  for (const char* bad : {"", "Sun, 22 Foo 2026 04:31:34 GMT", "Sun, 22 Nov 2026 04:31:34 UTC",
                          "Sun, 32 Nov 2026 04:31:34 GMT", "Sunday, 22-Nov-26 04:31:34 GMT"}) {
    EXPECT_FALSE(from_http_date(bad)) << bad;
  }
  for (const char* bad : {"", "20261122T043134", "20261122T043134z", "20261322T043134Z",
                          "2026-1122T043134Z", "20261122 043134Z", "20261122T043160Z"}) {
    EXPECT_FALSE(from_amz_date(bad)) << bad;
  }
}

TEST(ConstantTimeEqual, ComparesLikeEqual) {
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_TRUE(constant_time_equal("secret", "secret"));
  EXPECT_FALSE(constant_time_equal("secret", "secreT"));
  EXPECT_FALSE(constant_time_equal("secret", "secre"));
}

}  // namespace
}  // namespace holdfast

#include <fcntl.h>

#include <filesystem>

#include "base/encoding.h"
#include "base/fd.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

class ScrubTest : public LocalStoreTest {
 protected:
  static void flip(const std::string& path, std::uint64_t offset) {
    auto file = open_file(path, O_RDWR);
    ASSERT_TRUE(file);
    std::string byte(1, '\0');
    ASSERT_TRUE(read_at(file->get(), std::as_writable_bytes(std::span(byte)), offset));
    byte[0] = static_cast<char>(byte[0] ^ 1);
    ASSERT_TRUE(write_all_at(file->get(), as_bytes(byte), offset));
  }
  std::string only_file(const std::string& folder) const {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(options().directory + "/" + folder)) {
      if (entry.is_regular_file()) return entry.path().string();
    }
    return {};
  }
};

TEST_F(ScrubTest, FindsNothingInASoundStore) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "small", "x"));
  ASSERT_TRUE(put("data", "large", pattern_text(1u << 20)));
  auto report = run(store->scrub());
  ASSERT_TRUE(report) << report.error().context;
  EXPECT_TRUE(report->damage.empty());
  EXPECT_EQ(report->blobs, 1u);
  EXPECT_EQ(report->blob_bytes, 1u << 20);
}

TEST_F(ScrubTest, AFlippedByteOfABlobIsReportedAndItsReadsFailEvenAfterARestart) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "large", pattern_text(1u << 20)));
  flip(only_file("blobs"), 777'777);
  auto report = run(store->scrub());
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_EQ(report->damage[0].objects, std::vector<std::string>{"data/large (null)"});
  EXPECT_EQ(get("data", "large").error().code, ErrorCode::corrupted);
  open();
  EXPECT_EQ(get("data", "large").error().code, ErrorCode::corrupted);
  ASSERT_TRUE(put("data", "large", "new"));
  EXPECT_EQ(*get("data", "large"), "new");
}

TEST_F(ScrubTest, AFlippedByteOfASmallBodyIsNeverReturned) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "before", "sound"));
  ASSERT_TRUE(put("data", "hit", std::string(1000, 'h')));
  ASSERT_TRUE(put("data", "after", "sound"));
  const std::string log = only_file("log");
  const std::string content = *read_file(log);
  flip(log, content.find("hhhh") + 500);
  EXPECT_EQ(get("data", "hit").error().code, ErrorCode::corrupted);
  EXPECT_EQ(*get("data", "after"), "sound");
  auto report = run(store->scrub());
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_EQ(report->damage[0].objects, std::vector<std::string>{"data/hit (null)"});
}

}  // namespace
}  // namespace holdfast::store

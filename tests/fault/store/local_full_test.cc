// A disk that is really full: a tmpfs of its own, a few MiB large. Needs the right to mount.
#include <fmt/format.h>
#include <sys/mount.h>

#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

class FullDiskTest : public LocalStoreTest {
 protected:
  void SetUp() override {
    place = directory.path() + "/disk";
    ASSERT_TRUE(make_directories(place));
    ASSERT_EQ(::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=12m"), 0)
        << "mounting a tmpfs needs CAP_SYS_ADMIN";
    mounted = true;
  }
  void TearDown() override {
    store.reset();
    if (mounted) ::umount2(place.c_str(), MNT_DETACH);
  }
  LocalStoreOptions on_disk(std::uint64_t reserve) const {
    auto wanted = options();
    wanted.directory = place + "/store";
    wanted.reserve_bytes = reserve;
    wanted.sync = true;
    return wanted;
  }
  // Writes until the first refusal; answers how many succeeded.
  int fill(std::size_t bytes, const std::string& prefix) {
    for (int count = 0; count < 100'000; ++count) {
      auto done = put("data", fmt::format("{}{}", prefix, count),
                      pattern_text(bytes, static_cast<unsigned>(count)));
      if (done) continue;
      EXPECT_EQ(done.error().code, ErrorCode::no_space) << done.error().context;
      return count;
    }
    return -1;
  }

  std::string place;
  bool mounted = false;
};

TEST_F(FullDiskTest, WritersLearnThatThereIsNoSpaceReadersGoOnAndDeletesMakeRoom) {
  open(on_disk(1u << 20));
  make_bucket("data");
  const int large = fill(300'000, "large");
  ASSERT_GT(large, 5);
  for (int i = 0; i < large; ++i) {
    EXPECT_EQ(*get("data", fmt::format("large{}", i)),
              pattern_text(300'000, static_cast<unsigned>(i)));
  }
  for (int i = 0; i < large; ++i) {
    auto gone = remove("data", fmt::format("large{}", i));
    ASSERT_TRUE(gone) << gone.error().context;
  }
  EXPECT_TRUE(put("data", "again", pattern_text(300'000)));
}

TEST_F(FullDiskTest, AGroupThatFindsNoSpaceHasNotHappenedAndTheStoreRecoversByItself) {
  // Without a reserve the log and the index themselves run into the end of the disk.
  open(on_disk(0));
  make_bucket("data");
  const int small = fill(20'000, "small");
  ASSERT_GT(small, 10);
  for (int i = 0; i < small; ++i) {
    ASSERT_EQ(*get("data", fmt::format("small{}", i)),
              pattern_text(20'000, static_cast<unsigned>(i)));
  }
  EXPECT_EQ(get("data", fmt::format("small{}", small)).error().code, ErrorCode::no_such_key);
  ASSERT_EQ(::mount("tmpfs", place.c_str(), "tmpfs", MS_REMOUNT, "size=48m"), 0);
  auto again = put("data", "again", "there is room");
  ASSERT_TRUE(again) << again.error().context;
  open(on_disk(0));
  EXPECT_EQ(*get("data", "again"), "there is room");
  EXPECT_EQ(list("data").objects.size(), static_cast<std::size_t>(small) + 1);
}

}  // namespace
}  // namespace holdfast::store

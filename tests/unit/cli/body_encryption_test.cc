#include "cli/body_encryption.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.h"
#include "tests/unit/store/root_key_fixture.h"

namespace holdfast::cli {
namespace {

using gateway::BodyEncryption;

class BodyEncryptionTest : public ::testing::Test {
 protected:
  BodyEncryption settle(const store::RootKeys* current, std::uint64_t last_sequence) {
    auto settled = settle_body_encryption(note, current, last_sequence);
    EXPECT_TRUE(settled) << settled.error().context;
    return settled.value_or(BodyEncryption::none);
  }

  SeededRandom random{7};
  store::RootKeyFolder keys;
  store::TemporaryDirectory directory;
  std::string note = directory.path() + "/encrypted-throughout";
  std::shared_ptr<const store::RootKeys> sealing = keys.fresh(random);
  std::shared_ptr<const store::RootKeys> reading =
      keys.load({.current = {}, .old = {keys.make("old", random)}, .lost = {}});
};

TEST_F(BodyEncryptionTest, IsOfAllBodiesWhereItBeganWithTheFirst) {
  EXPECT_EQ(settle(sealing.get(), 0), BodyEncryption::all_bodies);
  EXPECT_EQ(settle(sealing.get(), 5), BodyEncryption::all_bodies) << "also at the next start";
}

TEST_F(BodyEncryptionTest, IsOfNewBodiesWhereSomethingWasWrittenBefore) {
  EXPECT_EQ(settle(sealing.get(), 1), BodyEncryption::new_bodies);
  EXPECT_EQ(settle(sealing.get(), 0x1000), BodyEncryption::new_bodies);
}

TEST_F(BodyEncryptionTest, EndsForGoodWithAStartThatDoesNotSeal) {
  EXPECT_EQ(settle(nullptr, 0), BodyEncryption::none);
  EXPECT_EQ(settle(sealing.get(), 0), BodyEncryption::all_bodies);
  EXPECT_EQ(settle(reading.get(), 5), BodyEncryption::none);
  EXPECT_FALSE(std::filesystem::exists(note));
  EXPECT_EQ(settle(sealing.get(), 9), BodyEncryption::new_bodies);
}

}  // namespace
}  // namespace holdfast::cli

#include "cli/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/fd.h"

namespace holdfast::cli {
namespace {

class ConfigFile : public testing::Test {
 protected:
  Result<Config> load(std::string_view text) {
    const std::string path =
        fmt::format("{}/holdfast-config-{}.toml", testing::TempDir(), ::getpid());
    EXPECT_TRUE(replace_file(path, text));
    auto loaded = load_config(path);
    std::filesystem::remove(path);
    return loaded;
  }
};

TEST_F(ConfigFile, EveryKeyHasADefault) {
  const auto config = load("");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->s3_listen, "127.0.0.1:7070");
  EXPECT_EQ(config->retention_days, 90u);
  EXPECT_TRUE(config->fsync);
}

TEST_F(ConfigFile, TakesTablesAndDottedKeys) {
  const auto config = load(
      "domain = \"data.example\"\n[s3]\nlisten = \"0.0.0.0:9000\"\n"
      "[homes]\nretention_days = 30\n[tools]\nenabled = false\n");
  ASSERT_TRUE(config) << config.error().context;
  EXPECT_EQ(config->domain, "data.example");
  EXPECT_EQ(config->s3_listen, "0.0.0.0:9000");
  EXPECT_EQ(config->retention_days, 30u);
  EXPECT_FALSE(config->tools);
}

TEST_F(ConfigFile, NamesAnUnknownKeyAndItsLine) {
  const auto config = load("domain = \"x\"\n[s3]\nlisen = \"0.0.0.0:9000\"\n");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().context.find("line 3"), std::string::npos);
  EXPECT_NE(config.error().context.find("s3.lisen"), std::string::npos);
}

TEST_F(ConfigFile, SaysWhatAKeyTakes) {
  const auto config = load("[homes]\nretention_days = \"ninety\"\n");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().context.find("a number of days"), std::string::npos);
}

TEST_F(ConfigFile, PointsAtBrokenToml) {
  const auto config = load("domain = \n");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::malformed);
  EXPECT_NE(config.error().context.find("line 1"), std::string::npos);
}

TEST(FinishConfig, RefusesADataPathTooLongForItsSockets) {
  Config config;
  config.data = "/" + std::string(100, 'x');
  const auto done = finish_config(config);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().context.find("sockets"), std::string::npos);
}

TEST(FinishConfig, MakesTheDataDirectoryAbsolute) {
  Config config;
  config.data = "var/";
  ASSERT_TRUE(finish_config(config));
  EXPECT_TRUE(config.data.starts_with('/'));
  EXPECT_TRUE(config.data.ends_with("/var"));
}

}  // namespace
}  // namespace holdfast::cli

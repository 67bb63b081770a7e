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

TEST_F(ConfigFile, TakesListsOfFiles) {
  const auto config =
      load("[store]\nroot_key_file = \"/a\"\nold_root_key_files = [\"/b\", \"/c\"]\n");
  ASSERT_TRUE(config) << config.error().context;
  EXPECT_EQ(config->root_keys.current, "/a");
  EXPECT_EQ(config->root_keys.old, (std::vector<std::string>{"/b", "/c"}));
  const auto refused = load("[store]\nold_root_key_files = [\"/b\", 3]\n");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().context.find("a list of files"), std::string::npos);
}

TEST_F(ConfigFile, EncryptsOnlyTheBuiltInStore) {
  auto config =
      load("[store]\nkind = \"s3\"\nendpoint = \"http://127.0.0.1:1\"\nroot_key_file = \"/a\"\n");
  ASSERT_TRUE(config) << config.error().context;
  const auto refused = finish_config(*config);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().context.find("store.root_key_file"), std::string::npos);
}

TEST_F(ConfigFile, GivesDirectUrlsOnlyWhereBrowsersCanFollowThem) {
  const std::string s3 = "[store]\nkind = \"s3\"\nendpoint = \"http://127.0.0.1:1\"\n";
  const auto outcome = [this](const std::string& text) {
    auto config = load(text);
    if (!config) return config.error().context;
    const auto done = finish_config(*config);
    return done ? std::string("ok") : done.error().context;
  };
  const auto says = [&](const std::string& text, std::string_view sentence) {
    const auto told = outcome(text);
    EXPECT_NE(told.find(sentence), std::string::npos) << told;
  };
  EXPECT_EQ(outcome(s3 + "direct = true\n"), "ok");
  EXPECT_EQ(outcome(s3 + "direct = true\ndirect_endpoint = \"https://s3.test\"\n"), "ok");
  says("[store]\ndirect = true\n", "store.direct needs store.kind");
  says(s3 + "direct_endpoint = \"https://s3.test\"\n", "store.direct is not true");
  says(s3 + "direct = true\ndirect_endpoint = \"unix:/run/s3.sock\"\n", "that browsers reach");
  says(s3 + "direct = true\ndirect_seconds = 901\n", "seconds from 1 to 900");
  says(s3 + "[store.sts]\nrole = \"arn:x\"\n", "store.direct is not true");
  says(s3 + "direct = true\n[store.sts]\nwrites = true\n", "store.sts needs a role");
  const std::string sts = "direct = true\n[store.sts]\nrole = \"arn:x\"\nwrites = true\n";
  EXPECT_EQ(outcome(s3 + sts), "ok");
  says(s3 + "relist_seconds = 0\n" + sts, "homes and mounts would never see it");
  says(
      "domain = \"files.test\"\n[web]\ntls_certificate = \"/c\"\ntls_key = \"/k\"\n"
      "[s3]\ntls_certificate = \"/c\"\ntls_key = \"/k\"\n" +
          s3 + "direct = true\n",
      "over plain HTTP");
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

Result<void> finish(std::string_view domain, net::TlsFiles s3, net::TlsFiles web) {
  Config config;
  config.domain = domain;
  config.s3_tls = std::move(s3);
  config.web_tls = std::move(web);
  return finish_config(config);
}

TEST_F(ConfigFile, TakesACertificateWithItsKeyOnly) {
  const net::TlsFiles pair{"/c.pem", "/k.pem"};
  EXPECT_TRUE(finish("files.test", pair, pair));
  EXPECT_TRUE(finish("files.test", pair, {}));
  EXPECT_FALSE(finish("files.test", {"/c.pem", ""}, {}));
  EXPECT_FALSE(finish("files.test", pair, {"", "/k.pem"}));
}

TEST_F(ConfigFile, RefusesAnHttpsConsoleOverAPlainS3ApiButOnLocalhost) {
  const net::TlsFiles pair{"/c.pem", "/k.pem"};
  EXPECT_FALSE(finish("files.test", {}, pair));
  EXPECT_TRUE(finish("localhost", {}, pair));
}

TEST(ToolsPort, IsTheS3ListenersUnlessTlsTookThatOnAllInterfaces) {
  Config config;
  EXPECT_EQ(tools_port(config), "7070");
  config.s3_tls = {"/c.pem", "/k.pem"};
  EXPECT_EQ(tools_port(config), "7070");
  for (const auto* wildcard : {"0.0.0.0:9000", "[::]:9000", ":9000"}) {
    config.s3_listen = wildcard;
    EXPECT_EQ(tools_port(config), "9001");
  }
  config.tools_s3_port = 9100;
  EXPECT_EQ(tools_port(config), "9100");
}

}  // namespace
}  // namespace holdfast::cli

#include "store/root_keys.h"

#include "base/encoding.h"
#include "tests/unit/store/root_key_fixture.h"

namespace holdfast::store {
namespace {

class RootKeyFile : public ::testing::Test {
 protected:
  std::string id_of(const std::string& path) {
    return folder_.load({.current = path, .old = {}, .lost = {}})->current_id();
  }
  // What is said about a file with this text.
  std::string refusal(std::string_view text, unsigned mode = 0600) {
    const auto path = folder_.write("refused", text, mode);
    auto keys = RootKeys::load({.current = path, .old = {}, .lost = {}}, "/nowhere");
    if (keys) return "taken";
    EXPECT_EQ(keys.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(keys.error().context.find(path), std::string::npos);
    return keys.error().context;
  }

  RootKeyFolder folder_;
  SystemRandom random_;
};

TEST_F(RootKeyFile, IsTakenRawAsHexAndAsBase64) {
  std::string raw(32, '\0');
  random_.fill(std::as_writable_bytes(std::span(raw)));
  const auto id = id_of(folder_.write("raw", raw));
  EXPECT_EQ(id.size(), 16u);
  EXPECT_EQ(id_of(folder_.write("hex", to_hex(as_bytes(raw)) + "\n")), id);
  EXPECT_EQ(id_of(folder_.write("base64", to_base64(as_bytes(raw)) + "\n")), id);
  EXPECT_EQ(id_of(folder_.write("bare", to_base64(as_bytes(raw)))), id);
  EXPECT_NE(id_of(folder_.make("other", random_)), id);
}

TEST_F(RootKeyFile, IsRefusedWithASentenceWhenItHoldsNoKey) {
  const std::string hex = random_.hex(32);
  for (const std::string& text :
       {std::string(), std::string("secret"), hex.substr(1), hex + "0", hex.substr(0, 32),
        std::string(32, '\0'), std::string(64, '0'), std::string(500, 'x')}) {
    EXPECT_NE(refusal(text).find("holds no key"), std::string::npos) << text;
  }
  EXPECT_EQ(refusal(hex), "taken");
}

TEST_F(RootKeyFile, IsRefusedWhenOthersMayReadOrChangeIt) {
  for (const unsigned mode : {0640u, 0604u, 0620u}) {
    EXPECT_NE(refusal(random_.hex(32), mode).find("chmod 600"), std::string::npos);
  }
  EXPECT_EQ(refusal(random_.hex(32), 0400), "taken");
}

TEST_F(RootKeyFile, IsRefusedInsideTheDataDirectoryByWhateverNameItGoes) {
  const auto path = folder_.make("key", random_);
  const auto folder = path.substr(0, path.rfind('/'));
  TemporaryDirectory elsewhere;
  const std::string link = elsewhere.path() + "/link";
  std::filesystem::create_symlink(path, link);
  for (const std::string& name : {path, link, folder + "/x/../key"}) {
    auto keys = RootKeys::load({.current = name, .old = {}, .lost = {}}, folder);
    ASSERT_FALSE(keys) << name;
    EXPECT_NE(keys.error().context.find("lies in the data directory"), std::string::npos);
    EXPECT_FALSE(RootKeys::load({.current = {}, .old = {name}, .lost = {}}, folder));
  }
  EXPECT_TRUE(RootKeys::load({.current = path, .old = {}, .lost = {}}, folder + "/data"));
  EXPECT_TRUE(RootKeys::load({.current = path, .old = {}, .lost = {}}, folder + "/ke"));
}

TEST_F(RootKeyFile, IsRefusedWhenItIsMissingOrNoFile) {
  EXPECT_FALSE(RootKeys::load({.current = "/nowhere/key", .old = {}, .lost = {}}, "/data"));
  EXPECT_FALSE(RootKeys::load({.current = "/tmp", .old = {}, .lost = {}}, "/data"));
  EXPECT_FALSE(RootKeys::load({.current = {}, .old = {}, .lost = {"abc"}}, "/data"));
}

TEST_F(RootKeyFile, NothingConfiguredIsNoKeys) {
  auto keys = RootKeys::load({}, "/data");
  ASSERT_TRUE(keys);
  EXPECT_EQ(*keys, nullptr);
}

TEST_F(RootKeyFile, OpensItsSealsAndNoOthers) {
  const auto path = folder_.make("a", random_);
  const auto keys = folder_.load({.current = path, .old = {}, .lost = {}});
  const auto made = keys->make_body_key(random_);
  EXPECT_EQ(root_key_id_of(made.seal), keys->current_id());
  auto opened = keys->open(made.seal);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(std::equal(opened->data(), opened->data() + SecretKey::bytes, made.key.data()));
  // Neither the key nor the root key is in the seal.
  EXPECT_EQ(made.seal.find(std::string_view(reinterpret_cast<const char*>(made.key.data()), 8)),
            std::string::npos);

  const auto others = folder_.load({.current = folder_.make("b", random_), .old = {}, .lost = {}});
  const auto refused = others->open(made.seal);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::corrupted);
  EXPECT_NE(refused.error().context.find(keys->current_id()), std::string::npos);

  for (std::size_t at = 0; at < made.seal.size(); ++at) {
    std::string changed = made.seal;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(keys->open(changed)) << at;
  }
  EXPECT_FALSE(keys->open(made.seal.substr(1)));
  EXPECT_FALSE(keys->open(""));
}

}  // namespace
}  // namespace holdfast::store

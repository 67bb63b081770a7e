#include "store/seal.h"

#include <fcntl.h>
#include <rapidcheck.h>
#include <unistd.h>

#include <vector>

#include "base/encoding.h"
#include "store/local_sealed_body.h"
#include "tests/unit/store/root_key_fixture.h"

namespace holdfast::store {
namespace {

constexpr std::size_t chunk = plain_chunk_bytes;

struct Sealed {
  SecretKey key;
  std::string bytes;
};
Sealed seal(std::string_view plain, std::size_t step = SIZE_MAX) {
  SystemRandom random;
  Sealed sealed{SecretKey::make(random), {}};
  Sealer sealer(sealed.key);
  for (; !plain.empty(); plain.remove_prefix(std::min(step, plain.size()))) {
    sealer.update(plain.substr(0, step), sealed.bytes);
  }
  sealer.finish(sealed.bytes);
  return sealed;
}
Result<std::string> open(const SecretKey& key, std::string_view bytes) {
  auto unsealer = Unsealer::make(key, bytes.size());
  if (!unsealer) return std::unexpected(unsealer.error());
  std::string plain;
  if (auto done = unsealer->open(0, bytes, plain); !done) return std::unexpected(done.error());
  return plain;
}

TEST(Seal, GivesBackWhatWasSealedWhateverItsSize) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{15}, chunk - 1, chunk,
                                 chunk + 1, 3 * chunk, 3 * chunk + 77}) {
    const std::string plain = pattern_text(size, static_cast<unsigned>(size));
    for (const std::size_t step : {SIZE_MAX, std::size_t{70'001}, std::size_t{4099}}) {
      const Sealed sealed = seal(plain, step);
      EXPECT_EQ(sealed.bytes.size(), sealed_size(size));
      EXPECT_EQ(plain_size(sealed.bytes.size()), size);
      EXPECT_EQ(open(sealed.key, sealed.bytes), plain) << size << " in steps of " << step;
      if (size > 15) EXPECT_EQ(sealed.bytes.find(plain.substr(0, 16)), std::string::npos);
    }
  }
}

TEST(Seal, KnowsWhichSizesThereAre) {
  EXPECT_FALSE(plain_size(1));
  EXPECT_FALSE(plain_size(seal_tag_bytes));
  EXPECT_EQ(plain_size(seal_tag_bytes + 1), 1u);
  EXPECT_FALSE(plain_size(sealed_chunk_bytes + seal_tag_bytes));
}

TEST(Seal, NoticesEveryChangedByte) {
  const Sealed sealed = seal(pattern_text(300));
  for (std::size_t at = 0; at < sealed.bytes.size(); ++at) {
    for (const char flip : {'\x01', '\x80'}) {
      std::string changed = sealed.bytes;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto opened = open(sealed.key, changed);
      ASSERT_FALSE(opened) << at;
      EXPECT_EQ(opened.error().code, ErrorCode::corrupted);
    }
  }
}

TEST(Seal, NoticesChunksThatWereMovedRepeatedOrCutOff) {
  const Sealed sealed = seal(pattern_text(3 * chunk));
  const auto part = [&](std::size_t number) {
    return sealed.bytes.substr(number * sealed_chunk_bytes, sealed_chunk_bytes);
  };
  EXPECT_TRUE(open(sealed.key, part(0) + part(1) + part(2)));
  EXPECT_FALSE(open(sealed.key, part(1) + part(0) + part(2)));
  EXPECT_FALSE(open(sealed.key, part(0) + part(0) + part(2)));
  EXPECT_FALSE(open(sealed.key, part(0) + part(2)));
  EXPECT_FALSE(open(sealed.key, part(0) + part(1)));
  EXPECT_FALSE(open(sealed.key, part(0) + part(1) + part(2) + part(2)));
  EXPECT_FALSE(open(sealed.key, sealed.bytes.substr(0, sealed.bytes.size() - 1)));
  // Bytes of another body under another key.
  EXPECT_FALSE(open(sealed.key, part(0) + part(1) + seal(pattern_text(chunk)).bytes));
}

TEST(Seal, NoTwoBodiesLookAlike) {
  const std::string plain = pattern_text(1000);
  EXPECT_NE(seal(plain).bytes, seal(plain).bytes);
}

class SealedFile : public ::testing::Test {
 protected:
  SealedFile() { keys_ = folder_.fresh(random_); }

  // An extent of a piece that lies behind `before` bytes of a file of its own; plain without keys.
  OpenExtent store(std::string_view plain, std::size_t before, bool encrypt) {
    Extent extent;
    std::string bytes(plain);
    if (encrypt) {
      auto key = keys_->make_body_key(random_);
      bytes.clear();
      Sealer sealer(key.key);
      sealer.update(plain, bytes);
      sealer.finish(bytes);
      extent.piece.seal = key.seal;
    }
    extent.piece.home = Piece::Home::segment;
    extent.piece.offset = before;
    extent.piece.length = bytes.size();
    extent.length = plain.size();
    auto file = open_file(directory_.path(), O_TMPFILE | O_RDWR);
    EXPECT_TRUE(file && write_all_at(file->get(), as_bytes(bytes), before));
    return {extent, std::make_shared<const Fd>(std::move(*file))};
  }
  Result<std::string> read(std::vector<OpenExtent> extents) {
    auto reader = make_unsealing_reader(pool_, keys_, std::move(extents));
    return run(read_all(*reader, 1u << 30));
  }

  TemporaryDirectory directory_;
  SystemRandom random_;
  RootKeyFolder folder_;
  std::shared_ptr<const RootKeys> keys_;
  BlockingPool pool_{1};
};

TEST_F(SealedFile, AnyRangeOfAnyExtentsIsThatOfThePlainText) {
  const std::vector<std::string> plain = {pattern_text(6 * chunk + 5, 1),
                                          pattern_text(2 * chunk, 2), pattern_text(700, 3)};
  const std::vector<OpenExtent> stored = {store(plain[0], 4096, true), store(plain[1], 0, true),
                                          store(plain[2], 9, false)};
  const auto near_edges = [](std::size_t size) {
    std::vector<std::size_t> edges = {0, 1, size - 1, size};
    for (std::size_t at = chunk; at < size; at += chunk) {
      edges.insert(edges.end(), {at - 1, at, at + 1});
    }
    return rc::gen::oneOf(rc::gen::elementOf(edges), rc::gen::inRange<std::size_t>(0, size + 1));
  };
  const bool held = rc::check([&] {
    std::string wanted;
    std::vector<OpenExtent> extents;
    for (int count = *rc::gen::inRange(1, 5); count > 0; --count) {
      const auto which = *rc::gen::inRange<std::size_t>(0, stored.size());
      auto first = *near_edges(plain[which].size());
      auto last = *near_edges(plain[which].size());
      if (first > last) std::swap(first, last);
      extents.push_back(stored[which]);
      extents.back().extent.first = first;
      extents.back().extent.length = last - first;
      wanted += plain[which].substr(first, last - first);
    }
    auto got = read(extents);
    RC_ASSERT(got.has_value());
    RC_ASSERT(*got == wanted);
    const Extent& one = extents.front().extent;
    if (one.piece.seal.empty()) return;
    std::string whole(one.piece.length, '\0');
    RC_ASSERT(read_at(extents.front().file->get(), std::as_writable_bytes(std::span(whole)),
                      one.piece.offset)
                  .value_or(0) == whole.size());
    RC_ASSERT(unseal_extent(keys_.get(), one, whole).value_or("?") == wanted.substr(0, one.length));
  });
  EXPECT_TRUE(held);
}

TEST_F(SealedFile, AnExtentBeyondItsPieceIsAnErrorNotBytes) {
  auto stored = store(pattern_text(100), 0, true);
  stored.extent.first = 50;
  stored.extent.length = 51;
  const auto got = read({stored});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::corrupted);
}

TEST_F(SealedFile, AFileThatEndsEarlyIsAnErrorNotBytes) {
  auto stored = store(pattern_text(5 * chunk), 0, true);
  ASSERT_EQ(::ftruncate(stored.file->get(), sealed_chunk_bytes), 0);
  EXPECT_FALSE(read({stored}));
}

}  // namespace
}  // namespace holdfast::store

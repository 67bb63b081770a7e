// A local store that encrypts: what is on the disk, what comes back, and what without the key.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "base/encoding.h"
#include "store/seal.h"
#include "tests/unit/store/root_key_fixture.h"

namespace holdfast::store {
namespace {

using testing::HasSubstr;
constexpr std::size_t chunk = plain_chunk_bytes;

class EncryptedStore : public LocalStoreTest {
 protected:
  EncryptedStore() : key_a_(folder_.make("a", random)), key_b_(folder_.make("b", random)) {}

  LocalStoreOptions with(const RootKeyFiles& files) const {
    auto wanted = options();
    wanted.root_keys = folder_.load(files);
    return wanted;
  }
  LocalStoreOptions encrypted() const { return with({.current = key_a_, .old = {}, .lost = {}}); }
  std::string id_of(const std::string& path) const {
    return folder_.load({.current = path, .old = {}, .lost = {}})->current_id();
  }
  // What opening says.
  std::string refusal(const LocalStoreOptions& wanted) {
    store.reset();
    auto opened = LocalStore::open(wanted, clock, random);
    if (opened) return "opened";
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
    return opened.error().context;
  }
  void put_all(const std::map<std::string, std::string>& bodies) {
    for (const auto& [key, body] : bodies) {
      auto done = put("data", key, body);
      ASSERT_TRUE(done) << done.error().context;
    }
  }
  void expect_all(const std::map<std::string, std::string>& bodies) {
    for (const auto& [key, body] : bodies) {
      for (int again = 0; again < 2; ++again) {  // from the disk, then what is remembered of it
        auto got = get("data", key);
        ASSERT_TRUE(got) << key << ": " << got.error().context;
        EXPECT_TRUE(*got == body) << key;
      }
    }
  }
  Result<std::string> get_range(const std::string& key, std::uint64_t first, std::uint64_t last) {
    auto request = get_request("data", key);
    request.range = ByteRange{first, last, std::nullopt};
    return text_of(get_result(std::move(request)));
  }
  PartInfo put_part(const UploadId& upload, std::uint32_t number, const std::string& body) {
    PartRequest part{.bucket = BucketName("data"), .key = ObjectKey("parts"), .upload = upload};
    part.number = number;
    auto reader = make_string_reader(body);
    auto done = run(store->put_part(part, *reader));
    EXPECT_TRUE(done) << done.error().context;
    return done.value_or(PartInfo());
  }
  UploadId create_upload() {
    auto upload =
        run(store->create_upload({.bucket = BucketName("data"), .key = ObjectKey("parts")}));
    EXPECT_TRUE(upload);
    return upload.value_or(UploadId());
  }
  void complete(const UploadId& upload, const std::vector<PartInfo>& parts) {
    CompleteRequest request{
        .bucket = BucketName("data"), .key = ObjectKey("parts"), .upload = upload};
    for (const auto& part : parts) request.parts.push_back({part.number, part.etag, {}});
    auto done = run(store->complete_upload(request));
    ASSERT_TRUE(done) << done.error().context;
  }
  void copy(const std::string& from, const std::string& to) {
    CopyRequest request;
    request.source_bucket = request.bucket = BucketName("data");
    request.source_key = ObjectKey(from);
    request.key = ObjectKey(to);
    request.compute = {ChecksumAlgorithm::sha256};
    auto done = run(store->copy(request));
    ASSERT_TRUE(done) << done.error().context;
  }

  std::vector<std::string> files(const std::string& below) const {
    std::vector<std::string> paths;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(options().directory + below)) {
      if (entry.is_regular_file()) paths.push_back(entry.path());
    }
    return paths;
  }
  std::string format() const {
    return read_file(options().directory + "/FORMAT").value_or("missing");
  }
  // The files, of all, in which a text is found.
  std::vector<std::string> files_with(std::string_view text) const {
    std::vector<std::string> found;
    for (const auto& path : files("")) {
      const auto bytes = read_file(path, 1u << 30).value_or("");
      if (bytes.find(text) != std::string::npos) found.push_back(path);
    }
    return found;
  }
  static void change_byte(const std::string& path, std::size_t at) {
    auto file = open_file(path, O_RDWR);
    ASSERT_TRUE(file);
    std::string byte(1, '\0');
    ASSERT_TRUE(read_at(file->get(), std::as_writable_bytes(std::span(byte)), at));
    byte[0] = static_cast<char>(byte[0] ^ 1);
    ASSERT_TRUE(write_all_at(file->get(), as_bytes(byte), at));
  }

  RootKeyFolder folder_;
  const std::string key_a_, key_b_;
};

// Bodies of every kind, each with a mark of its own at every kilobyte.
std::string marked(std::size_t bytes, char mark) {
  std::string body = pattern_text(bytes, static_cast<unsigned>(mark));
  for (std::size_t at = 0; at + 40 < bytes; at += 1000) {
    body.replace(at, 32, std::string("PLAIN-TEXT-THAT-NOBODY-MAY-SEE-") + mark);
  }
  return body;
}

TEST_F(EncryptedStore, LeavesNoPlainTextInAnyFile) {
  open(encrypted());
  make_bucket("data", Versioning::enabled);
  std::map<std::string, std::string> bodies = {{"empty", ""},
                                               {"one", "1"},
                                               {"small", marked(5000, 's')},
                                               {"inline", marked(131'072, 'i')},
                                               {"blob", marked(131'073, 'b')},
                                               {"large", marked(3'000'000, 'l')}};
  put_all(bodies);
  put_all({{"small", marked(4000, 'o')}});  // an old version
  put_all({{"small", bodies["small"]}});
  copy("large", "copy of large");
  copy("small", "copy of small");
  const auto upload = create_upload();
  const std::string part = marked(5'300'000, 'p');
  complete(upload, {put_part(upload, 1, part), put_part(upload, 2, marked(3000, 'q'))});
  bodies["copy of large"] = bodies["large"];
  bodies["copy of small"] = bodies["small"];
  bodies["parts"] = part + marked(3000, 'q');
  expect_all(bodies);

  open(encrypted());  // the index and the log are closed in order, then read by another one
  expect_all(bodies);
  close();
  ASSERT_TRUE(LocalStore::rebuild_index(encrypted(), clock, random));
  open(encrypted());
  expect_all(bodies);
  close();
  EXPECT_THAT(files_with("PLAIN-TEXT"), testing::IsEmpty());
  EXPECT_THAT(files_with("NOBODY"), testing::IsEmpty());
  // The search finds what is in the clear: keys are.
  EXPECT_FALSE(files_with("copy of large").empty());

  open(with({.current = {}, .old = {key_a_}, .lost = {}}));
  put_all({{"clear", marked(200'000, 'c')}});
  EXPECT_EQ(files_with("PLAIN-TEXT").size(), 1u);
}

TEST_F(EncryptedStore, ShowsSizesAndDigestsOfThePlainText) {
  open(encrypted());
  make_bucket("data");
  for (const std::size_t size : {std::size_t{3}, std::size_t{300'000}}) {
    const std::string body = pattern_text(size);
    auto done = put("data", "k", body);
    ASSERT_TRUE(done);
    auto head = run(store->head(get_request("data", "k")));
    ASSERT_TRUE(head);
    EXPECT_EQ(head->info.size, size);
    EXPECT_EQ(head->length, size);
    EXPECT_EQ(head->info.etag, done->etag);
  }
  // As of a store in the clear.
  const auto etag = run(store->head(get_request("data", "k")))->info.etag;
  close();
  std::filesystem::remove_all(options().directory);
  open();
  make_bucket("data");
  EXPECT_EQ(put("data", "k", pattern_text(300'000))->etag, etag);
}

TEST_F(EncryptedStore, AnswersEveryRangeAsThePlainSlice) {
  open(encrypted());
  make_bucket("data");
  const std::string body = pattern_text(9 * chunk + 100);
  put_all({{"large", body}, {"inline", body.substr(0, 2 * chunk)}});
  std::vector<std::size_t> edges;
  for (std::size_t at = 0; at <= 9 * chunk; at += chunk) {
    for (const std::size_t edge : {at - 1, at, at + 1}) {
      if (edge < body.size()) edges.push_back(edge);
    }
  }
  edges.push_back(body.size() - 1);
  for (const auto first : edges) {
    for (const auto last : edges) {
      if (last < first) continue;
      auto got = get_range("large", first, last);
      ASSERT_TRUE(got) << got.error().context;
      ASSERT_TRUE(*got == body.substr(first, last - first + 1)) << first << " to " << last;
      if (last >= 2 * chunk) continue;
      ASSERT_TRUE(get_range("inline", first, last) == body.substr(first, last - first + 1));
    }
  }
}

TEST_F(EncryptedStore, KeepsPlainBodiesFromBeforeAndMixesThem) {
  open();
  make_bucket("data");
  const std::map<std::string, std::string> before = {{"old small", pattern_text(100, 1)},
                                                     {"old large", pattern_text(5'300'000, 2)}};
  put_all(before);
  auto upload = create_upload();
  const std::string first = pattern_text(5'300'000, 3);
  const std::string second = pattern_text(400'000, 4);
  std::vector<PartInfo> parts = {put_part(upload, 1, first)};
  EXPECT_EQ(format(), "holdfast-store 1\n");

  open(encrypted());
  EXPECT_EQ(format(), fmt::format("holdfast-store 2\nroot-key {}\n", id_of(key_a_)));
  expect_all(before);
  parts.push_back(put_part(upload, 2, second));
  complete(upload, parts);
  expect_all({{"parts", first + second}});
  EXPECT_TRUE(get_range("parts", 5'299'990, 5'700'000 - 1) == (first + second).substr(5'299'990));
  EXPECT_TRUE(get_range("parts", 5'200'000, 5'300'009) ==
              (first + second).substr(5'200'000, 100'010));
}

TEST_F(EncryptedStore, AnswersAnErrorWhereverABlobWasChanged) {
  open(encrypted());
  make_bucket("data");
  const std::string body = pattern_text(9 * chunk);
  put_all({{"large", body}});
  const auto blobs = files("/blobs");
  ASSERT_EQ(blobs.size(), 1u);
  change_byte(blobs.front(), 5 * sealed_chunk_bytes + 7);
  auto whole = get("data", "large");
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, ErrorCode::corrupted);
  EXPECT_FALSE(get_range("large", 5 * chunk, 5 * chunk));
  EXPECT_TRUE(get_range("large", 0, 5 * chunk - 1) == body.substr(0, 5 * chunk));
  EXPECT_TRUE(get_range("large", 6 * chunk, 9 * chunk - 1) == body.substr(6 * chunk));
}

TEST_F(EncryptedStore, AnswersAnErrorForBlobsThatWereExchangedOrCut) {
  open(encrypted());
  make_bucket("data");
  put_all({{"a", pattern_text(9 * chunk, 1)}, {"b", pattern_text(9 * chunk, 2)}});
  close();
  auto blobs = files("/blobs");
  ASSERT_EQ(blobs.size(), 2u);
  std::filesystem::rename(blobs[0], blobs[0] + ".x");
  std::filesystem::rename(blobs[1], blobs[0]);
  std::filesystem::rename(blobs[0] + ".x", blobs[1]);
  open(encrypted());
  EXPECT_FALSE(get("data", "a"));
  EXPECT_FALSE(get("data", "b"));
  std::filesystem::resize_file(blobs[0], 3 * sealed_chunk_bytes);
  std::filesystem::resize_file(blobs[1], 3 * sealed_chunk_bytes);
  EXPECT_FALSE(get("data", "a"));
  EXPECT_FALSE(get("data", "b"));
}

TEST_F(EncryptedStore, IsScrubbedAndCompactedWithoutItsKeys) {
  auto keyed = encrypted();
  keyed.segment_bytes = 20'000;
  open(keyed);
  make_bucket("data");
  std::map<std::string, std::string> bodies;
  for (int i = 0; i < 20; ++i) {
    bodies[fmt::format("k{}", i)] = pattern_text(3000, static_cast<unsigned>(i));
  }
  put_all(bodies);
  put_all(bodies);
  put_all({{"large", pattern_text(300'000, 77)}});
  copy("k3", "copy");
  bodies["copy"] = bodies["k3"];

  auto bare = keyed;
  bare.root_keys = RootKeys::unneeded();
  open(bare);
  auto scrubbed = run(store->scrub());
  ASSERT_TRUE(scrubbed);
  EXPECT_TRUE(scrubbed->damage.empty());
  auto compacted = run(store->compact(
      {.garbage_share = -1, .garbage_bytes = 0, .bytes_per_second = 0, .go_on = {}}, {}));
  ASSERT_TRUE(compacted) << compacted.error().context;
  EXPECT_GT(compacted->moved_bytes, 0u);
  auto unread = get("data", "k1");
  ASSERT_FALSE(unread);
  EXPECT_EQ(unread.error().code, ErrorCode::corrupted);
  close();
  ASSERT_TRUE(LocalStore::rebuild_index(bare, clock, random));

  open(keyed);
  expect_all(bodies);
  change_byte(files("/blobs").front(), 100);
  open(bare);
  scrubbed = run(store->scrub());
  ASSERT_TRUE(scrubbed);
  EXPECT_EQ(scrubbed->damage.size(), 1u);
}

TEST_F(EncryptedStore, DoesNotOpenWithoutTheKeyAndIsUntouched) {
  open(encrypted());
  make_bucket("data");
  put_all({{"k", pattern_text(100)}});
  close();
  const auto before = format();
  EXPECT_THAT(refusal(options()), HasSubstr(id_of(key_a_)));
  EXPECT_THAT(refusal(with({.current = key_b_, .old = {}, .lost = {}})),
              testing::AllOf(HasSubstr("1 objects"), HasSubstr(id_of(key_a_))));
  EXPECT_EQ(format(), before);
  open(encrypted());
  expect_all({{"k", pattern_text(100)}});
  // Even with nothing left that needs it, no store goes on in the clear by itself.
  ASSERT_TRUE(remove("data", "k"));
  EXPECT_THAT(refusal(options()), HasSubstr("in the clear"));
}

TEST_F(EncryptedStore, ChangesItsRootKey) {
  open(encrypted());
  make_bucket("data");
  const std::string large = pattern_text(500'000, 5);
  put_all({{"a", "under a"}, {"large", large}});
  open(with({.current = key_b_, .old = {key_a_}, .lost = {}}));
  expect_all({{"a", "under a"}, {"large", large}});
  put_all({{"b", "under b"}});
  copy("large", "copy");  // shares the body, and so its key
  const auto both = with({.current = key_b_, .old = {key_a_}, .lost = {}});
  const auto only_b = with({.current = key_b_, .old = {}, .lost = {}});
  EXPECT_THAT(refusal(only_b), HasSubstr("3 objects"));
  open(both);
  for (const char* key : {"a", "large", "copy"}) ASSERT_TRUE(remove("data", key));
  open(only_b);
  expect_all({{"b", "under b"}});
  EXPECT_EQ(format(), fmt::format("holdfast-store 2\nroot-key {}\n", id_of(key_b_)));
}

TEST_F(EncryptedStore, GoesOnWithoutAKeyThatIsSaidToBeLost) {
  open(encrypted());
  make_bucket("data");
  put_all({{"a", "under a"}, {"large", pattern_text(500'000)}});
  open(with({.current = key_b_, .old = {}, .lost = {id_of(key_a_)}}));
  put_all({{"b", "under b"}});
  expect_all({{"b", "under b"}});
  for (const char* key : {"a", "large"}) {
    auto got = get("data", key);
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error().context, HasSubstr(id_of(key_a_)));
  }
  open(with({.current = key_b_, .old = {key_a_}, .lost = {}}));  // it was found again
  expect_all({{"a", "under a"}, {"b", "under b"}});
}

TEST_F(EncryptedStore, OfAnUnknownFormatIsLeftAlone) {
  open(encrypted());
  close();
  for (const std::string text :
       {"holdfast-store 3\n", "holdfast-store 2\nroot-key a", "holdfast-store 2\nother\n"}) {
    ASSERT_TRUE(replace_file(options().directory + "/FORMAT", text));
    auto opened = LocalStore::open(encrypted(), clock, random);
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code, ErrorCode::not_supported);
  }
}

}  // namespace
}  // namespace holdfast::store

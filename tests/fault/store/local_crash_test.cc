// Cuts the power at every moment of a workload, in every way that the model of disk_recorder.h
// allows, and opens what is left: everything acknowledged is there, nothing is half there.
// HOLDFAST_TEST_LONG=1 takes far more moments and dice. A failure prints the seed to replay it by
// HOLDFAST_CRASH_SEED.
#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <map>
#include <set>

#include "tests/fault/store/disk_recorder.h"
#include "tests/unit/base/run.h"
#include "tests/unit/store/local_fixture.h"
#include "tests/unit/store/root_key_fixture.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;
using Loss = DiskRecorder::Loss;

constexpr std::size_t inline_bytes = 2000;  // longer bodies become blobs

// What one key went through. Each key has one writer, so its writes do not overlap.
struct Write {
  std::optional<std::string> body;  // nullopt: removed
  std::size_t begun = 0;            // operations of the disk before it
  std::size_t answered = SIZE_MAX;  // when its answer was known
};
using History = std::map<std::string, std::vector<Write>>;

bool is_long() { return std::getenv("HOLDFAST_TEST_LONG") != nullptr; }

std::uint64_t first_seed() {
  if (const char* seed = std::getenv("HOLDFAST_CRASH_SEED"))
    return std::strtoull(seed, nullptr, 10);
  return is_long() ? std::random_device{}() : 1;
}

class CrashTest : public ::testing::Test {
 protected:
  LocalStoreOptions options(const std::string& path) const {
    LocalStoreOptions wanted;
    wanted.directory = path;
    wanted.sync = true;
    wanted.reserve_bytes = 0;
    wanted.inline_bytes = inline_bytes;
    wanted.segment_bytes = 20'000;  // several segments in a short run
    wanted.root_keys = root_keys_;
    return wanted;
  }
  std::unique_ptr<LocalStore> open(const std::string& path) {
    auto opened = LocalStore::open(options(path), clock_, random());
    EXPECT_TRUE(opened) << opened.error().context;
    return opened ? *std::move(opened) : nullptr;
  }
  static Result<std::optional<std::string>> get(LocalStore& store, const std::string& key) {
    auto got = run(store.get({.bucket = BucketName("data"), .key = ObjectKey(key)}));
    if (!got && got.error().code == ErrorCode::no_such_key) return std::nullopt;
    if (!got) return std::unexpected(got.error());
    auto reader = make_reader(std::move(got->body));
    auto text = run(read_all(*reader, 1u << 30));
    if (!text) return std::unexpected(text.error());
    return *std::move(text);
  }

  // Opens the image and compares it with what was acknowledged before `moment`.
  void check_image(const std::string& image, const History& history, std::size_t moment) {
    auto store = open(image);
    ASSERT_NE(store, nullptr);
    std::set<std::string> present;
    for (const auto& [key, writes] : history) {
      auto found = get(*store, key);
      ASSERT_TRUE(found) << key << ": " << found.error().context;
      if (*found) present.insert(key);
      bool allowed = false;
      bool acknowledged = false;
      for (auto write = writes.rbegin(); write != writes.rend() && !acknowledged; ++write) {
        if (write->begun > moment) continue;
        allowed = allowed || write->body == *found;
        acknowledged = write->answered <= moment;
      }
      if (!acknowledged) allowed = allowed || !*found;  // nothing of it need be there
      ASSERT_TRUE(allowed) << key << " holds " << (*found ? (*found)->substr(0, 20) : "nothing");
    }
    auto page = run(store->list({.bucket = BucketName("data")}));
    ASSERT_TRUE(page);
    std::set<std::string> listed;
    for (const auto& row : page->objects) listed.insert(row.key.value);
    EXPECT_EQ(listed, present);
    auto scrubbed = run(store->scrub());
    ASSERT_TRUE(scrubbed);
    EXPECT_TRUE(scrubbed->damage.empty()) << scrubbed->damage.front().where;
    // And it goes on from there.
    auto reader = make_string_reader("after");
    ASSERT_TRUE(
        run(store->put({.bucket = BucketName("data"), .key = ObjectKey("after")}, *reader)));
  }

  // Cuts it at any moment of workloads. `keys`: what the store, which was made in the clear,
  // encrypts with from then on; nullptr: it does not.
  void cut_the_power(const std::shared_ptr<const RootKeys>& keys);

  virtual Random& random() { return random_; }

  TemporaryDirectory directory_;
  SystemClock clock_;
  SystemRandom random_;
  std::shared_ptr<const RootKeys> root_keys_;
};

// One writer: puts of all sizes, removals, multipart uploads and copies on keys of its own.
class Writer {
 public:
  Writer(LocalStore& store, const DiskRecorder& recorder, History& history, int number,
         std::uint64_t seed)
      : store_(store), recorder_(recorder), history_(history), number_(number), dice_(seed) {}

  asio::awaitable<void> work(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      const std::string key = fmt::format("w{}/k{}", number_, dice_() % 3);
      auto& writes = history_[key];
      writes.push_back({.body = {}, .begun = recorder_.now()});
      const auto choice = dice_() % 10;
      Result<void> done;
      if (choice < 2) {
        done = co_await remove(key);
      } else {
        writes.back().body = fmt::format("{}#{}:", key, round) +
                             pattern_text(dice_() % (choice < 6 ? inline_bytes : 4 * inline_bytes),
                                          static_cast<unsigned>(dice_()));
        done = choice == 8 ? co_await put_in_parts(key, *writes.back().body)
                           : co_await put(key, *writes.back().body);
      }
      EXPECT_TRUE(done) << done.error().context;
      writes.back().answered = recorder_.now();
      if (choice == 9) co_await copy(key);
    }
  }

 private:
  asio::awaitable<Result<void>> put(std::string key, std::string body) {
    PutRequest request{.bucket = BucketName("data"), .key = ObjectKey(key)};
    auto reader = make_string_reader(std::move(body));
    auto done = co_await store_.put(std::move(request), *reader);
    if (!done) co_return std::unexpected(done.error());
    co_return Result<void>();
  }
  asio::awaitable<Result<void>> remove(std::string key) {
    DeleteRequest request{.bucket = BucketName("data"), .key = ObjectKey(key)};
    auto done = co_await store_.remove(std::move(request));
    if (!done && done.error().code != ErrorCode::no_such_key)
      co_return std::unexpected(done.error());
    co_return Result<void>();
  }
  asio::awaitable<Result<void>> put_in_parts(std::string key, std::string body) {
    CreateUploadRequest create{.bucket = BucketName("data"), .key = ObjectKey(key)};
    auto upload = co_await store_.create_upload(std::move(create));
    if (!upload) co_return std::unexpected(upload.error());
    PartRequest part{
        .bucket = BucketName("data"), .key = ObjectKey(key), .upload = *upload, .number = 1};
    auto reader = make_string_reader(std::move(body));
    auto stored = co_await store_.put_part(std::move(part), *reader);
    if (!stored) co_return std::unexpected(stored.error());
    CompleteRequest complete{
        .bucket = BucketName("data"), .key = ObjectKey(key), .upload = *upload};
    complete.parts.push_back({.number = 1, .etag = stored->etag});
    auto done = co_await store_.complete_upload(std::move(complete));
    if (!done) co_return std::unexpected(done.error());
    co_return Result<void>();
  }
  asio::awaitable<void> copy(std::string from) {
    const std::string to = fmt::format("w{}/copy", number_);
    auto& writes = history_[to];
    writes.push_back({.body = history_[from].back().body, .begun = recorder_.now()});
    CopyRequest request;
    request.source_bucket = request.bucket = BucketName("data");
    request.source_key = ObjectKey(from);
    request.key = ObjectKey(to);
    auto done = co_await store_.copy(std::move(request));
    EXPECT_TRUE(done) << done.error().context;
    writes.back().answered = recorder_.now();
  }

  LocalStore& store_;
  const DiskRecorder& recorder_;
  History& history_;
  int number_;
  std::mt19937_64 dice_;
};

void work(LocalStore& store, const DiskRecorder& recorder, History& history, std::uint64_t seed,
          int rounds) {
  asio::io_context& context = test::own_context();
  context.restart();
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < 4; ++i) {
    writers.push_back(std::make_unique<Writer>(store, recorder, history, i,
                                               seed * 100 + static_cast<unsigned>(i)));
    asio::co_spawn(context, writers.back()->work(rounds), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
  }
  context.run();
}

void CrashTest::cut_the_power(const std::shared_ptr<const RootKeys>& keys) {
  const auto limit = std::chrono::seconds(is_long() ? 600 : 20);
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t images = 0;
  const std::uint64_t first = first_seed();
  std::uint64_t seed = first;
  for (; images == 0 || std::chrono::steady_clock::now() - begun < limit; ++seed) {
    SCOPED_TRACE(fmt::format("HOLDFAST_CRASH_SEED={}", seed));
    const std::string path = directory_.path() + "/store";
    std::filesystem::remove_all(path);
    History history;
    root_keys_.reset();
    {
      auto store = open(path);
      ASSERT_NE(store, nullptr);
      ASSERT_TRUE(run(store->create_bucket(BucketName("data"), false)));
    }
    DiskRecorder recorder(path);
    root_keys_ = keys;
    {
      auto store = open(path);
      ASSERT_NE(store, nullptr);
      work(*store, recorder, history, seed, 12);
    }
    std::mt19937_64 dice(seed);
    const std::size_t all = recorder.now();
    ASSERT_GT(all, 100u);
    for (int tries = 0; tries < 25; ++tries, ++images) {
      const std::size_t moment = dice() % (all + 1);
      const auto loss = static_cast<Loss>(dice() % 3);
      SCOPED_TRACE(fmt::format("moment {} of {}, loss {}", moment, all, static_cast<int>(loss)));
      const std::string image = directory_.path() + "/image";
      recorder.write_image(image, moment, loss, dice);
      check_image(image, history, moment);
      std::filesystem::remove_all(image);
      if (HasFatalFailure()) return;
    }
  }
  RecordProperty("images", std::to_string(images));
  fmt::print("{} images of {} workloads held\n", images, seed - first);
}

TEST_F(CrashTest, APowerCutAtAnyMomentLosesNothingAcknowledgedAndLeavesNothingHalf) {
  cut_the_power(nullptr);
}

TEST_F(CrashTest, APowerCutLosesNothingOfAStoreThatBeginsToEncryptEither) {
  cut_the_power(RootKeyFolder().fresh(random_));
}

TEST_F(CrashTest, APowerCutDuringTheRecoveryFromAPowerCutLosesNothingEither) {
  std::mt19937_64 dice(first_seed() + 7);
  const int workloads = is_long() ? 40 : 3;
  for (int i = 0; i < workloads; ++i) {
    const std::string path = directory_.path() + "/store";
    std::filesystem::remove_all(path);
    History history;
    const std::string first = directory_.path() + "/first";
    std::filesystem::remove_all(first);
    std::size_t moment = 0;
    {
      open(path).reset();
      std::filesystem::create_directories(path);
      DiskRecorder recorder(path);
      auto store = open(path);
      ASSERT_NE(store, nullptr);
      ASSERT_TRUE(run(store->create_bucket(BucketName("data"), false)));
      const std::size_t made = recorder.now();
      work(*store, recorder, history, dice(), 8);
      moment = made + dice() % (recorder.now() - made + 1);
      recorder.write_image(first, moment, Loss::some, dice);
    }
    DiskRecorder recorder(first);
    open(first).reset();
    for (int again = 0; again < 8; ++again) {
      const std::size_t second_moment = dice() % (recorder.now() + 1);
      SCOPED_TRACE(fmt::format("seed {}, moment {}, then {} of {} of the recovery", first_seed(),
                               moment, second_moment, recorder.now()));
      const std::string second = directory_.path() + "/second";
      recorder.write_image(second, second_moment, static_cast<Loss>(dice() % 3), dice);
      check_image(second, history, moment);
      std::filesystem::remove_all(second);
      if (HasFatalFailure()) return;
    }
  }
}

// --- The instants of one commit, by name: docs/SEMANTICS.md lists them.

class InstantsTest : public CrashTest {
 protected:
  struct Seen {
    std::vector<std::string> instants;  // repeated ones once
    std::size_t durable_at = 0;         // from here on only the new state is right
  };

  // Does `change` to a store that holds "key" = "old", then stops at each operation of the disk.
  template <class Change>
  Seen stop_at_each_instant(Change change, const std::optional<std::string>& expected) {
    Seen seen;
    const std::string path = directory_.path() + "/store";
    {
      auto store = open(path);
      EXPECT_TRUE(run(store->create_bucket(BucketName("data"), false)));
      EXPECT_TRUE(put(*store, "key", "old"));
      EXPECT_TRUE(put(*store, "source", std::string(5000, 's')));
    }
    auto store = open(path);
    DiskRecorder recorder(path);
    change(*store);
    const std::size_t answered = recorder.now();
    std::mt19937_64 dice(1);
    for (std::size_t moment = 0; moment <= answered; ++moment) {
      std::string name = "answered";
      if (moment < answered) name = recorder.instant(moment);
      if (seen.instants.empty() || seen.instants.back() != name) seen.instants.push_back(name);
      if (moment > 0 && recorder.instant(moment - 1) == "log durable") seen.durable_at = moment;
      for (const auto loss : {Loss::nothing, Loss::unsynced, Loss::some, Loss::some}) {
        SCOPED_TRACE(
            fmt::format("stopped before: {} ({}), loss {}", name, moment, static_cast<int>(loss)));
        const std::string image = directory_.path() + "/image";
        recorder.write_image(image, moment, loss, dice);
        auto after = open(image);
        if (after == nullptr) return seen;
        auto found = get(*after, "key");
        EXPECT_TRUE(found) << found.error().context;
        if (!found) return seen;
        const bool is_new = *found == expected;
        EXPECT_TRUE(is_new || *found == "old") << (*found ? (*found)->substr(0, 30) : "absent");
        if (moment == answered) EXPECT_TRUE(is_new) << "acknowledged, and lost";
        after.reset();
        std::filesystem::remove_all(image);
      }
    }
    EXPECT_GT(seen.durable_at, 0u) << "nothing made it durable before the answer";
    return seen;
  }
  static Result<PutResult> put(LocalStore& store, const std::string& key, std::string body) {
    auto reader = make_string_reader(std::move(body));
    return run(store.put({.bucket = BucketName("data"), .key = ObjectKey(key)}, *reader));
  }
  // One write after another, so it need not be thread-safe. By other names a blob finds the
  // directory of an earlier one about once in 128 runs, and an instant is missing.
  Random& random() override { return seeded_; }
  // Whether `wanted` come in this order, with anything between them.
  static bool in_order(const std::vector<std::string>& instants,
                       const std::vector<std::string>& wanted) {
    auto next = wanted.begin();
    for (const auto& name : instants) {
      if (next != wanted.end() && name == *next) ++next;
    }
    return next == wanted.end();
  }

 private:
  SeededRandom seeded_{1};
};

TEST_F(InstantsTest, OfASmallWriteAreWholeOldOrWholeNew) {
  const auto seen =
      stop_at_each_instant([](LocalStore& store) { EXPECT_TRUE(put(store, "key", "new")); }, "new");
  EXPECT_TRUE(in_order(seen.instants, {"log written", "log durable", "answered"}))
      << fmt::format("{}", fmt::join(seen.instants, ", "));
}

TEST_F(InstantsTest, OfALargeWriteAreWholeOldOrWholeNew) {
  const std::string body = pattern_text(300'000);
  const auto seen =
      stop_at_each_instant([&](LocalStore& store) { EXPECT_TRUE(put(store, "key", body)); }, body);
  EXPECT_TRUE(
      in_order(seen.instants, {"blob written", "blob durable", "blob directory made", "blob named",
                               "blob directory durable", "log written", "log durable", "answered"}))
      << fmt::format("{}", fmt::join(seen.instants, ", "));
}

TEST_F(InstantsTest, OfARemovalAreWholeOldOrWholeNew) {
  const auto seen = stop_at_each_instant(
      [](LocalStore& store) {
        EXPECT_TRUE(run(store.remove({.bucket = BucketName("data"), .key = ObjectKey("key")})));
      },
      std::nullopt);
  EXPECT_TRUE(in_order(seen.instants, {"log written", "log durable", "answered"}));
}

TEST_F(InstantsTest, OfACopyAreWholeOldOrWholeNew) {
  const auto seen = stop_at_each_instant(
      [](LocalStore& store) {
        CopyRequest request;
        request.source_bucket = request.bucket = BucketName("data");
        request.source_key = ObjectKey("source");
        request.key = ObjectKey("key");
        EXPECT_TRUE(run(store.copy(std::move(request))));
      },
      std::string(5000, 's'));
  EXPECT_TRUE(in_order(seen.instants, {"log written", "log durable", "answered"}));
}

TEST_F(InstantsTest, OfACompletedUploadAreWholeOldOrWholeNew) {
  const std::string body = pattern_text(6000);
  const auto seen = stop_at_each_instant(
      [&](LocalStore& store) {
        auto upload =
            run(store.create_upload({.bucket = BucketName("data"), .key = ObjectKey("key")}));
        ASSERT_TRUE(upload);
        auto reader = make_string_reader(body);
        auto part = run(store.put_part(
            {.bucket = BucketName("data"), .key = ObjectKey("key"), .upload = *upload, .number = 1},
            *reader));
        ASSERT_TRUE(part);
        CompleteRequest complete{
            .bucket = BucketName("data"), .key = ObjectKey("key"), .upload = *upload};
        complete.parts.push_back({.number = 1, .etag = part->etag});
        EXPECT_TRUE(run(store.complete_upload(std::move(complete))));
      },
      body);
  EXPECT_TRUE(in_order(seen.instants, {"blob durable", "log written", "log durable", "answered"}));
}

TEST_F(CrashTest, TheRecorderSeesAWriteThatIsNotMadeDurable) {
  // The proof that this file can fail: without fsync an acknowledged write may be lost.
  const std::string path = directory_.path() + "/store";
  auto careless = options(path);
  careless.sync = false;
  {
    auto store = LocalStore::open(careless, clock_, random_);
    ASSERT_TRUE(store);
    ASSERT_TRUE(run((*store)->create_bucket(BucketName("data"), false)));
  }
  auto store = LocalStore::open(careless, clock_, random_);
  ASSERT_TRUE(store);
  DiskRecorder recorder(path);
  auto reader = make_string_reader("lost");
  ASSERT_TRUE(run((*store)->put({.bucket = BucketName("data"), .key = ObjectKey("key")}, *reader)));
  std::mt19937_64 dice(1);
  const std::string image = directory_.path() + "/image";
  recorder.write_image(image, recorder.now(), Loss::unsynced, dice);
  auto after = open(image);
  ASSERT_NE(after, nullptr);
  auto found = get(*after, "key");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

}  // namespace
}  // namespace holdfast::store

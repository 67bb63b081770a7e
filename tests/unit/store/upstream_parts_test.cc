// What UpstreamStore is put together from: the ring that stands in for a change feed, the locks
// that make conditions judged here hold, the file of credentials.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <fstream>

#include "store/change_ring.h"
#include "store/file_credentials.h"
#include "store/key_locks.h"
#include "store_test.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

class ChangeRingTest : public StoreTest {
 protected:
  ChangeRingTest() { clock_.advance(10s); }

  ChangesPage read(ChangeRing& ring, std::optional<std::uint64_t> after, std::uint32_t limit = 1000,
                   std::string prefix = "") {
    ChangesRequest request{.bucket = bucket_, .prefix = std::move(prefix), .after = after};
    request.limit = limit;
    return run(ring.read(std::move(request))).value();
  }
  void note(ChangeRing& ring, const std::string& key) {
    ring.note(bucket_, Change{.kind = ChangeKind::put, .key = ObjectKey(key)});
  }
};

TEST_F(ChangeRingTest, WhatIsNotedIsReadInPagesAndByPrefix) {
  ChangeRing ring(clock_, {});
  const auto start = read(ring, std::nullopt).next;
  for (const char* key : {"a/1", "b/1", "a/2", "a/3"}) note(ring, key);
  auto page = read(ring, start, 2, "a/");
  ASSERT_EQ(page.changes.size(), 2u);
  EXPECT_EQ(page.changes[1].key.value, "a/2");
  EXPECT_EQ(page.next, page.changes[1].sequence);
  page = read(ring, page.next, 2, "a/");
  ASSERT_EQ(page.changes.size(), 1u);
  EXPECT_EQ(page.changes[0].key.value, "a/3");
  EXPECT_TRUE(read(ring, page.next).changes.empty());
}

TEST_F(ChangeRingTest, AReaderListsAgainAfterAWhileForOthersMayHaveWritten) {
  ChangeRing ring(clock_, {.relist = 60s});
  const auto start = read(ring, std::nullopt).next;
  clock_.advance(50s);
  note(ring, "k");
  const auto page = read(ring, start);
  EXPECT_FALSE(page.reset);
  EXPECT_EQ(page.changes.size(), 1u);
  clock_.advance(15s);
  const auto late = read(ring, page.next);
  EXPECT_TRUE(late.reset);
  EXPECT_FALSE(read(ring, late.next).reset) << "the listing began the time anew";
}

TEST_F(ChangeRingTest, WhereNobodyElseWritesNoListingIsAsked) {
  ChangeRing ring(clock_, {.relist = 0s});
  const auto start = read(ring, std::nullopt).next;
  clock_.advance(std::chrono::hours(1000));
  EXPECT_FALSE(read(ring, start).reset);
}

TEST_F(ChangeRingTest, APositionOfAnEarlierProcessAsksForAListing) {
  std::uint64_t old = 0;
  {
    ChangeRing before(clock_, {});
    note(before, "k");
    old = read(before, std::nullopt).next;
  }
  clock_.advance(5s);
  ChangeRing ring(clock_, {});
  note(ring, "k");
  const auto page = read(ring, old);
  EXPECT_TRUE(page.reset);
  EXPECT_FALSE(read(ring, page.next).reset);
  EXPECT_TRUE(read(ring, 7).reset) << "no position of any process";
}

TEST_F(ChangeRingTest, EntriesThatWereForgottenAskForAListing) {
  ChangeRing ring(clock_, {.entries = 3});
  const auto start = read(ring, std::nullopt).next;
  for (int i = 0; i < 4; ++i) note(ring, "k");
  EXPECT_TRUE(read(ring, start).reset);
}

TEST_F(ChangeRingTest, AWaitEndsWithANoteOrWithTheBucket) {
  ChangeRing ring(clock_, {});
  const auto start = read(ring, std::nullopt).next;
  const auto waiting = [&](auto wake) {
    boost::asio::steady_timer timer(io_, 20ms);
    timer.async_wait([&](auto) { wake(); });
    ChangesRequest request{.bucket = bucket_, .after = start, .wait = 20s};
    const auto begun = std::chrono::steady_clock::now();
    auto page = run(ring.read(std::move(request)));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
    return page;
  };
  EXPECT_EQ(waiting([&] { note(ring, "k"); })->changes.size(), 1u);
  const auto end = read(ring, std::nullopt).next;
  boost::asio::steady_timer timer(io_, 20ms);
  timer.async_wait([&](auto) { ring.forget(bucket_); });
  ChangesRequest request{.bucket = bucket_, .after = end, .wait = 20s};
  EXPECT_EQ(outcome(run(ring.read(std::move(request)))), "no such bucket");
}

class KeyLocksTest : public StoreTest {
 protected:
  using Lock = std::shared_ptr<KeyLocks::Held>;

  static Async<Lock> take(KeyLocks& locks, BucketName bucket, std::string key,
                          std::chrono::seconds limit) {
    auto held = co_await locks.acquire(std::move(bucket), ObjectKey(std::move(key)), limit);
    if (!held) co_return std::unexpected(held.error());
    co_return std::make_shared<KeyLocks::Held>(std::move(*held));
  }
  Result<Lock> take(const std::string& key, std::chrono::seconds limit = 20s) {
    return run(take(locks_, bucket_, key, limit));
  }
  KeyLocks locks_;
};

TEST_F(KeyLocksTest, OneHoldsAKeyAndTheNextComesWhenItIsReleased) {
  auto first = take("k");
  ASSERT_EQ(outcome(first), "ok");
  EXPECT_EQ(outcome(take("other")), "ok");
  EXPECT_EQ(outcome(take("k", 0s)), "conflict");
  boost::asio::steady_timer timer(io_, 20ms);
  timer.async_wait([&](auto) { first->reset(); });
  EXPECT_EQ(outcome(take("k")), "ok");
}

class FileCredentialsTest : public StoreTest {
 protected:
  FileCredentialsTest() { path_ = std::tmpnam(nullptr) + std::to_string(::getpid()); }
  ~FileCredentialsTest() override { ::unlink(path_.c_str()); }
  void write_file(const std::string& text, ::mode_t mode = 0600) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
  }
  static std::string pair(const std::string& key) {
    return "[default]\naws_access_key_id = " + key + "\naws_secret_access_key=s " + "\n";
  }
  std::string path_;
};

TEST_F(FileCredentialsTest, AProfileIsFoundAmongOthers) {
  const std::string text =
      "# ours\n[default]\naws_access_key_id=A\naws_secret_access_key=B\n"
      "[ other ]\n aws_access_key_id = C \r\naws_secret_access_key = D=D\naws_session_token = E\n";
  const auto other = parse_credentials(text, "other");
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->access_key, "C");
  EXPECT_EQ(other->secret_key, "D=D");
  EXPECT_EQ(other->session_token, "E");
  EXPECT_EQ(outcome(parse_credentials(text, "none")), "malformed");
  EXPECT_EQ(outcome(parse_credentials("[default]\naws_access_key_id=A\n", "default")), "malformed");
}

TEST_F(FileCredentialsTest, AFileThatOthersMayReadIsRefused) {
  EXPECT_EQ(outcome(FileCredentials::open(path_, "default", clock_)), "not found");
  write_file(pair("A"), 0640);
  EXPECT_EQ(outcome(FileCredentials::open(path_, "default", clock_)), "access denied");
  write_file(pair("A"));
  EXPECT_EQ(outcome(FileCredentials::open(path_, "default", clock_)), "ok");
}

TEST_F(FileCredentialsTest, ANewPairIsTakenUpAndABrokenFileLeavesTheOldOne) {
  write_file(pair("OLD"));
  auto file = FileCredentials::open(path_, "default", clock_);
  ASSERT_EQ(outcome(file), "ok");
  EXPECT_EQ(run((*file)->credentials())->access_key, "OLD");
  write_file(pair("NEWER"));
  clock_.advance(2s);
  EXPECT_EQ(run((*file)->credentials())->access_key, "NEWER");
  write_file("nothing of the kind");
  clock_.advance(2s);
  EXPECT_EQ(run((*file)->credentials())->access_key, "NEWER");
}

}  // namespace
}  // namespace holdfast::store

// What the tests of the local store share: a directory of their own and a way to run coroutines.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/body.h"
#include "base/clock.h"
#include "base/random.h"
#include "store/local_store.h"
#include "tests/unit/base/run.h"

namespace holdfast::store {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using test::run;

inline std::string pattern_text(std::size_t bytes, unsigned seed = 1) {
  std::string text(bytes, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (auto& byte : text) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return text;
}

class LocalStoreTest : public ::testing::Test {
 protected:
  LocalStoreOptions options() const {
    LocalStoreOptions wanted;
    wanted.directory = directory.path() + "/store";
    wanted.sync = false;  // the tests that need durability against power loss say so
    wanted.reserve_bytes = 0;
    return wanted;
  }
  void open() { open(options()); }
  void open(const LocalStoreOptions& wanted) {
    store.reset();
    auto opened = LocalStore::open(wanted, clock, random);
    ASSERT_TRUE(opened) << opened.error().context;
    store = std::move(*opened);
  }
  void close() { store.reset(); }

  void make_bucket(const std::string& name, Versioning versioning = Versioning::unversioned) {
    auto made = run(store->create_bucket(BucketName(name), false));
    ASSERT_TRUE(made) << made.error().context;
    if (versioning == Versioning::unversioned) return;
    ASSERT_TRUE(run(store->set_versioning(BucketName(name), versioning)));
  }
  Result<PutResult> put(const std::string& bucket, const std::string& key, std::string text,
                        WriteConditions conditions = {}) {
    PutRequest request;
    request.bucket = BucketName(bucket);
    request.key = ObjectKey(key);
    request.conditions = std::move(conditions);
    auto reader = make_string_reader(std::move(text));
    return run(store->put(std::move(request), *reader));
  }
  CompleteRequest begin_upload(const std::string& bucket, const std::string& key) {
    CreateUploadRequest create;
    create.bucket = BucketName(bucket);
    create.key = ObjectKey(key);
    auto upload = run(store->create_upload(create));
    EXPECT_TRUE(upload) << upload.error().context;
    return {.bucket = create.bucket, .key = create.key, .upload = upload.value_or(UploadId())};
  }
  CompletedPart put_part(const CompleteRequest& upload, std::uint32_t number, std::string text) {
    PartRequest part{.bucket = upload.bucket, .key = upload.key, .upload = upload.upload};
    part.number = number;
    auto reader = make_string_reader(std::move(text));
    auto done = run(store->put_part(std::move(part), *reader));
    EXPECT_TRUE(done) << done.error().context;
    return {number, done ? done->etag : ETag(), {}};
  }
  Result<GetResult> get_result(GetRequest request) { return run(store->get(std::move(request))); }
  static GetRequest get_request(const std::string& bucket, const std::string& key) {
    GetRequest request;
    request.bucket = BucketName(bucket);
    request.key = ObjectKey(key);
    return request;
  }
  Result<std::string> text_of(Result<GetResult> result) {
    if (!result) return std::unexpected(result.error());
    auto reader = make_reader(std::move(result->body));
    return run(read_all(*reader, 1u << 30));
  }
  Result<std::string> get(const std::string& bucket, const std::string& key) {
    return text_of(get_result(get_request(bucket, key)));
  }
  Result<DeleteResult> remove(const std::string& bucket, const std::string& key,
                              std::optional<VersionId> version = {}) {
    DeleteRequest request;
    request.bucket = BucketName(bucket);
    request.key = ObjectKey(key);
    request.version = std::move(version);
    return run(store->remove(std::move(request)));
  }
  ListPage list(const std::string& bucket, const std::string& prefix = {},
                const std::string& delimiter = {}) {
    ListRequest request;
    request.bucket = BucketName(bucket);
    request.prefix = prefix;
    request.delimiter = delimiter;
    auto page = run(store->list(std::move(request)));
    EXPECT_TRUE(page) << page.error().context;
    return page ? std::move(*page) : ListPage();
  }
  std::size_t count_blobs() const {
    std::size_t count = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(options().directory + "/blobs")) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }

  TemporaryDirectory directory;
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<LocalStore> store;
};

}  // namespace holdfast::store

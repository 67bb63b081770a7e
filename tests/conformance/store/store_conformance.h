// The executable form of store/object_store.h. Every implementation links the same tests and names
// itself in a Backend; what a backend cannot do is said in its traits, so that nothing is skipped
// silently. Each test runs on its own io_context, in its own bucket.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace holdfast::store {

// A store that is open, with all that it stands on (directory, server, threads).
class OpenStore {
 public:
  virtual ~OpenStore() = default;
  virtual ObjectStore& store() = 0;
};

// Where an endpoint that is not ours departs from S3 as it is documented. A test that meets one of
// these expects what the endpoint does instead, so that it is seen when that changes.
enum class Departure : std::uint8_t {
  keeps_no_checksums,       // x-amz-checksum-* are ignored
  knows_no_part_numbers,    // partNumber of a read is ignored: not_supported here
  takes_all_parts_or_none,  // a completion names every part that was sent
  takes_utf8_keys_only,
  names_no_marker,            // reading a delete marker by its version: it is merely absent
  groups_no_uploads,          // a delimiter of a listing of uploads is ignored
  checks_sizes_before_order,  // of a completion's parts
  forgets_completions,  // a completion asked again, of another key or behind a newer write, fails
  locks_only_new_buckets,     // Object Lock comes with the bucket or never
  rewrites_documents,         // the order of elements changes
  ignores_write_conditions,   // of copies, completions, deletions; PUT takes If-None-Match: * only
                              // works
  ignores_source_conditions,  // of copies
  has_no_feed,
};

struct Backend {
  std::string name;
  std::function<std::unique_ptr<OpenStore>(boost::asio::io_context&)> open;
  bool tells_sequences = true;  // PutResult and ObjectInfo carry them (S3 does not)
  std::set<Departure> departures{};
};

inline void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }

// "ok" or the error's name: comparing text makes a failure readable.
template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : std::string(to_string(result.error().code));
}

class StoreConformance : public testing::TestWithParam<Backend> {
 protected:
  StoreConformance();
  ~StoreConformance() override;

  ObjectStore& store() { return open_->store(); }
  static bool departs(Departure departure) { return GetParam().departures.contains(departure); }
  boost::asio::io_context& io() { return io_; }

  template <class T>
  T run(boost::asio::awaitable<T> operation) {
    std::optional<T> answer;
    std::exception_ptr error;
    boost::asio::co_spawn(io_, std::move(operation), [&](std::exception_ptr e, T value) {
      error = e;
      answer.emplace(std::move(value));
    });
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!answer && std::chrono::steady_clock::now() < limit) {
      io_.run_one_for(std::chrono::seconds(1));
    }
    if (error) std::rethrow_exception(error);
    if (!answer) throw std::runtime_error("the store did not answer within a minute");
    return std::move(*answer);
  }

  BucketName new_bucket(Versioning versioning = Versioning::unversioned);
  Result<PutResult> put(const BucketName& bucket, const std::string& key, std::string text,
                        WriteConditions conditions = {});
  Result<PutResult> put(PutRequest request, std::string text);
  // The body, read to its end.
  Result<std::string> read(GetRequest request);
  Result<std::string> read(const BucketName& bucket, const std::string& key,
                           std::optional<VersionId> version = std::nullopt);
  Result<GetResult> head(const BucketName& bucket, const std::string& key,
                         std::optional<VersionId> version = std::nullopt);
  Result<DeleteResult> remove(const BucketName& bucket, const std::string& key,
                              std::optional<VersionId> version = std::nullopt);
  Result<UploadId> start_upload(const BucketName& bucket, const std::string& key);
  Result<PartInfo> put_part(const BucketName& bucket, const std::string& key,
                            const UploadId& upload, std::uint32_t number, std::string text);

  // Where there is no feed: expects that its absence is told.
  bool has_no_feed(const BucketName& bucket);
  BucketName new_locked_bucket();
  Retention retention_of(const BucketName& bucket, const std::string& key);
  // Of the key "k".
  std::string change(const BucketName& bucket, std::optional<LockPeriod> period,
                     std::optional<bool> hold);

  // Every page of a listing: keys, then common prefixes with a leading "> ".
  std::vector<std::string> list_all(ListRequest request);
  // Every page of a listing of versions.
  std::vector<ObjectInfo> all_versions(ListVersionsRequest request);

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::unique_ptr<OpenStore> open_;
};

// Gives bytes in small bites, then the error, if there is one, or the end.
class BitingReader final : public BodyReader {
 public:
  explicit BitingReader(std::string bytes, std::optional<Error> error = std::nullopt,
                        std::optional<std::uint64_t> declared = std::nullopt)
      : bytes_(std::move(bytes)), error_(std::move(error)), declared_(declared) {}
  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override;
  std::optional<std::uint64_t> size() const override { return declared_; }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
  std::optional<std::uint64_t> declared_;
};

}  // namespace holdfast::store

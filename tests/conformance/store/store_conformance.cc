#include "store_conformance.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace holdfast::store {

StoreConformance::StoreConformance() : guard_(io_.get_executor()), open_(GetParam().open(io_)) {}
StoreConformance::~StoreConformance() = default;

BucketName StoreConformance::new_bucket(Versioning versioning) {
  static std::atomic<unsigned> count = 0;
  const BucketName name(fmt::format("conformance-{}-{}", ::getpid(), ++count));
  EXPECT_EQ(outcome(run(store().create_bucket(name, false))), "ok");
  if (versioning != Versioning::unversioned) {
    EXPECT_EQ(outcome(run(store().set_versioning(name, versioning))), "ok");
  }
  return name;
}

BucketName StoreConformance::new_locked_bucket() {
  static std::atomic<unsigned> count = 0;
  const BucketName bucket(fmt::format("locked-{}-{}", ::getpid(), ++count));
  EXPECT_EQ(outcome(run(store().create_bucket(bucket, true))), "ok");
  return bucket;
}

Retention StoreConformance::retention_of(const BucketName& bucket, const std::string& key) {
  auto found = head(bucket, key);
  EXPECT_EQ(outcome(found), "ok");
  return found ? found->info.retention : Retention();
}

std::string StoreConformance::change(const BucketName& bucket, std::optional<LockPeriod> period,
                                     std::optional<bool> hold) {
  LockRequest request{.bucket = bucket, .key = ObjectKey("k"), .period = period};
  request.legal_hold = hold;
  return outcome(run(store().set_lock(std::move(request))));
}

Result<PutResult> StoreConformance::put(PutRequest request, std::string text) {
  auto body = make_string_reader(std::move(text));
  return run(store().put(std::move(request), *body));
}

Result<PutResult> StoreConformance::put(const BucketName& bucket, const std::string& key,
                                        std::string text, WriteConditions conditions) {
  PutRequest request{.bucket = bucket, .key = ObjectKey(key), .conditions = std::move(conditions)};
  request.size = text.size();
  return put(std::move(request), std::move(text));
}

Result<std::string> StoreConformance::read(GetRequest request) {
  auto got = run(store().get(std::move(request)));
  if (!got) return std::unexpected(got.error());
  const std::uint64_t length = got->length;
  auto reader = make_reader(std::move(got->body));
  auto text = run(read_all(*reader, 1u << 30));
  if (text) EXPECT_EQ(text->size(), length);
  return text;
}

Result<std::string> StoreConformance::read(const BucketName& bucket, const std::string& key,
                                           std::optional<VersionId> version) {
  return read(GetRequest{.bucket = bucket, .key = ObjectKey(key), .version = std::move(version)});
}

bool StoreConformance::has_no_feed(const BucketName& bucket) {
  if (!departs(Departure::has_no_feed)) return false;
  EXPECT_EQ(outcome(run(store().changes({.bucket = bucket}))), "not supported");
  return true;
}

Result<GetResult> StoreConformance::head(const BucketName& bucket, const std::string& key,
                                         std::optional<VersionId> version) {
  return run(store().head(
      GetRequest{.bucket = bucket, .key = ObjectKey(key), .version = std::move(version)}));
}

Result<DeleteResult> StoreConformance::remove(const BucketName& bucket, const std::string& key,
                                              std::optional<VersionId> version) {
  return run(store().remove(
      DeleteRequest{.bucket = bucket, .key = ObjectKey(key), .version = std::move(version)}));
}

Result<UploadId> StoreConformance::start_upload(const BucketName& bucket, const std::string& key) {
  return run(store().create_upload(CreateUploadRequest{.bucket = bucket, .key = ObjectKey(key)}));
}

Result<PartInfo> StoreConformance::put_part(const BucketName& bucket, const std::string& key,
                                            const UploadId& upload, std::uint32_t number,
                                            std::string text) {
  PartRequest request{.bucket = bucket, .key = ObjectKey(key), .upload = upload, .number = number};
  request.size = text.size();
  auto body = make_string_reader(std::move(text));
  return run(store().put_part(std::move(request), *body));
}

std::vector<std::string> StoreConformance::list_all(ListRequest request) {
  std::vector<std::string> all;
  for (int pages = 0; pages < 10'000; ++pages) {
    auto page = run(store().list(request));
    EXPECT_EQ(outcome(page), "ok");
    if (!page) return all;
    EXPECT_LE(page->objects.size() + page->common_prefixes.size(), request.max_keys);
    for (const auto& info : page->objects) all.push_back(info.key.value);
    for (const auto& prefix : page->common_prefixes) all.push_back("> " + prefix);
    if (!page->truncated) return all;
    EXPECT_FALSE(page->next.empty());
    request.start_after = page->next;
  }
  ADD_FAILURE() << "the listing does not end";
  return all;
}

std::vector<ObjectInfo> StoreConformance::all_versions(ListVersionsRequest request) {
  std::vector<ObjectInfo> all;
  for (int pages = 0; pages < 10'000; ++pages) {
    auto page = run(store().list_versions(request));
    EXPECT_EQ(outcome(page), "ok");
    if (!page) return all;
    EXPECT_LE(page->versions.size() + page->common_prefixes.size(), request.max_keys);
    std::ranges::move(page->versions, std::back_inserter(all));
    if (!page->truncated) return all;
    request.key_marker = page->next_key;
    request.version_marker.reset();
    if (!page->next_version.empty()) request.version_marker = page->next_version;
  }
  ADD_FAILURE() << "the listing does not end";
  return all;
}

boost::asio::awaitable<Result<std::size_t>> BitingReader::read(std::span<std::byte> out) {
  const std::size_t n = std::min({out.size(), bytes_.size() - at_, std::size_t{1000}});
  if (n == 0 && error_) co_return std::unexpected(*error_);
  std::memcpy(out.data(), bytes_.data() + at_, n);
  at_ += n;
  co_return n;
}

}  // namespace holdfast::store

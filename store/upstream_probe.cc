// Which of S3's promises the endpoint keeps: asked by doing, since none says so.
#include <spdlog/spdlog.h>

#include <utility>

#include "base/log.h"
#include "store/history.h"
#include "store/upstream_store.h"

namespace holdfast::store {
namespace {

constexpr std::string_view text = "holdfast";
constexpr std::string_view another_etag = "00000000000000000000000000000000";

// The writes of one probe, on one key.
class Probe {
 public:
  Probe(S3Store& store, BucketName bucket, std::string key)
      : store_(store), bucket_(std::move(bucket)), key_(std::move(key)) {}

  Async<UpstreamAbilities> run() {
    UpstreamAbilities can;
    auto first = co_await put({});
    if (!first) co_return std::unexpected(first.error());
    GetRequest named{.bucket = bucket_, .key = key_};
    auto kept = co_await store_.head(std::move(named));
    if (!kept) co_return std::unexpected(kept.error());
    can.checksums = !kept->info.checksums.empty();
    const WriteConditions absent{.if_none_match_any = true};
    const WriteConditions other{.if_match = ETag(std::string(another_etag))};
    const WriteConditions same{.if_match = kept->info.etag};
    can.put_if_none_match = refused(co_await put(absent));
    can.put_if_match = refused(co_await put(other)) && (co_await put(same)).has_value();
    can.copy_source_conditions = refused(co_await copy_of_another());
    can.copy_conditions = refused(co_await copy(absent)) && refused(co_await copy(other));
    can.complete_conditions = refused(co_await upload(absent)) && refused(co_await upload(other));
    DeleteRequest removal{.bucket = bucket_, .key = key_, .conditions = other};
    can.delete_conditions = refused(co_await store_.remove(removal));
    co_return can;
  }

  // Every version that was made; an endpoint that ignores conditions made more than one.
  Async<void> clean() {
    auto versions = co_await history(store_, bucket_, key_, 100);
    if (!versions) co_return std::unexpected(versions.error());
    std::vector<DeleteRequest> removals;
    for (const auto& version : *versions) {
      removals.push_back({.bucket = bucket_, .key = key_, .version = version.version});
    }
    for (const auto& answer : co_await store_.remove_many(std::move(removals))) {
      if (!answer) co_return std::unexpected(answer.error());
    }
    co_return Result<void>();
  }

 private:
  template <class T>
  static bool refused(const Result<T>& result) {
    return !result && result.error().code == ErrorCode::precondition_failed;
  }

  Async<PutResult> put(WriteConditions conditions) {
    PutRequest request{.bucket = bucket_, .key = key_};
    request.conditions = std::move(conditions);
    request.size = text.size();
    auto body = make_string_reader(std::string(text));
    co_return co_await store_.put(std::move(request), *body);
  }
  Async<PutResult> copy(WriteConditions conditions) {
    CopyRequest request{.source_bucket = bucket_, .source_key = key_};
    request.bucket = bucket_;
    request.key = key_;
    request.conditions = std::move(conditions);
    request.replace = ObjectAttributes{};
    co_return co_await store_.copy(std::move(request));
  }
  Async<PutResult> copy_of_another() {
    CopyRequest request{.source_bucket = bucket_, .source_key = key_};
    request.source_conditions.if_match = {ETag(std::string(another_etag))};
    request.bucket = bucket_;
    request.key = key_;
    request.replace = ObjectAttributes{};
    co_return co_await store_.copy(std::move(request));
  }
  Async<PutResult> upload(WriteConditions conditions) {
    CreateUploadRequest create{.bucket = bucket_, .key = key_};
    auto id = co_await store_.create_upload(std::move(create));
    if (!id) co_return std::unexpected(id.error());
    PartRequest part{.bucket = bucket_, .key = key_, .upload = *id, .number = 1};
    part.size = text.size();
    auto body = make_string_reader(std::string(text));
    auto sent = co_await store_.put_part(std::move(part), *body);
    if (!sent) co_return std::unexpected(sent.error());
    CompleteRequest complete{.bucket = bucket_, .key = key_, .upload = *id};
    complete.parts = {{1, sent->etag, sent->checksums}};
    complete.conditions = std::move(conditions);
    auto done = co_await store_.complete_upload(std::move(complete));
    if (!done) (void)co_await store_.abort_upload(bucket_, key_, *id);
    co_return done;
  }

  S3Store& store_;
  BucketName bucket_;
  ObjectKey key_;
};

}  // namespace

Async<void> UpstreamStore::probe(BucketName bucket) {
  auto* s3 = co_await client();
  Probe probe(*s3, theirs(bucket), ".holdfast-probe");
  auto can = co_await probe.run();
  auto cleaned = co_await probe.clean();
  if (!can) co_return fail_within("a first write to the upstream bucket", can.error());
  if (!cleaned) spdlog::warn("store: the probe of the upstream store: {}", cleaned.error().context);
  abilities_ = *can;
  const auto word = [](bool yes) { return yes ? "upstream" : "here"; };
  spdlog::info(
      "store: upstream {} judges conditions of PUT {} (If-None-Match {}), of copies {} (source "
      "{}), "
      "of completions {}, of deletions {}; checksums are {}",
      options_.s3.endpoint, word(can->put_if_match), word(can->put_if_none_match),
      word(can->copy_conditions), word(can->copy_source_conditions), word(can->complete_conditions),
      word(can->delete_conditions), can->checksums ? "kept" : "checked, not kept");
  co_return Result<void>();
}

}  // namespace holdfast::store

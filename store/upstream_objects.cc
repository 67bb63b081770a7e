#include <iterator>
#include <utility>

#include "base/log.h"
#include "store/conditions.h"
#include "store/upstream_errors.h"
#include "store/upstream_store.h"

namespace holdfast::store {

bool UpstreamStore::all_conditions() const {
  const UpstreamAbilities& can = abilities_;
  return can.put_if_match && can.put_if_none_match && can.copy_conditions &&
         can.complete_conditions && can.delete_conditions;
}

Async<void> UpstreamStore::check_here(const GetRequest& named, const WriteConditions& conditions) {
  auto* s3 = co_await client();
  auto current = translate_upstream(co_await s3->head(named));
  if (!current && current.error().code != ErrorCode::no_such_key) {
    co_return std::unexpected(current.error());
  }
  co_return check_write(conditions, current ? &current->info : nullptr, named.key);
}

Async<std::optional<KeyLocks::Held>> UpstreamStore::guard(const BucketName& bucket,
                                                          const ObjectKey& key,
                                                          WriteConditions& conditions,
                                                          bool honoured) {
  if (all_conditions() && honoured) co_return std::nullopt;
  auto held = co_await locks_.acquire(bucket, key);
  if (!held) co_return std::unexpected(held.error());
  if (is_conditional(conditions) && !honoured) {
    const GetRequest named{.bucket = theirs(bucket), .key = key};
    if (auto good = co_await check_here(named, conditions); !good) {
      co_return std::unexpected(good.error());
    }
    conditions = {};
  }
  co_return std::optional<KeyLocks::Held>(std::move(*held));
}

// Judges a copy's conditions on its source where the endpoint does not; the copy is then tied to
// the version that was looked at, where there are versions.
Async<void> UpstreamStore::check_source(BucketName bucket, ObjectKey key,
                                        std::optional<VersionId>& version,
                                        ReadConditions& conditions) {
  const bool some = !conditions.if_match.empty() || !conditions.if_none_match.empty() ||
                    conditions.if_modified_since || conditions.if_unmodified_since;
  if (!some || abilities_.copy_source_conditions) co_return Result<void>();
  auto* s3 = co_await client();
  GetRequest named{.bucket = std::move(bucket), .key = std::move(key), .version = version};
  auto source = translate_upstream(co_await s3->head(std::move(named)));
  if (!source) co_return std::unexpected(source.error());
  if (auto good = check_copy_source(conditions, source->info); !good) co_return good;
  conditions = {};
  if (!version && source->info.version.value != "null") version = source->info.version;
  co_return Result<void>();
}

void UpstreamStore::note(const BucketName& bucket, const ObjectKey& key, const PutResult& result) {
  Change change{.kind = ChangeKind::put, .key = key, .version = result.version};
  change.etag = result.etag;
  change.size = result.size;
  change.time = result.modified;
  ring_.note(bucket, std::move(change));
}

void UpstreamStore::note(const DeleteRequest& request, const DeleteResult& result) {
  const bool marked = result.delete_marker && !request.version;
  Change change{.kind = marked ? ChangeKind::delete_marker : ChangeKind::version_removed,
                .key = request.key,
                .version = result.version};
  ring_.note(request.bucket, std::move(change));
}

Async<PutResult> UpstreamStore::put(PutRequest request, BodyReader& body) {
  const bool honoured = (!request.conditions.if_match || abilities_.put_if_match) &&
                        (!request.conditions.if_none_match_any || abilities_.put_if_none_match) &&
                        !request.conditions.if_none_match;
  auto held = co_await guard(request.bucket, request.key, request.conditions, honoured);
  if (!held) co_return std::unexpected(held.error());
  const BucketName bucket = request.bucket;
  const ObjectKey key = request.key;
  request.bucket = theirs(bucket);
  auto* s3 = co_await client();
  WatchedReader watched(body);
  auto result = watched.explain(co_await s3->put(std::move(request), watched));
  if (result) note(bucket, key, *result);
  co_return result;
}

Async<GetResult> UpstreamStore::get(GetRequest request) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->get(std::move(request)));
}

Async<GetResult> UpstreamStore::head(GetRequest request) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->head(std::move(request)));
}

// What a removal names: the version, else the latest, which may be a marker; nullopt: nothing.
Async<std::optional<ObjectInfo>> UpstreamStore::find_named(DeleteRequest there) {
  auto* s3 = co_await client();
  ListVersionsRequest request{.bucket = there.bucket, .prefix = there.key.value};
  request.max_keys = 1;
  GetRequest named{.bucket = there.bucket, .key = there.key, .version = there.version};
  auto found = co_await s3->head(std::move(named));
  if (found) co_return std::optional(std::move(found->info));
  const auto code = found.error().code;
  if (code == ErrorCode::no_such_version || code == ErrorCode::method_not_allowed) {
    co_return std::optional<ObjectInfo>();
  }
  if (code != ErrorCode::no_such_key) {
    co_return std::unexpected(translate_upstream(found.error()));
  }
  // Hidden by a marker, or not there.
  auto page = translate_upstream(co_await s3->list_versions(std::move(request)));
  if (!page) co_return std::unexpected(page.error());
  if (page->versions.empty() || page->versions.front().key != there.key) {
    co_return std::optional<ObjectInfo>();
  }
  co_return std::optional(std::move(page->versions.front()));
}

Async<DeleteResult> UpstreamStore::remove(DeleteRequest request) {
  DeleteRequest there = request;
  there.bucket = theirs(request.bucket);
  WriteConditions judged_below;  // a removal has rules of its own
  auto held = co_await guard(request.bucket, request.key, judged_below, true);
  if (!held) co_return std::unexpected(held.error());
  if (is_conditional(request.conditions) && !abilities_.delete_conditions) {
    auto named = co_await find_named(there);
    if (!named) co_return std::unexpected(named.error());
    auto good = check_removal(request.conditions, *named ? &**named : nullptr);
    if (!good) co_return std::unexpected(good.error());
    if (!*named) co_return DeleteResult{.version = request.version.value_or(VersionId())};
    there.conditions = {};
  }
  auto* s3 = co_await client();
  auto result = co_await s3->remove(std::move(there));
  // S3's word for a version under Object Lock is AccessDenied.
  if (!result && result.error().code == ErrorCode::access_denied && request.version) {
    co_return fail(ErrorCode::locked, "{}", result.error().context);
  }
  result = translate_upstream(std::move(result));
  if (result) note(request, *result);
  co_return result;
}

boost::asio::awaitable<std::vector<Result<DeleteResult>>> UpstreamStore::remove_many(
    std::vector<DeleteRequest> requests) {
  std::vector<Result<DeleteResult>> answers(requests.size());
  std::vector<DeleteRequest> there;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (is_conditional(requests[i].conditions) && !abilities_.delete_conditions) {
      answers[i] = co_await remove(requests[i]);
      continue;
    }
    there.push_back(requests[i]);
    there.back().bucket = theirs(requests[i].bucket);
    places.push_back(i);
  }
  auto* s3 = co_await client();
  if (there.empty()) co_return answers;
  auto given = co_await s3->remove_many(std::move(there));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const DeleteRequest& request = requests[places[i]];
    auto& answer = given[i];
    if (!answer && answer.error().code == ErrorCode::access_denied && request.version) {
      answer = fail(ErrorCode::locked, "{}", answer.error().context);
    }
    answers[places[i]] = translate_upstream(std::move(answer));
    if (answers[places[i]]) note(request, *answers[places[i]]);
  }
  co_return answers;
}

Async<PutResult> UpstreamStore::copy(CopyRequest request) {
  const bool honoured = abilities_.copy_conditions && !request.conditions.if_none_match;
  auto held = co_await guard(request.bucket, request.key, request.conditions, honoured);
  if (!held) co_return std::unexpected(held.error());
  const BucketName bucket = request.bucket;
  const ObjectKey key = request.key;
  request.source_bucket = theirs(request.source_bucket);
  request.bucket = theirs(bucket);
  auto readable = co_await check_source(request.source_bucket, request.source_key,
                                        request.source_version, request.source_conditions);
  if (!readable) co_return std::unexpected(readable.error());
  auto* s3 = co_await client();
  auto result = translate_upstream(co_await s3->copy(std::move(request)));
  if (result) note(bucket, key, *result);
  co_return result;
}

Async<void> UpstreamStore::set_tags(BucketName bucket, ObjectKey key,
                                    std::optional<VersionId> version,
                                    std::map<std::string, std::string> tags) {
  auto* s3 = co_await client();
  co_return translate_upstream(
      co_await s3->set_tags(theirs(bucket), std::move(key), std::move(version), std::move(tags)));
}

Async<void> UpstreamStore::set_acl(BucketName bucket, ObjectKey key,
                                   std::optional<VersionId> version, std::string acl) {
  auto* s3 = co_await client();
  co_return translate_upstream(
      co_await s3->set_acl(theirs(bucket), std::move(key), std::move(version), std::move(acl)));
}

Async<void> UpstreamStore::set_lock(LockRequest request) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  auto done = co_await s3->set_lock(std::move(request));
  if (!done && done.error().code == ErrorCode::access_denied) {
    co_return fail(ErrorCode::locked, "{}", done.error().context);
  }
  co_return translate_upstream(std::move(done));
}

Async<ListPage> UpstreamStore::list(ListRequest request) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->list(std::move(request)));
}

Async<ListVersionsPage> UpstreamStore::list_versions(ListVersionsRequest request) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->list_versions(std::move(request)));
}

Async<UploadId> UpstreamStore::create_upload(CreateUploadRequest request) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->create_upload(std::move(request)));
}

Async<PartInfo> UpstreamStore::put_part(PartRequest request, BodyReader& body) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  WatchedReader watched(body);
  co_return watched.explain(co_await s3->put_part(std::move(request), watched));
}

Async<PartInfo> UpstreamStore::copy_part(CopyPartRequest request) {
  request.source_bucket = theirs(request.source_bucket);
  request.bucket = theirs(request.bucket);
  auto readable = co_await check_source(request.source_bucket, request.source_key,
                                        request.source_version, request.source_conditions);
  if (!readable) co_return std::unexpected(readable.error());
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->copy_part(std::move(request)));
}

Async<PutResult> UpstreamStore::complete_upload(CompleteRequest request) {
  const bool honoured = abilities_.complete_conditions && !request.conditions.if_none_match;
  auto held = co_await guard(request.bucket, request.key, request.conditions, honoured);
  if (!held) co_return std::unexpected(held.error());
  const BucketName bucket = request.bucket;
  const ObjectKey key = request.key;
  request.bucket = theirs(bucket);
  auto* s3 = co_await client();
  auto result = translate_upstream(co_await s3->complete_upload(std::move(request)));
  if (result) note(bucket, key, *result);
  co_return result;
}

Async<void> UpstreamStore::abort_upload(BucketName bucket, ObjectKey key, UploadId upload) {
  auto* s3 = co_await client();
  co_return translate_upstream(
      co_await s3->abort_upload(theirs(bucket), std::move(key), std::move(upload)));
}

Async<ListPartsPage> UpstreamStore::list_parts(ListPartsRequest request) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->list_parts(std::move(request)));
}

Async<ListUploadsPage> UpstreamStore::list_uploads(ListUploadsRequest request) {
  request.bucket = theirs(request.bucket);
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->list_uploads(std::move(request)));
}

}  // namespace holdfast::store

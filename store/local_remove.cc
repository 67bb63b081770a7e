#include <memory>
#include <utility>

#include "base/log.h"
#include "s3/names.h"
#include "store/conditions.h"
#include "store/local_objects.h"
#include "store/local_rows.h"
#include "store/local_state.h"
#include "store/object_lock.h"

namespace holdfast::store {
namespace {

Result<void> check_latest(index::Catalogue& catalogue, std::uint64_t bucket,
                          const DeleteRequest& request) {
  if (!request.if_latest) return {};
  auto latest = catalogue.find_current(bucket, request.key.value);
  if (latest && !*latest) latest = catalogue.find_newest_old(bucket, request.key.value);
  if (!latest) return std::unexpected(latest.error());
  if (*latest && (*latest)->sequence == *request.if_latest) return {};
  return fail(ErrorCode::precondition_failed, "{} has another latest version by now",
              log_field(request.key.value));
}

Result<DeleteResult> remove_version(WriteGroup& group, const index::BucketRow& bucket,
                                    const DeleteRequest& request) {
  DeleteResult result;
  if (request.version) result.version = *request.version;
  auto row = find_version_row(group.catalogue(), bucket.id, request.key,
                              request.version.value_or(VersionId("null")));
  if (!row) return std::unexpected(row.error());
  if (!*row) return result;
  auto info = to_object_info(**row);
  if (!info) return std::unexpected(info.error());
  const TimePoint now = group.clock().now();
  auto unlocked = check_unlocked(*info, now, request.bypass_governance);
  if (!unlocked) return std::unexpected(unlocked.error());
  auto sequence = group.append(
      RemoveVersionOp{bucket.id, request.key.value, (*row)->sequence, to_nanoseconds(now)});
  if (!sequence) return std::unexpected(sequence.error());
  result.sequence = *sequence;
  result.delete_marker = (*row)->delete_marker;
  return result;
}

// The version named, else the latest; markers too.
Result<std::optional<index::VersionRow>> find_named_row(index::Catalogue& catalogue,
                                                        std::uint64_t bucket,
                                                        const DeleteRequest& request) {
  if (request.version) return find_version_row(catalogue, bucket, request.key, *request.version);
  auto current = catalogue.find_current(bucket, request.key.value);
  if (!current || *current) return current;
  return catalogue.find_newest_old(bucket, request.key.value);
}

Result<DeleteResult> judge_remove(WriteGroup& group, const Result<index::BucketRow>& bucket,
                                  const DeleteRequest& request) {
  if (!bucket) return std::unexpected(bucket.error());
  if (auto valid = s3::validate_key(request.key.value); !valid)
    return std::unexpected(valid.error());
  if (auto latest = check_latest(group.catalogue(), bucket->id, request); !latest) {
    return std::unexpected(latest.error());
  }
  if (is_conditional(request.conditions)) {
    auto named = find_named_row(group.catalogue(), bucket->id, request);
    if (!named) return std::unexpected(named.error());
    if (!*named) return DeleteResult{.version = request.version.value_or(VersionId())};
    auto info = to_object_info(**named);
    if (!info) return std::unexpected(info.error());
    auto held = check_removal(request.conditions, &*info);
    if (!held) return std::unexpected(held.error());
  }
  const bool versioned = static_cast<Versioning>(bucket->versioning) != Versioning::unversioned;
  if (request.version || !versioned) return remove_version(group, *bucket, request);
  NewVersion marker;
  marker.key = request.key;
  marker.delete_marker = true;
  auto made = append_version(group, *bucket, std::move(marker), {});
  if (!made) return std::unexpected(made.error());
  const bool null = made->version.empty();
  return DeleteResult{null ? VersionId("null") : made->version, true, made->sequence};
}

}  // namespace

Async<DeleteResult> LocalStore::remove(DeleteRequest request) {
  co_return co_await state_->sequencer->submit([request = std::move(request)](WriteGroup& group) {
    return judge_remove(group, group.find_bucket(request.bucket), request);
  });
}

boost::asio::awaitable<std::vector<Result<DeleteResult>>> LocalStore::remove_many(
    std::vector<DeleteRequest> requests) {
  using Answers = std::vector<Result<DeleteResult>>;
  const std::size_t count = requests.size();
  Result<Answers> answers = fail(ErrorCode::malformed, "at most 1000 keys are removed at once");
  if (count <= 1000) {
    answers = co_await state_->sequencer->submit(
        [requests = std::move(requests)](WriteGroup& group) -> Result<Answers> {
          Answers all;
          all.reserve(requests.size());
          Result<index::BucketRow> bucket = index::BucketRow();  // of the request before
          for (const auto& request : requests) {
            if (!bucket || bucket->name != request.bucket.value) {
              bucket = group.find_bucket(request.bucket);
            }
            all.push_back(judge_remove(group, bucket, request));
          }
          return all;
        });
  }
  if (answers) co_return std::move(*answers);
  co_return Answers(count, std::unexpected(answers.error()));
}

}  // namespace holdfast::store

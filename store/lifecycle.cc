#include "store/lifecycle.h"

#include <algorithm>
#include <utility>

#include "base/event.h"
#include "base/log.h"

namespace holdfast::store {
namespace {

// Removals that are one write of the store: few, so that others' writes get in between.
constexpr std::size_t batch_removals = 100;

s3::LifecycleSubject subject_of(const ObjectInfo& version) {
  return {version.key.value, version.size, &version.attributes.tags, version.delete_marker};
}

bool looks_at_versions(const s3::LifecycleRule& rule) {
  return rule.enabled &&
         (rule.expire_days || rule.expire_date || rule.expire_markers || rule.noncurrent_days);
}

// What all keys have in common that the rules speak of.
std::string common_prefix(const s3::LifecycleRules& rules) {
  std::optional<std::string> common;
  for (const auto& rule : rules) {
    if (!looks_at_versions(rule)) continue;
    if (!common) common = rule.filter.prefix;
    const auto [end, other] = std::ranges::mismatch(*common, rule.filter.prefix);
    common->erase(end, common->end());
  }
  return common.value_or(std::string());
}

boost::asio::awaitable<void> pace(std::size_t done, std::uint32_t per_second) {
  if (per_second == 0 || done == 0) co_return;
  co_await sleep_for(std::chrono::milliseconds(done * 1000 / per_second + 1));
}

}  // namespace

void LifecycleJudge::add(LifecycleAction action, const ObjectInfo& version,
                         const std::string& rule) {
  LifecycleRemoval removal{action, {}, rule};
  removal.request.bucket = bucket_;
  removal.request.key = version.key;
  removal.request.if_latest = latest_.sequence;
  if (action != LifecycleAction::expire) removal.request.version = version.version;
  found_.push_back(std::move(removal));
}

void LifecycleJudge::start_key(const ObjectInfo& latest) {
  latest_ = latest;
  started_ = lone_ = true;
  newer_ = 0;
  last_sequence_ = latest.sequence;
  replaced_ = latest.modified;
  if (latest.delete_marker) return;
  const auto expiry = s3::expiry_of(rules_, subject_of(latest), latest.modified, day_);
  if (expiry && expiry->at <= now_) expired_by_ = expiry->rule->id;
}

void LifecycleJudge::judge_noncurrent(const ObjectInfo& version) {
  for (const auto& rule : rules_) {
    if (!rule.noncurrent_days || newer_ < rule.keep_noncurrent) continue;
    if (!s3::applies(rule, subject_of(version))) continue;
    if (s3::after_days(replaced_, *rule.noncurrent_days, day_) > now_) continue;
    add(LifecycleAction::remove_noncurrent, version, rule.id);
    break;
  }
  ++newer_;
  replaced_ = version.modified;
}

// Days and Date clear such markers away as well (AWS user guide, "Removing expired object delete
// markers").
void LifecycleJudge::judge_lone_marker() {
  if (!lone_ || !latest_.delete_marker) return;
  for (const auto& rule : rules_) {
    if (!s3::applies(rule, subject_of(latest_))) continue;
    const bool old =
        (rule.expire_days && s3::after_days(latest_.modified, *rule.expire_days, day_) <= now_) ||
        (rule.expire_date && *rule.expire_date <= now_);
    if (!rule.expire_markers && !old) continue;
    return add(LifecycleAction::remove_marker, latest_, rule.id);
  }
}

void LifecycleJudge::feed(const ObjectInfo& version) {
  if (started_ && version.key == latest_.key) {
    // A listing whose marker was removed meanwhile may start its key again.
    if (version.sequence >= last_sequence_) return;
    lone_ = false;
    last_sequence_ = version.sequence;
    return judge_noncurrent(version);
  }
  finish();
  start_key(version);
}

void LifecycleJudge::finish() {
  if (!started_) return;
  judge_lone_marker();
  // Last of its key: the marker that it makes is a new latest version, for which nothing was
  // judged.
  if (expired_by_) add(LifecycleAction::expire, latest_, *std::exchange(expired_by_, std::nullopt));
  done_key_ = latest_.key.value;
  started_ = false;
}

void LifecycleRunner::count(const LifecycleRemoval& removal, const Result<DeleteResult>& answer) {
  if (!answer) {
    const ErrorCode code = answer.error().code;
    if (code == ErrorCode::locked) ++counts_.locked;
    // The key has changed since it was looked at: the next pass judges it anew.
    if (code == ErrorCode::locked || code == ErrorCode::precondition_failed) return;
    ++counts_.failed;
    spdlog::warn("store: lifecycle rule {} of {} failed on {}: {}", log_field(removal.rule),
                 removal.request.bucket.value, log_field(removal.request.key.value),
                 answer.error().context);
    return;
  }
  if (removal.action == LifecycleAction::expire) ++counts_.expired;
  if (removal.action == LifecycleAction::remove_noncurrent) ++counts_.noncurrent;
  if (removal.action == LifecycleAction::remove_marker) ++counts_.markers;
  if (!watcher_.removed) return;
  watcher_.removed({clock_.now(), removal.action, removal.request.bucket, removal.request.key,
                    removal.request.version.value_or(VersionId()).value, removal.rule});
}

boost::asio::awaitable<void> LifecycleRunner::carry_out(std::vector<LifecycleRemoval> removals,
                                                        std::stop_token stop) {
  for (std::size_t at = 0; at < removals.size() && !stop.stop_requested(); at += batch_removals) {
    const std::size_t end = std::min(at + batch_removals, removals.size());
    std::vector<DeleteRequest> requests;
    for (std::size_t i = at; i < end; ++i) requests.push_back(removals[i].request);
    const auto answers = co_await store_.remove_many(std::move(requests));
    for (std::size_t i = at; i < end; ++i) count(removals[i], answers[i - at]);
    co_await pace(end - at, options_.removals_per_second);
  }
}

// What cannot be read is not judged by its tags: it waits for the next pass.
boost::asio::awaitable<void> LifecycleRunner::find_tags(const BucketName& bucket,
                                                        const s3::LifecycleRules& rules,
                                                        std::vector<ObjectInfo>& versions) {
  for (ObjectInfo& version : versions) {
    if (version.delete_marker || !version.attributes.tags.empty()) continue;
    const bool asked = std::ranges::any_of(rules, [&](const s3::LifecycleRule& rule) {
      return looks_at_versions(rule) && !rule.filter.tags.empty() &&
             version.key.value.starts_with(rule.filter.prefix);
    });
    if (!asked) continue;
    auto found = co_await store_.head({bucket, version.key, version.version, {}, {}, {}});
    if (found) {
      version.attributes.tags = std::move(found->info.attributes.tags);
    } else if (found.error().code != ErrorCode::no_such_version &&
               found.error().code != ErrorCode::no_such_key) {
      ++counts_.failed;
    }
  }
}

Async<void> LifecycleRunner::run_versions(BucketName bucket, const s3::LifecycleRules& rules,
                                          std::string after, std::stop_token stop) {
  LifecycleJudge judge(bucket, rules, options_.day, clock_.now());
  ListVersionsRequest request;
  request.bucket = bucket;
  request.prefix = common_prefix(rules);
  request.key_marker = std::move(after);
  for (;;) {
    auto page = co_await store_.list_versions(request);
    if (!page) co_return std::unexpected(page.error());
    co_await find_tags(bucket, rules, page->versions);
    for (const auto& version : page->versions) judge.feed(version);
    if (!page->truncated) judge.finish();
    counts_.looked_at += page->versions.size();
    co_await carry_out(judge.take(), stop);
    if (watcher_.passed) watcher_.passed({bucket.value, judge.done_key()});
    if (!page->truncated || stop.stop_requested()) co_return Result<void>();
    request.key_marker = page->next_key;
    request.version_marker = page->next_version;
    co_await pace(page->versions.size(), options_.versions_per_second);
  }
}

Async<void> LifecycleRunner::run_uploads(BucketName bucket, const s3::LifecycleRules& rules,
                                         std::stop_token stop) {
  ListUploadsRequest request;
  request.bucket = bucket;
  for (;;) {
    auto page = co_await store_.list_uploads(request);
    if (!page) co_return std::unexpected(page.error());
    counts_.looked_at += page->uploads.size();
    for (const auto& upload : page->uploads) {
      const auto rule = std::ranges::find_if(rules, [&](const s3::LifecycleRule& candidate) {
        return candidate.abort_days && s3::applies(candidate, {upload.key.value}) &&
               s3::after_days(upload.started, *candidate.abort_days, options_.day) <= clock_.now();
      });
      if (rule == rules.end()) continue;
      auto gone = co_await store_.abort_upload(bucket, upload.key, upload.upload);
      if (!gone && gone.error().code == ErrorCode::no_such_upload) continue;
      ++(gone ? counts_.uploads : counts_.failed);
      if (gone && watcher_.removed) {
        watcher_.removed({clock_.now(), LifecycleAction::abort_upload, bucket, upload.key,
                          upload.upload.value, rule->id});
      }
      co_await pace(1, options_.removals_per_second);
    }
    if (!page->truncated || stop.stop_requested()) co_return Result<void>();
    request.key_marker = page->next_key;
    request.upload_marker = page->next_upload;
    co_await pace(page->uploads.size(), options_.versions_per_second);
  }
}

Async<void> LifecycleRunner::run_bucket(BucketName bucket, std::string after,
                                        std::stop_token stop) {
  auto text = co_await store_.bucket_document(bucket, BucketDocument::lifecycle);
  if (!text && text.error().code == ErrorCode::not_found) co_return Result<void>();
  if (!text) co_return std::unexpected(text.error());
  if (text->empty()) co_return Result<void>();
  const auto rules = s3::parse_lifecycle(*text);
  if (!rules) co_return std::unexpected(s3::to_error(rules.error()));
  const bool aborts =
      std::ranges::any_of(*rules, [](const auto& rule) { return rule.enabled && rule.abort_days; });
  if (aborts && after.empty()) {
    if (auto done = co_await run_uploads(bucket, *rules, stop); !done) co_return done;
  }
  if (!std::ranges::any_of(*rules, looks_at_versions)) co_return Result<void>();
  co_return co_await run_versions(bucket, *rules, std::move(after), stop);
}

Async<LifecycleCounts> LifecycleRunner::run_pass(LifecycleCursor from, std::stop_token stop) {
  counts_ = {};
  const auto buckets = co_await store_.list_buckets();
  if (!buckets) co_return std::unexpected(buckets.error());
  for (const auto& bucket : *buckets) {
    if (stop.stop_requested()) break;
    if (bucket.name.value < from.bucket) continue;
    std::string after = bucket.name.value == from.bucket ? from.key : std::string();
    auto done = co_await run_bucket(bucket.name, std::move(after), stop);
    if (done || done.error().code == ErrorCode::no_such_bucket) continue;
    ++counts_.failed;
    spdlog::warn("store: lifecycle of bucket {} was not carried out: {}", bucket.name.value,
                 done.error().context);
  }
  if (watcher_.passed && !stop.stop_requested()) watcher_.passed({});
  co_return counts_;
}

}  // namespace holdfast::store

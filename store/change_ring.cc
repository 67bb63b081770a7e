#include "store/change_ring.h"

#include <algorithm>
#include <set>
#include <utility>

namespace holdfast::store {
namespace {

constexpr unsigned sequence_bits = 32;

std::uint64_t position(std::uint64_t listed_at, std::uint32_t sequence) {
  return listed_at << sequence_bits | sequence;
}

}  // namespace

ChangeRing::ChangeRing(const Clock& clock, ChangeRingOptions options)
    : clock_(clock), options_(options), started_(now_seconds()) {}

// 31 bits last until 2038 from 1970; counted from 2020 they last until 2088.
std::uint64_t ChangeRing::now_seconds() const {
  constexpr std::int64_t year_2020 = 1'577'836'800;
  const auto since = std::chrono::floor<std::chrono::seconds>(clock_.now().time_since_epoch());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, since.count() - year_2020));
}

ChangeRing::Bucket& ChangeRing::find(const BucketName& name) {
  const auto [at, fresh] = buckets_.try_emplace(name);
  if (fresh) {
    at->second.id = ++next_id_;
    at->second.forgotten_to = sequence_;
  }
  return at->second;
}

void ChangeRing::note(const BucketName& name, Change change) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    Bucket& bucket = find(name);
    change.sequence = ++sequence_;
    if (change.time == TimePoint()) change.time = clock_.now();
    bucket.changes.push_back(std::move(change));
    if (bucket.changes.size() > options_.entries) {
      bucket.forgotten_to = static_cast<std::uint32_t>(bucket.changes.front().sequence);
      bucket.changes.pop_front();
    }
    id = bucket.id;
  }
  waiters_.notify({id});
}

void ChangeRing::forget(const BucketName& name) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = buckets_.find(name);
    if (found == buckets_.end()) return;
    id = found->second.id;
    buckets_.erase(found);
  }
  waiters_.notify({id});
}

ChangesPage ChangeRing::look(const ChangesRequest& request, std::uint64_t& id) {
  const std::lock_guard lock(mutex_);
  const Bucket& bucket = find(request.bucket);
  id = bucket.id;
  // Positions of an earlier process end with the second of our start, ours begin after it.
  const std::uint64_t now = std::max(now_seconds(), started_ + 1);
  ChangesPage page;
  page.next = position(now, sequence_);
  if (!request.after) return page;
  const std::uint64_t listed_at = *request.after >> sequence_bits;
  const auto seen = static_cast<std::uint32_t>(*request.after);
  const auto relist = static_cast<std::uint64_t>(options_.relist.count());
  const bool ours = listed_at > started_ && listed_at <= now && seen <= sequence_;
  const bool overdue = relist > 0 && listed_at + relist <= now;
  if (!ours || overdue || seen < bucket.forgotten_to) {
    page.reset = true;
    return page;
  }
  page.next = position(listed_at, sequence_);
  const auto begin =
      std::ranges::upper_bound(bucket.changes, std::uint64_t{seen}, {}, &Change::sequence);
  for (const auto& change : std::ranges::subrange(begin, bucket.changes.end())) {
    if (!change.key.value.starts_with(request.prefix)) continue;
    if (page.changes.size() == request.limit) {
      page.next = page.changes.empty() ? *request.after : page.changes.back().sequence;
      break;
    }
    page.changes.push_back(change);
    page.changes.back().sequence = position(listed_at, static_cast<std::uint32_t>(change.sequence));
  }
  return page;
}

Async<ChangesPage> ChangeRing::read(ChangesRequest request) {
  const auto deadline = std::chrono::steady_clock::now() + request.wait;
  std::uint64_t id = 0;
  ChangesPage page = look(request, id);
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (!request.after || page.reset || !page.changes.empty() || left.count() <= 0) co_return page;
    const std::uint64_t waited_for = id;
    auto ticket = co_await waiters_.enter(waited_for);
    page = look(request, id);
    if (id != waited_for) {
      co_return fail(ErrorCode::no_such_bucket, "bucket {} was deleted", request.bucket.value);
    }
    if (page.reset || !page.changes.empty()) co_return page;
    co_await ChangeWaiters::wait(std::move(ticket), left);
    page = look(request, id);
    if (id != waited_for) {
      co_return fail(ErrorCode::no_such_bucket, "bucket {} was deleted", request.bucket.value);
    }
  }
}

}  // namespace holdfast::store

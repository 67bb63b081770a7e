#include "gateway/s3_expirations.h"

#include <utility>

namespace holdfast::gateway {
namespace {

constexpr std::size_t remembered = 1'024;
constexpr std::chrono::seconds remembered_for{2};

}  // namespace

void Expirations::forget(const BucketName& bucket) {
  const std::lock_guard lock(mutex_);
  known_.erase(bucket);
}

bool Expirations::known_to_end_nothing(const BucketName& bucket) {
  const MonotonicTime now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(bucket);
  return found != known_.end() && now < found->second.until && !found->second.rules;
}

boost::asio::awaitable<Expirations::Rules> Expirations::rules_of(BucketName bucket) {
  const MonotonicTime now = clock_.monotonic();
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(bucket);
    if (found != known_.end() && now < found->second.until) co_return found->second.rules;
  }
  auto text = co_await store_.bucket_document(bucket, store::BucketDocument::lifecycle);
  Rules rules;
  if (text && !text->empty()) {
    if (auto parsed = s3::parse_lifecycle(*text)) {
      rules = std::make_shared<const s3::LifecycleRules>(std::move(*parsed));
    }
  }
  const std::lock_guard lock(mutex_);
  if (known_.size() >= remembered) known_.clear();
  known_[bucket] = {rules, now + remembered_for};
  co_return rules;
}

boost::asio::awaitable<std::string> Expirations::header(BucketName bucket,
                                                        const store::ObjectInfo& info) {
  const Rules rules = co_await rules_of(std::move(bucket));
  if (!rules) co_return std::string();
  const auto expiry = s3::expiry_of(*rules, {info.key.value, info.size, &info.attributes.tags},
                                    info.modified, day_);
  co_return expiry ? s3::expiration_header(*expiry) : std::string();
}

}  // namespace holdfast::gateway

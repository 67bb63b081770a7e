#include "gateway/s3_lock_defaults.h"

#include <chrono>

#include "gateway/s3_attributes.h"
#include "s3/headers.h"
#include "s3/xml.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t remembered = 1'024;
constexpr std::chrono::seconds remembered_for{2};

}  // namespace

s3::ApiResult<store::Retention> default_retention(std::string_view xml, TimePoint now) {
  auto root = s3::read_xml(xml, "ObjectLockConfiguration");
  if (!root) return std::unexpected(std::move(root.error()));
  const s3::XmlNode* rule = root->child("Rule");
  const s3::XmlNode* value = rule == nullptr ? nullptr : rule->child("DefaultRetention");
  store::Retention retention;
  if (value == nullptr) return retention;
  auto mode = retention_mode(value->value("Mode"));
  if (!mode) return std::unexpected(std::move(mode.error()));
  const bool days = value->child("Days") != nullptr;
  const auto period = s3::parse_u64(value->value(days ? "Days" : "Years"));
  if (!period || *period > 36'500) return s3::refuse(s3::ApiError::invalid_retention_period);
  retention.mode = *mode;
  retention.until = now + std::chrono::days(days ? *period : *period * 365);
  return retention;
}

bool LockDefaults::known_without_lock(const BucketName& bucket) {
  const std::lock_guard lock(mutex_);
  const auto found = without_lock_.find(bucket);
  return found != without_lock_.end() && clock_.monotonic() < found->second;
}

void LockDefaults::remember_without_lock(const BucketName& bucket) {
  const std::lock_guard lock(mutex_);
  if (without_lock_.size() >= remembered) without_lock_.clear();
  without_lock_[bucket] = clock_.monotonic() + remembered_for;
}

void LockDefaults::forget(const BucketName& bucket) {
  const std::lock_guard lock(mutex_);
  without_lock_.erase(bucket);
}

boost::asio::awaitable<s3::ApiResult<void>> LockDefaults::apply(BucketName bucket,
                                                                store::Retention& retention) {
  if (retention.mode != store::Retention::Mode::none || known_without_lock(bucket)) {
    co_return s3::ApiResult<void>();
  }
  auto info = co_await store_.head_bucket(bucket);
  if (!info) co_return refuse_with(info.error());
  if (!info->object_lock) {
    remember_without_lock(bucket);
    co_return s3::ApiResult<void>();
  }
  auto text = co_await store_.bucket_document(bucket, store::BucketDocument::object_lock);
  if (!text && text.error().code == ErrorCode::not_found) co_return s3::ApiResult<void>();
  if (!text) co_return refuse_with(text.error());
  if (text->empty()) co_return s3::ApiResult<void>();
  auto given = default_retention(*text, clock_.now());
  if (!given) co_return s3::refuse(s3::ApiError::internal_error);
  retention.mode = given->mode;
  retention.until = given->until;
  co_return s3::ApiResult<void>();
}

}  // namespace holdfast::gateway

#include "store/object_lock.h"

#include <chrono>
#include <optional>

#include "base/log.h"
#include "s3/headers.h"
#include "s3/xml.h"

namespace holdfast::store {
namespace {

constexpr std::uint64_t longest_period = 36'500;  // days or years, as AWS limits it

std::optional<Retention::Mode> mode_from(std::string_view text) {
  if (text == "GOVERNANCE") return Retention::Mode::governance;
  if (text == "COMPLIANCE") return Retention::Mode::compliance;
  return std::nullopt;
}

bool in_force(const Retention& retention, TimePoint now) {
  return retention.mode != Retention::Mode::none && retention.until > now;
}

bool waived(const Retention& retention, bool bypass_governance) {
  return retention.mode == Retention::Mode::governance && bypass_governance;
}

}  // namespace

Result<void> check_unlocked(const ObjectInfo& info, TimePoint now, bool bypass_governance) {
  const Retention& retention = info.retention;
  const bool kept = in_force(retention, now) && !waived(retention, bypass_governance);
  if (!retention.legal_hold && !kept) return {};
  return fail(ErrorCode::locked, "version {} of {} is kept by Object Lock", info.version.value,
              log_field(info.key.value));
}

Result<Retention> change_lock(const Retention& present, const LockRequest& request, TimePoint now) {
  Retention next = present;
  if (request.legal_hold) next.legal_hold = *request.legal_hold;
  if (!request.period) return next;
  next.mode = request.period->mode;
  next.until = request.period->until;
  // Another mode is another promise: AWS asks for the bypass to change even to the stronger one.
  const bool weaker = next.until < present.until || next.mode != present.mode;
  if (in_force(present, now) && weaker && !waived(present, request.bypass_governance)) {
    return fail(ErrorCode::locked, "retention cannot be shortened or weakened");
  }
  return next;
}

Result<Retention> default_retention(std::string_view xml, TimePoint now) {
  const auto unreadable = [] {
    return fail(ErrorCode::corrupted, "the bucket's Object Lock configuration cannot be read");
  };
  const auto root = s3::read_xml(xml, "ObjectLockConfiguration");
  if (!root) return unreadable();
  const s3::XmlNode* rule = root->child("Rule");
  if (rule == nullptr) return Retention();
  const s3::XmlNode* value = rule->child("DefaultRetention");
  if (value == nullptr) return unreadable();
  const auto mode = mode_from(value->value("Mode"));
  const bool days = value->child("Days") != nullptr;
  const auto period = s3::parse_u64(value->value(days ? "Days" : "Years"));
  if (!mode || !period || *period == 0 || *period > longest_period) return unreadable();
  const auto count = static_cast<int>(*period);
  return Retention{.mode = *mode, .until = now + std::chrono::days(days ? count : count * 365)};
}

}  // namespace holdfast::store

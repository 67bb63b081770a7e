#include "gateway/notification_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/log.h"
#include "s3/names.h"
#include "s3/xml.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::size_t most_rules = 100, most_events = 30, longest_value = 1024;

// What the change feed tells, and what includes it.
constexpr std::array<std::string_view, 6> told = {
    "s3:ObjectCreated:*", "s3:ObjectCreated:Put",    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated"};
// The feed tells these as Put.
constexpr std::array<std::string_view, 2> told_as_put = {"s3:ObjectCreated:Copy",
                                                         "s3:ObjectCreated:Post"};

std::unexpected<s3::ApiFailure> refused(std::string message) {
  return s3::refuse(ApiError::invalid_argument, std::move(message));
}

// The webhook's id, or nullopt.
std::optional<std::string> target_of(std::string_view arn, std::string_view region) {
  constexpr std::string_view service = ":webhook";
  const bool known = arn.starts_with("arn:holdfast:sqs:") || arn.starts_with("arn:minio:sqs:");
  if (!known) return std::nullopt;
  arn.remove_prefix(arn.find("sqs:") + 4);
  // After the prefix is gone: in "arn:minio:sqs:webhook" the two would share a colon.
  if (!arn.ends_with(service)) return std::nullopt;
  arn.remove_suffix(service.size());
  const auto colon = arn.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view named = arn.substr(0, colon), id = arn.substr(colon + 1);
  if (id.empty() || id.contains(':') || (!named.empty() && named != region)) return std::nullopt;
  return std::string(id);
}

s3::ApiResult<void> take_events(const s3::XmlNode& node, EventFilter& filter) {
  bool as_put = false;
  for (const s3::XmlNode& child : node.children) {
    if (child.name != "Event") continue;
    if (std::ranges::find(told_as_put, child.text) != told_as_put.end()) {
      as_put = true;
      continue;
    }
    if (std::ranges::find(told, child.text) == told.end()) {
      return refused(fmt::format("The event '{}' is not supported for notifications here.",
                                 log_field(child.text, 100)));
    }
    filter.events.push_back(child.text);
  }
  const bool has_put = std::ranges::any_of(filter.events, [](std::string_view event) {
    return event_matches(event, "ObjectCreated:Put");
  });
  if (as_put && !has_put) {
    return refused("Copies and forms are told as s3:ObjectCreated:Put here: ask for that, too.");
  }
  if (filter.events.empty()) return s3::refuse(ApiError::malformed_xml);
  if (filter.events.size() > most_events) return refused("There are too many events.");
  return {};
}

s3::ApiResult<void> take_filter(const s3::XmlNode& node, EventFilter& filter) {
  const s3::XmlNode* outer = node.child("Filter");
  const s3::XmlNode* key = outer == nullptr ? nullptr : outer->child("S3Key");
  if (key == nullptr) return {};
  bool prefix = false, suffix = false;
  for (const s3::XmlNode& rule : key->children) {
    if (rule.name != "FilterRule") continue;
    const std::string name = s3::ascii_lower(rule.value("Name"));
    const bool is_prefix = name == "prefix";
    if (!is_prefix && name != "suffix") {
      return refused("filter rule name must be either prefix or suffix");
    }
    if (std::exchange(is_prefix ? prefix : suffix, true)) {
      return refused("Cannot specify more than one prefix or suffix rule in a filter.");
    }
    const std::string_view value = rule.value("Value");
    if (value.size() > longest_value) return refused("A filter's value is too long.");
    (is_prefix ? filter.prefix : filter.suffix) = value;
  }
  return {};
}

}  // namespace

s3::ApiResult<std::vector<NotificationRule>> parse_notifications(std::string_view xml,
                                                                 std::string_view region) {
  auto root = s3::read_xml(xml, "NotificationConfiguration");
  if (!root) return std::unexpected(std::move(root.error()));
  std::vector<NotificationRule> rules;
  for (const s3::XmlNode& node : root->children) {
    if (node.name != "QueueConfiguration") {
      return refused(
          fmt::format("{} is not supported: use QueueConfiguration with the ARN of a "
                      "webhook.",
                      log_field(node.name, 100)));
    }
    NotificationRule rule;
    rule.id = node.value("Id");
    if (rule.id.size() > 255) return refused("An Id is too long.");
    auto target = target_of(node.value("Queue"), region);
    if (!target) {
      return refused(
          "A specified destination ARN does not exist or is not well-formed. Verify the "
          "destination ARN.");
    }
    rule.target = std::move(*target);
    if (auto done = take_events(node, rule.filter); !done) return std::unexpected(done.error());
    if (auto done = take_filter(node, rule.filter); !done) return std::unexpected(done.error());
    rules.push_back(std::move(rule));
    if (rules.size() > most_rules) return refused("There are too many configurations.");
  }
  return rules;
}

}  // namespace holdfast::gateway

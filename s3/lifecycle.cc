#include "s3/lifecycle.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/encoding.h"
#include "s3/names.h"
#include "s3/xml.h"

namespace holdfast::s3 {
namespace {

constexpr std::size_t most_rules = 1'000;
constexpr std::size_t most_id_bytes = 255;
constexpr std::uint64_t most_days = 1u << 24;

std::unexpected<ApiFailure> malformed() { return refuse(ApiError::malformed_xml); }

ApiResult<std::optional<std::uint32_t>> days_of(const XmlNode& node, std::string_view name) {
  const XmlNode* child = node.child(name);
  if (child == nullptr) return std::nullopt;
  if (child->text.starts_with('-')) {
    return refuse(ApiError::invalid_argument, fmt::format("'{}' must be a positive integer", name));
  }
  const auto days = parse_u64(child->text);
  if (!days) return malformed();
  if (*days == 0 || *days > most_days) {
    return refuse(ApiError::invalid_argument, fmt::format("'{}' must be a positive integer", name));
  }
  return static_cast<std::uint32_t>(*days);
}

ApiResult<void> read_conditions(const XmlNode& node, LifecycleFilter& filter) {
  for (const XmlNode& child : node.children) {
    if (child.name == "Prefix") {
      filter.prefix = child.text;
    } else if (child.name == "Tag") {
      if (!filter.tags.emplace(child.value("Key"), child.value("Value")).second) {
        return refuse(ApiError::invalid_request, "Duplicate Tag Keys are not allowed.");
      }
    } else if (child.name == "ObjectSizeGreaterThan" || child.name == "ObjectSizeLessThan") {
      const auto bytes = parse_u64(child.text);
      if (!bytes) return malformed();
      (child.name == "ObjectSizeGreaterThan" ? filter.larger_than : filter.smaller_than) = *bytes;
    } else if (child.name == "And" && node.name == "Filter") {
      if (auto read = read_conditions(child, filter); !read) return read;
    } else {
      return malformed();
    }
  }
  return {};
}

ApiResult<LifecycleFilter> read_filter(const XmlNode& rule) {
  LifecycleFilter filter;
  const XmlNode* prefix = rule.child("Prefix");
  const XmlNode* node = rule.child("Filter");
  if ((prefix == nullptr) == (node == nullptr)) return malformed();
  if (prefix != nullptr) {
    filter.prefix = prefix->text;
    filter.at_rule = true;
    return filter;
  }
  if (auto read = read_conditions(*node, filter); !read) {
    return std::unexpected(std::move(read.error()));
  }
  for (const auto& tag : filter.tags) {
    if (auto valid = validate_tags(Tags{tag}); !valid) {
      return std::unexpected(std::move(valid.error()));
    }
  }
  if (filter.larger_than && filter.smaller_than && *filter.larger_than >= *filter.smaller_than) {
    return refuse(ApiError::invalid_request,
                  "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'");
  }
  return filter;
}

ApiResult<TimePoint> read_date(std::string_view text) {
  const bool day_only = text.size() == 10;
  const auto date = from_rfc3339(day_only ? std::string(text) + "T00:00:00Z" : std::string(text));
  if (!date) return malformed();
  if (date->time_since_epoch() % std::chrono::days(1) != std::chrono::nanoseconds(0)) {
    return refuse(ApiError::invalid_argument, "'Date' must be at midnight GMT");
  }
  return *date;
}

ApiResult<void> read_expiration(const XmlNode& node, LifecycleRule& rule) {
  if (node.children.size() != 1) return malformed();
  const XmlNode& child = node.children.front();
  if (child.name == "Date") {
    auto date = read_date(child.text);
    if (!date) return std::unexpected(std::move(date.error()));
    rule.expire_date = *date;
    return {};
  }
  if (child.name == "Days") {
    auto days = days_of(node, "Days");
    if (!days) return std::unexpected(std::move(days.error()));
    rule.expire_days = *days;
    return {};
  }
  if (child.name != "ExpiredObjectDeleteMarker") return malformed();
  if (child.text != "true" && child.text != "false") return malformed();
  rule.expire_markers = child.text == "true";
  return {};
}

ApiResult<void> read_noncurrent(const XmlNode& node, LifecycleRule& rule) {
  auto days = days_of(node, "NoncurrentDays");
  if (!days) return std::unexpected(std::move(days.error()));
  if (!*days) return malformed();
  rule.noncurrent_days = *days;
  const XmlNode* keep = node.child("NewerNoncurrentVersions");
  if (keep == nullptr) return {};
  const auto count = parse_u64(keep->text);
  if (!count || *count == 0 || *count > 100) {
    return refuse(ApiError::invalid_argument, "'NewerNoncurrentVersions' must be from 1 to 100");
  }
  rule.keep_noncurrent = static_cast<std::uint32_t>(*count);
  return {};
}

ApiResult<void> read_action(const XmlNode& node, LifecycleRule& rule) {
  if (node.name == "Expiration") return read_expiration(node, rule);
  if (node.name == "NoncurrentVersionExpiration") return read_noncurrent(node, rule);
  if (node.name == "AbortIncompleteMultipartUpload") {
    auto days = days_of(node, "DaysAfterInitiation");
    if (!days) return std::unexpected(std::move(days.error()));
    if (!*days) return malformed();
    rule.abort_days = *days;
    return {};
  }
  if (node.name == "Transition" || node.name == "NoncurrentVersionTransition") {
    if (node.child("Date") != nullptr) {
      auto date = read_date(node.value("Date"));
      if (!date) return std::unexpected(std::move(date.error()));
    }
    return refuse(ApiError::not_implemented, "There is one storage class only: no transitions.");
  }
  const bool known =
      node.name == "ID" || node.name == "Status" || node.name == "Filter" || node.name == "Prefix";
  return known ? ApiResult<void>() : malformed();
}

ApiResult<void> check_rule(const LifecycleRule& rule, bool has_expiration) {
  const bool partial =
      !rule.filter.tags.empty() || rule.filter.larger_than || rule.filter.smaller_than;
  if (!rule.filter.tags.empty() && rule.expire_markers) {
    return refuse(ApiError::invalid_request,
                  "Tag based filter cannot be used with ExpiredObjectDeleteMarker");
  }
  if (partial && rule.abort_days) {
    return refuse(ApiError::invalid_request,
                  "AbortIncompleteMultipartUpload cannot be specified with Tags or sizes");
  }
  if (has_expiration || rule.noncurrent_days || rule.abort_days) return {};
  return refuse(ApiError::invalid_request, "At least one action needs to be specified in a rule");
}

ApiResult<LifecycleRule> read_rule(const XmlNode& node) {
  LifecycleRule rule;
  rule.id = node.value("ID");
  if (rule.id.size() > most_id_bytes) {
    return refuse(ApiError::invalid_argument, "ID length should not exceed allowed limit of 255");
  }
  const std::string_view status = node.value("Status");
  if (status != "Enabled" && status != "Disabled") return malformed();
  rule.enabled = status == "Enabled";
  auto filter = read_filter(node);
  if (!filter) return std::unexpected(std::move(filter.error()));
  rule.filter = std::move(*filter);
  for (const XmlNode& child : node.children) {
    if (auto read = read_action(child, rule); !read)
      return std::unexpected(std::move(read.error()));
  }
  auto checked = check_rule(rule, node.child("Expiration") != nullptr);
  if (!checked) return std::unexpected(std::move(checked.error()));
  return rule;
}

void write_filter(XmlWriter& xml, const LifecycleFilter& filter) {
  if (filter.at_rule) return xml.element("Prefix", filter.prefix);
  const std::size_t conditions = (filter.prefix.empty() ? 0u : 1u) + filter.tags.size() +
                                 (filter.larger_than ? 1u : 0u) + (filter.smaller_than ? 1u : 0u);
  xml.open("Filter");
  if (conditions > 1) xml.open("And");
  if (!filter.prefix.empty() || conditions == 0) xml.element("Prefix", filter.prefix);
  for (const auto& [key, value] : filter.tags) {
    xml.open("Tag");
    xml.element("Key", key);
    xml.element("Value", value);
    xml.close();
  }
  if (filter.larger_than) xml.element("ObjectSizeGreaterThan", *filter.larger_than);
  if (filter.smaller_than) xml.element("ObjectSizeLessThan", *filter.smaller_than);
  if (conditions > 1) xml.close();
  xml.close();
}

void write_number(XmlWriter& xml, std::string_view name, std::uint64_t number) {
  xml.element(name, number);
}

void write_rule(XmlWriter& xml, const LifecycleRule& rule) {
  xml.open("Rule");
  xml.element("ID", rule.id);
  write_filter(xml, rule.filter);
  xml.element("Status", std::string_view(rule.enabled ? "Enabled" : "Disabled"));
  if (rule.expire_days || rule.expire_date || rule.expire_markers) {
    xml.open("Expiration");
    if (rule.expire_days) write_number(xml, "Days", *rule.expire_days);
    if (rule.expire_date) xml.time("Date", *rule.expire_date);
    if (rule.expire_markers) xml.boolean("ExpiredObjectDeleteMarker", true);
    xml.close();
  }
  if (rule.noncurrent_days) {
    xml.open("NoncurrentVersionExpiration");
    write_number(xml, "NoncurrentDays", *rule.noncurrent_days);
    if (rule.keep_noncurrent > 0) {
      write_number(xml, "NewerNoncurrentVersions", rule.keep_noncurrent);
    }
    xml.close();
  }
  if (rule.abort_days) {
    xml.open("AbortIncompleteMultipartUpload");
    write_number(xml, "DaysAfterInitiation", *rule.abort_days);
    xml.close();
  }
  xml.close();
}

}  // namespace

ApiResult<LifecycleRules> parse_lifecycle(std::string_view text) {
  const auto root = read_xml(text, "LifecycleConfiguration");
  if (!root) return std::unexpected(root.error());
  LifecycleRules rules;
  std::set<std::string> ids;
  for (const XmlNode& node : root->children) {
    if (node.name != "Rule") return malformed();
    auto rule = read_rule(node);
    if (!rule) return std::unexpected(std::move(rule.error()));
    if (!rule->id.empty() && !ids.insert(rule->id).second) {
      return refuse(ApiError::invalid_argument, "Rule ID must be unique. Found same ID twice");
    }
    rules.push_back(std::move(*rule));
  }
  if (rules.empty() || rules.size() > most_rules) return malformed();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t n = i + 1; rules[i].id.empty(); ++n) {
      const std::string id = fmt::format("rule-{}", n);
      if (ids.insert(id).second) rules[i].id = id;
    }
  }
  return rules;
}

std::string write_lifecycle(const LifecycleRules& rules) {
  XmlWriter xml;
  xml.open_root("LifecycleConfiguration");
  for (const LifecycleRule& rule : rules) write_rule(xml, rule);
  return xml.finish();
}

bool applies(const LifecycleRule& rule, const LifecycleSubject& subject) {
  const LifecycleFilter& filter = rule.filter;
  if (!rule.enabled || !subject.key.starts_with(filter.prefix)) return false;
  if (filter.tags.empty() && !filter.larger_than && !filter.smaller_than) return true;
  if (subject.delete_marker) return false;
  if (filter.larger_than && subject.size <= *filter.larger_than) return false;
  if (filter.smaller_than && subject.size >= *filter.smaller_than) return false;
  return std::ranges::all_of(filter.tags, [&](const auto& wanted) {
    if (subject.tags == nullptr) return false;
    const auto found = subject.tags->find(wanted.first);
    return found != subject.tags->end() && found->second == wanted.second;
  });
}

TimePoint after_days(TimePoint from, std::uint32_t days, std::chrono::seconds day) {
  const TimePoint exact = from + days * day;
  return day == whole_day ? TimePoint(std::chrono::ceil<std::chrono::days>(exact)) : exact;
}

std::optional<Expiry> expiry_of(const LifecycleRules& rules, const LifecycleSubject& subject,
                                TimePoint modified, std::chrono::seconds day) {
  std::optional<Expiry> first;
  for (const LifecycleRule& rule : rules) {
    if ((!rule.expire_days && !rule.expire_date) || !applies(rule, subject)) continue;
    const TimePoint at =
        rule.expire_date ? *rule.expire_date : after_days(modified, *rule.expire_days, day);
    if (!first || at < first->at) first = Expiry{at, &rule};
  }
  return first;
}

std::string expiration_header(const Expiry& expiry) {
  return fmt::format("expiry-date=\"{}\", rule-id=\"{}\"", to_http_date(expiry.at),
                     uri_encode(expiry.rule->id));
}

}  // namespace holdfast::s3

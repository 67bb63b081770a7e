#include "s3/policy_condition.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>

#include "base/encoding.h"
#include "base/log.h"
#include "s3/headers.h"
#include "s3/names.h"

namespace holdfast::s3 {
namespace {

constexpr auto known_keys = std::to_array<std::string_view>({
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:referer",
    "aws:securetransport",
    "aws:sourceip",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "s3:authtype",
    "s3:delimiter",
    "s3:max-keys",
    "s3:prefix",
    "s3:requestobjecttagkeys",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-storage-class",
});
constexpr std::array<std::string_view, 2> tag_keys = {"s3:existingobjecttag/",
                                                      "s3:requestobjecttag/"};

std::unexpected<ApiFailure> bad(std::string why) {
  return refuse(ApiError::malformed_policy, std::move(why));
}

// The key in lower case, the name of a tag as it is; nullopt: not one of ours.
std::optional<std::string> canonical_key(std::string_view key) {
  std::string lower = ascii_lower(key);
  for (const auto prefix : tag_keys) {
    if (lower.starts_with(prefix) && lower.size() > prefix.size()) {
      return std::string(prefix).append(key.substr(prefix.size()));
    }
  }
  if (std::ranges::find(known_keys, lower) == known_keys.end()) return std::nullopt;
  return lower;
}

std::optional<double> number_from(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> date_from(std::string_view text) {
  if (const auto time = from_rfc3339(text)) {
    return std::chrono::duration<double>(time->time_since_epoch()).count();
  }
  if (text.size() == 10 && text[4] == '-') return date_from(std::string(text) + "T00:00:00Z");
  return number_from(text);
}

std::optional<bool> bool_from(std::string_view text) {
  const std::string lower = ascii_lower(text);
  if (lower == "true") return true;
  if (lower == "false") return false;
  return std::nullopt;
}

std::optional<std::string> address_from(const std::string& text) {
  std::string bytes(16, '\0');
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return bytes.substr(0, 4);
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

bool lies_within(std::string_view address, std::string_view network, unsigned bits) {
  if (address.size() != network.size()) return false;
  for (unsigned i = 0; i < bits; ++i) {
    const int difference = address[i / 8] ^ network[i / 8];
    if ((difference >> (7 - i % 8)) & 1) return false;
  }
  return true;
}

// Arn operators match field by field: a wildcard does not cross a colon (the sixth field may hold
// more of them).
bool arn_matches(std::string_view pattern, std::string_view arn) {
  for (int field = 0; field < 5; ++field) {
    const auto p = pattern.find(':'), a = arn.find(':');
    if (p == std::string_view::npos || a == std::string_view::npos) return false;
    const auto part =
        PolicyPattern::compile(pattern.substr(0, p), PolicyPattern::Variables::literal);
    struct Nothing final : PolicyFacts {
      std::optional<std::vector<std::string>> values(std::string_view) const override { return {}; }
    };
    if (!part->matches(arn.substr(0, a), Nothing())) return false;
    pattern.remove_prefix(p + 1);
    arn.remove_prefix(a + 1);
    if (field == 4) {
      const auto rest = PolicyPattern::compile(pattern, PolicyPattern::Variables::literal);
      return rest->matches(arn, Nothing());
    }
  }
  return false;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}
bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

ApiResult<PolicyCondition> PolicyCondition::compile(std::string_view op, std::string_view key,
                                                    std::vector<std::string> values,
                                                    PolicyPattern::Variables variables) {
  PolicyCondition condition;
  auto known = canonical_key(key);
  if (!known) {
    return bad(fmt::format("The condition key {} is not enforced here.", log_field(key, 80)));
  }
  condition.operator_ = op;
  condition.key_ = std::move(*known);
  condition.values_ = std::move(values);
  if (condition.values_.empty()) {
    return bad(fmt::format("The condition {} has no value.", condition.key_));
  }
  if (auto good = condition.read_operator(op); !good) {
    return std::unexpected(std::move(good.error()));
  }
  if (auto good = condition.read_values(variables); !good) {
    return std::unexpected(std::move(good.error()));
  }
  return condition;
}

ApiResult<void> PolicyCondition::read_operator(std::string_view op) {
  if (take_prefix(op, "ForAllValues:")) quantifier_ = Quantifier::for_all;
  if (take_prefix(op, "ForAnyValue:")) quantifier_ = Quantifier::for_any;
  if_exists_ = take_suffix(op, "IfExists");
  struct Known {
    std::string_view name;
    Kind kind;
    bool negated;
    Compare compare;
  };
  constexpr auto equal = Compare::equal;
  constexpr auto known = std::to_array<Known>({
      {"StringEquals", Kind::string_equals, false, equal},
      {"StringNotEquals", Kind::string_equals, true, equal},
      {"StringEqualsIgnoreCase", Kind::string_equals_ignoring_case, false, equal},
      {"StringNotEqualsIgnoreCase", Kind::string_equals_ignoring_case, true, equal},
      {"StringLike", Kind::string_like, false, equal},
      {"StringNotLike", Kind::string_like, true, equal},
      {"ArnEquals", Kind::arn_like, false, equal},
      {"ArnLike", Kind::arn_like, false, equal},
      {"ArnNotEquals", Kind::arn_like, true, equal},
      {"ArnNotLike", Kind::arn_like, true, equal},
      {"NumericEquals", Kind::number, false, equal},
      {"NumericNotEquals", Kind::number, true, equal},
      {"NumericLessThan", Kind::number, false, Compare::less},
      {"NumericLessThanEquals", Kind::number, false, Compare::less_or_equal},
      {"NumericGreaterThan", Kind::number, false, Compare::greater},
      {"NumericGreaterThanEquals", Kind::number, false, Compare::greater_or_equal},
      {"DateEquals", Kind::date, false, equal},
      {"DateNotEquals", Kind::date, true, equal},
      {"DateLessThan", Kind::date, false, Compare::less},
      {"DateLessThanEquals", Kind::date, false, Compare::less_or_equal},
      {"DateGreaterThan", Kind::date, false, Compare::greater},
      {"DateGreaterThanEquals", Kind::date, false, Compare::greater_or_equal},
      {"Bool", Kind::boolean, false, equal},
      {"IpAddress", Kind::ip_address, false, equal},
      {"NotIpAddress", Kind::ip_address, true, equal},
      {"Null", Kind::null, false, equal},
  });
  const auto found = std::ranges::find(known, op, &Known::name);
  if (found == known.end() || (found->kind == Kind::null && if_exists_)) {
    return bad(
        fmt::format("The condition operator {} is not enforced here.", log_field(operator_, 80)));
  }
  kind_ = found->kind;
  negated_ = found->negated;
  compare_ = found->compare;
  return {};
}

ApiResult<void> PolicyCondition::read_values(PolicyPattern::Variables variables) {
  for (const std::string& value : values_) {
    bool good = true;
    switch (kind_) {
      case Kind::number:
      case Kind::date: {
        const auto number = kind_ == Kind::number ? number_from(value) : date_from(value);
        good = number.has_value();
        numbers_.push_back(number.value_or(0));
        break;
      }
      case Kind::boolean:
      case Kind::null:
        good = bool_from(value).has_value();
        break;
      case Kind::ip_address: {
        const auto slash = value.find('/');
        const auto address = address_from(value.substr(0, slash));
        const auto most = address ? address->size() * 8 : 0;
        const auto bits = slash == std::string::npos
                              ? std::optional<std::uint64_t>(most)
                              : parse_u64(std::string_view(value).substr(slash + 1));
        good = address && bits && *bits <= most;
        if (good) networks_.push_back({*address, static_cast<unsigned>(*bits)});
        break;
      }
      default: {
        auto pattern = PolicyPattern::compile(value, variables);
        good = pattern.has_value();
        if (good && kind_ == Kind::arn_like && pattern->has_variable()) good = false;
        if (good) patterns_.push_back(std::move(*pattern));
      }
    }
    if (!good) {
      return bad(fmt::format("The value {} does not fit {} on {}.", log_field(value, 80), operator_,
                             key_));
    }
  }
  return {};
}

bool PolicyCondition::number_holds(double actual) const {
  return std::ranges::any_of(numbers_, [&](double wanted) {
    switch (compare_) {
      case Compare::equal:
        return actual == wanted;
      case Compare::less:
        return actual < wanted;
      case Compare::less_or_equal:
        return actual <= wanted;
      case Compare::greater:
        return actual > wanted;
      case Compare::greater_or_equal:
        return actual >= wanted;
    }
    return false;
  });
}

bool PolicyCondition::any_value_holds(const std::string& actual, const PolicyFacts& facts) const {
  switch (kind_) {
    case Kind::number:
    case Kind::date: {
      const auto number = kind_ == Kind::number ? number_from(actual) : date_from(actual);
      return number && number_holds(*number);
    }
    case Kind::boolean:
      return std::ranges::any_of(values_,
                                 [&](const auto& v) { return equal_ascii_case(v, actual); });
    case Kind::ip_address: {
      const auto address = address_from(actual);
      return address && std::ranges::any_of(networks_, [&](const Network& network) {
               return lies_within(*address, network.address, network.bits);
             });
    }
    case Kind::arn_like:
      return std::ranges::any_of(patterns_,
                                 [&](const auto& p) { return arn_matches(p.text(), actual); });
    case Kind::string_like:
      return std::ranges::any_of(patterns_,
                                 [&](const auto& p) { return p.matches(actual, facts); });
    case Kind::string_equals:
      return std::ranges::any_of(patterns_, [&](const auto& p) { return p.equals(actual, facts); });
    case Kind::string_equals_ignoring_case:
      return std::ranges::any_of(values_,
                                 [&](const auto& v) { return equal_ascii_case(v, actual); });
    case Kind::null:
      break;
  }
  return false;
}

bool PolicyCondition::holds(const PolicyFacts& facts) const {
  const auto actual = facts.values(key_);
  if (kind_ == Kind::null) {
    const bool absent = !actual || actual->empty();
    return std::ranges::any_of(values_, [&](const auto& v) { return bool_from(v) == absent; });
  }
  if (!actual || actual->empty()) {
    return if_exists_ || quantifier_ == Quantifier::for_all ||
           (negated_ && quantifier_ == Quantifier::single);
  }
  const auto fits = [&](const std::string& value) {
    return any_value_holds(value, facts) != negated_;
  };
  if (quantifier_ == Quantifier::for_any) return std::ranges::any_of(*actual, fits);
  return std::ranges::all_of(*actual, fits);
}

bool PolicyCondition::confines() const {
  if (negated_ || if_exists_ || quantifier_ == Quantifier::for_all) return false;
  if (kind_ == Kind::ip_address && key_ == "aws:sourceip") {
    return std::ranges::all_of(networks_, [](const Network& network) {
      return network.bits >= (network.address.size() == 4 ? 8u : 32u);
    });
  }
  if (key_ != "aws:username" && key_ != "aws:userid" && key_ != "aws:principalarn" &&
      key_ != "aws:principalaccount") {
    return false;
  }
  return !patterns_.empty() && std::ranges::none_of(patterns_, [&](const auto& pattern) {
    const bool wild = kind_ == Kind::string_like || kind_ == Kind::arn_like;
    return pattern.has_variable() || (wild && pattern.has_wildcard());
  });
}

}  // namespace holdfast::s3

// The Condition element of a policy (AWS IAM user guide, "IAM JSON policy elements: Condition
// operators"): String, Numeric, Date, Bool, IpAddress, Arn and Null operators with IfExists and the
// set prefixes. Only keys that requests here really carry are accepted. Values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "s3/error.h"
#include "s3/policy_pattern.h"

namespace holdfast::s3 {

class PolicyCondition {
 public:
  // One operator with one key and its values. malformed_policy, naming what is not enforced.
  static ApiResult<PolicyCondition> compile(std::string_view op, std::string_view key,
                                            std::vector<std::string> values,
                                            PolicyPattern::Variables variables);

  bool holds(const PolicyFacts& facts) const;

  // "s3:existingobjecttag/NAME": the key in lower case, a tag's name as it is.
  const std::string& key() const { return key_; }
  // Holds for requests of some fixed places or principals only, so that a statement to everyone is
  // not public (AWS S3 user guide, "The meaning of 'public'").
  bool confines() const;

 private:
  enum class Kind : std::uint8_t {
    string_equals,
    string_equals_ignoring_case,
    string_like,
    arn_like,
    number,
    date,
    boolean,
    ip_address,
    null,
  };
  enum class Compare : std::uint8_t { equal, less, less_or_equal, greater, greater_or_equal };
  enum class Quantifier : std::uint8_t { single, for_all, for_any };
  struct Network {
    std::string address;  // 4 or 16 bytes
    unsigned bits = 0;
  };

  ApiResult<void> read_operator(std::string_view op);
  ApiResult<void> read_values(PolicyPattern::Variables variables);
  bool any_value_holds(const std::string& actual, const PolicyFacts& facts) const;
  bool number_holds(double actual) const;

  std::string operator_, key_;
  std::vector<std::string> values_;
  Kind kind_ = Kind::string_equals;
  Compare compare_ = Compare::equal;
  Quantifier quantifier_ = Quantifier::single;
  bool negated_ = false, if_exists_ = false;
  std::vector<PolicyPattern> patterns_;
  std::vector<double> numbers_;  // dates as seconds since 1970
  std::vector<Network> networks_;
};

}  // namespace holdfast::s3

// What one request says of itself, for the conditions of policies, and the policy's names of what
// requests do. Values come from what was authenticated and decoded: the same that the handlers use.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/s3_call.h"
#include "s3/policy_pattern.h"

namespace holdfast::gateway {

// Lives no longer than the call and the need.
class CallFacts final : public s3::PolicyFacts {
 public:
  CallFacts(const S3Call& call, const Need& need) : call_(call), need_(need) {}
  std::optional<std::vector<std::string>> values(std::string_view key) const override;

 private:
  std::optional<std::vector<std::string>> of_principal(std::string_view key) const;
  std::optional<std::vector<std::string>> of_connection(std::string_view key) const;
  std::optional<std::vector<std::string>> of_request(std::string_view key) const;
  std::optional<std::vector<std::string>> of_tags(std::string_view key) const;
  std::optional<std::string> parameter(std::string_view name) const;

  const S3Call& call_;
  const Need& need_;
};

// The main action of the call, by AWS's name; none where AWS knows no such request.
s3::PolicyAction policy_action_of(const S3Call& call);

// The tags that the request brings, as far as they are known before its body.
std::optional<s3::Tags> request_tags_of(const S3Call& call);

}  // namespace holdfast::gateway

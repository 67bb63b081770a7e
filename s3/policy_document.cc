#include "s3/policy_document.h"

#include <algorithm>

namespace holdfast::s3 {
namespace {

bool names(std::string_view principal, std::span<const PrincipalName> groups,
           const std::vector<std::string>& users, const std::vector<std::string>& listed) {
  if (principal.empty()) return false;
  if (std::ranges::find(users, principal) != users.end()) return true;
  return std::ranges::any_of(groups, [&](const PrincipalName& group) {
    return std::ranges::find(listed, group.value) != listed.end();
  });
}

}  // namespace

bool PolicyDocument::Statement::is_public() const {
  if (!allow) return false;
  if (!principals.everyone && !negated_principal) return false;
  return std::ranges::none_of(conditions, &PolicyCondition::confines);
}

bool PolicyDocument::concerns(const Statement& statement, const PolicyQuestion& question) {
  const Principals& who = statement.principals;
  const bool named = who.everyone || (who.whole_account && !question.principal.empty()) ||
                     names(question.principal, question.groups, who.users, who.groups);
  if (named == statement.negated_principal) return false;
  const bool acts = statement.actions[static_cast<std::size_t>(question.action)];
  if (acts == statement.negated_action) return false;
  const bool there = std::ranges::any_of(statement.resources, [&](const PolicyPattern& pattern) {
    return pattern.matches(question.resource, question.facts);
  });
  if (there == statement.negated_resource) return false;
  return std::ranges::all_of(statement.conditions, [&](const PolicyCondition& condition) {
    return condition.holds(question.facts);
  });
}

PolicyVerdict PolicyDocument::judge(const PolicyQuestion& question) const {
  if (question.action == PolicyAction::none) return PolicyVerdict::none;
  PolicyVerdict verdict = PolicyVerdict::none;
  for (const Statement& statement : statements_) {
    if (statement.allow && verdict == PolicyVerdict::allow) continue;
    if (statement.allow && question.ignore_public && statement.is_public()) continue;
    if (!concerns(statement, question)) continue;
    if (!statement.allow) return PolicyVerdict::deny;
    verdict = PolicyVerdict::allow;
  }
  return verdict;
}

bool PolicyDocument::is_public() const {
  return std::ranges::any_of(statements_, &Statement::is_public);
}

}  // namespace holdfast::s3

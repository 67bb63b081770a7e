// Reads policy documents: strict, since every element that is not understood would be a rule that
// is not carried out.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <initializer_list>
#include <optional>
#include <utility>

#include "base/log.h"
#include "s3/names.h"
#include "s3/policy_document.h"

namespace holdfast::s3 {
namespace {

namespace json = boost::json;

constexpr std::size_t action_count =
    static_cast<std::size_t>(PolicyAction::unserved_on_objects) + 1;
constexpr std::string_view resource_prefix = "arn:aws:s3:::";

std::unexpected<ApiFailure> bad(std::string why) {
  return refuse(ApiError::malformed_policy, std::move(why));
}

std::string shown(std::string_view text) { return log_field(text, 120); }

std::optional<std::string> scalar(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_number()) return json::serialize(value);
  return std::nullopt;
}

// A string, or an array of them.
ApiResult<std::vector<std::string>> strings_of(const json::value& value, std::string_view what) {
  std::vector<std::string> all;
  const auto add = [&](const json::value& one) {
    auto text = scalar(one);
    if (text) all.push_back(std::move(*text));
    return text.has_value();
  };
  bool good = false;
  if (value.is_array()) {
    good = !value.get_array().empty() && std::ranges::all_of(value.get_array(), add);
  } else {
    good = add(value);
  }
  if (!good) return bad(fmt::format("{} must be a string or a list of strings.", what));
  return all;
}

ApiResult<void> only_members(const json::object& object, std::string_view of,
                             std::initializer_list<std::string_view> known) {
  for (const auto& member : object) {
    if (std::ranges::find(known, std::string_view(member.key())) != known.end()) continue;
    return bad(fmt::format("Unknown element {} in {}.", shown(member.key()), of));
  }
  return {};
}

// Which of two members is there: exactly one has to be.
struct Either {
  const json::value* value = nullptr;
  bool negated = false;
};
ApiResult<Either> either(const json::object& object, std::string_view name,
                         std::string_view negated) {
  const json::value* plain = object.if_contains(name);
  const json::value* other = object.if_contains(negated);
  if ((plain == nullptr) == (other == nullptr)) {
    return bad(fmt::format("A statement needs one of {} and {}.", name, negated));
  }
  return Either{plain != nullptr ? plain : other, plain == nullptr};
}

}  // namespace

class PolicyDocument::Parser {
 public:
  explicit Parser(std::optional<std::string_view> bucket) : bucket_(bucket) {}

  ApiResult<PolicyDocument> parse(std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    if (error || !value.is_object()) return bad("The policy is not valid JSON.");
    const json::object& root = value.get_object();
    if (auto good = only_members(root, "the policy", {"Version", "Id", "Statement"}); !good) {
      return std::unexpected(std::move(good.error()));
    }
    if (auto good = read_version(root); !good) return std::unexpected(std::move(good.error()));
    const json::value* statements = root.if_contains("Statement");
    if (statements == nullptr) return bad("The policy has no Statement.");
    document_.for_bucket_ = bucket_.has_value();
    if (statements->is_object()) {
      if (auto good = add(*statements); !good) return std::unexpected(std::move(good.error()));
      return std::move(document_);
    }
    if (!statements->is_array() || statements->get_array().empty()) {
      return bad("Statement must be a list of statements.");
    }
    for (const json::value& statement : statements->get_array()) {
      if (auto good = add(statement); !good) return std::unexpected(std::move(good.error()));
    }
    return std::move(document_);
  }

 private:
  ApiResult<void> read_version(const json::object& root) {
    const json::value* version = root.if_contains("Version");
    if (version == nullptr || *version == json::value("2008-10-17")) return {};
    if (*version != json::value("2012-10-17")) {
      return bad("The policy's Version is 2012-10-17 or 2008-10-17.");
    }
    variables_ = PolicyPattern::Variables::replaced;
    return {};
  }

  ApiResult<void> add(const json::value& value) {
    if (!value.is_object()) return bad("A statement is a JSON object.");
    const json::object& object = value.get_object();
    auto good = only_members(object, "a statement",
                             {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction",
                              "Resource", "NotResource", "Condition"});
    Statement statement;
    if (good) good = read_effect(object, statement);
    if (good) good = read_principal(object, statement);
    if (good) good = read_actions(object, statement);
    if (good) good = read_resources(object, statement);
    if (good) good = check_pairs(object, statement);
    if (good) good = read_conditions(object, statement);
    if (!good) return good;
    document_.statements_.push_back(std::move(statement));
    return {};
  }

  static ApiResult<void> read_effect(const json::object& object, Statement& statement) {
    const json::value* effect = object.if_contains("Effect");
    if (effect != nullptr && *effect == json::value("Allow")) {
      statement.allow = true;
      return {};
    }
    if (effect != nullptr && *effect == json::value("Deny")) return {};
    return bad("A statement's Effect is Allow or Deny.");
  }

  ApiResult<void> read_principal(const json::object& object, Statement& statement) {
    if (!bucket_) {
      if (object.contains("Principal") || object.contains("NotPrincipal")) {
        return bad("A session policy names no principal: it is its session's own.");
      }
      statement.principals.everyone = true;
      return {};
    }
    auto found = either(object, "Principal", "NotPrincipal");
    if (!found) return std::unexpected(std::move(found.error()));
    statement.negated_principal = found->negated;
    if (*found->value == json::value("*")) {
      statement.principals.everyone = true;
      return {};
    }
    if (!found->value->is_object() || found->value->get_object().empty()) {
      return bad("Principal is \"*\" or {\"AWS\": …}.");
    }
    for (const auto& member : found->value->get_object()) {
      if (member.key() != "AWS") {
        return bad(
            fmt::format("Principals of the kind {} do not exist here.", shown(member.key())));
      }
      auto all = strings_of(member.value(), "Principal");
      if (!all) return std::unexpected(std::move(all.error()));
      for (const std::string& one : *all) {
        if (auto good = add_principal(one, statement); !good) return good;
      }
    }
    return {};
  }

  // "*", an account, or arn:aws:iam::ACCOUNT:{root|user/NAME|group/NAME}.
  static ApiResult<void> add_principal(std::string_view text, Statement& statement) {
    Principals& who = statement.principals;
    if (text == "*") {
      who.everyone = true;
      return {};
    }
    std::string_view account = text;
    std::string_view name = "root";
    constexpr std::string_view iam = "arn:aws:iam::";
    if (text.starts_with(iam)) {
      const auto rest = text.substr(iam.size());
      const auto colon = rest.find(':');
      if (colon == std::string_view::npos) return invalid_principal(text);
      account = rest.substr(0, colon);
      name = rest.substr(colon + 1);
    } else if (account.size() != 12 ||
               !std::ranges::all_of(account, [](char c) { return c >= '0' && c <= '9'; })) {
      return invalid_principal(text);
    }
    if (!account.empty() && account != store_account) {
      // Nobody here is of another account: what is allowed to it is allowed to nobody, but what
      // is denied to it would deny nothing.
      if (statement.allow && !statement.negated_principal) return {};
      return bad(fmt::format("There are no principals of the account {} here.", shown(account)));
    }
    if (name == "root") {
      who.whole_account = true;
    } else if (name.starts_with("user/") && name.size() > 5) {
      who.users.emplace_back(name.substr(5));
    } else if (name.starts_with("group/") && name.size() > 6) {
      who.groups.emplace_back(name.substr(6));
    } else {
      return invalid_principal(text);
    }
    return {};
  }

  static ApiResult<void> invalid_principal(std::string_view text) {
    return bad(fmt::format("Invalid principal in policy: {}.", shown(text)));
  }

  ApiResult<void> read_actions(const json::object& object, Statement& statement) {
    auto found = either(object, "Action", "NotAction");
    if (!found) return std::unexpected(std::move(found.error()));
    statement.negated_action = found->negated;
    statement.actions.assign(action_count, false);
    auto all = strings_of(*found->value, "Action");
    if (!all) return std::unexpected(std::move(all.error()));
    for (const std::string& action : *all) {
      bool known = action == "*";
      std::string_view pattern = action;
      if (known) {
        pattern = "s3:*";
      }
      for (const PolicyActionName& entry : policy_action_names()) {
        if (!matches_ignoring_case(pattern, "s3:" + std::string(entry.name))) continue;
        statement.actions[static_cast<std::size_t>(entry.action)] = true;
        known = true;
      }
      if (!known) return bad(fmt::format("Policy has invalid action: {}.", shown(action)));
    }
    return {};
  }

  ApiResult<void> read_resources(const json::object& object, Statement& statement) {
    auto found = either(object, "Resource", "NotResource");
    if (!found) return std::unexpected(std::move(found.error()));
    statement.negated_resource = found->negated;
    auto all = strings_of(*found->value, "Resource");
    if (!all) return std::unexpected(std::move(all.error()));
    for (const std::string& resource : *all) {
      std::string_view path = resource;
      if (path != "*" && !path.starts_with(resource_prefix)) return invalid_resource(resource);
      if (path != "*") path.remove_prefix(resource_prefix.size());
      auto pattern = PolicyPattern::compile(path, variables_);
      if (path.empty() || !pattern) return invalid_resource(resource);
      const std::string_view bucket = path.substr(0, path.find('/'));
      if (bucket_ && !matches_ignoring_case(bucket, *bucket_)) return invalid_resource(resource);
      statement.resources.push_back(std::move(*pattern));
    }
    return {};
  }

  static ApiResult<void> invalid_resource(std::string_view text) {
    return bad(fmt::format("Policy has invalid resource: {}.", shown(text)));
  }

  // An action that is named must be able to happen to one of the resources: "s3:GetObject" on a
  // bucket's own ARN would be a rule that never applies.
  static ApiResult<void> check_pairs(const json::object& object, const Statement& statement) {
    if (statement.negated_resource || statement.negated_action) return {};
    bool buckets = false, objects = false;
    for (const PolicyPattern& pattern : statement.resources) {
      const bool slash = pattern.text().find('/') != std::string::npos;
      const bool wild =
          pattern.text().substr(0, pattern.text().find('/')).find('*') != std::string::npos;
      objects = objects || slash || wild;
      buckets = buckets || !slash || (wild && pattern.text().ends_with('*'));
    }
    auto all = strings_of(object.at("Action"), "Action");
    for (const std::string& action : *all) {
      if (action.find_first_of("*?") != std::string::npos) continue;
      for (const PolicyActionName& entry : policy_action_names()) {
        if (!equal_ascii_case(action, "s3:" + std::string(entry.name))) continue;
        if (entry.action == PolicyAction::list_all_my_buckets) continue;
        if (entry.on_objects ? objects : buckets) continue;
        return bad(fmt::format("Action does not apply to any resource(s) in statement: {}.",
                               shown(action)));
      }
    }
    return {};
  }

  ApiResult<void> read_conditions(const json::object& object, Statement& statement) {
    const json::value* conditions = object.if_contains("Condition");
    if (conditions == nullptr) return {};
    if (!conditions->is_object()) return bad("Condition is a JSON object of operators.");
    for (const auto& op : conditions->get_object()) {
      if (!op.value().is_object() || op.value().get_object().empty()) {
        return bad(fmt::format("The condition operator {} needs keys.", shown(op.key())));
      }
      for (const auto& key : op.value().get_object()) {
        auto values = strings_of(key.value(), "A condition's value");
        if (!values) return std::unexpected(std::move(values.error()));
        auto condition =
            PolicyCondition::compile(op.key(), key.key(), std::move(*values), variables_);
        if (!condition) return std::unexpected(std::move(condition.error()));
        note(*condition);
        statement.conditions.push_back(std::move(*condition));
      }
    }
    return {};
  }

  void note(const PolicyCondition& condition) {
    if (condition.key().starts_with("s3:existingobjecttag/")) document_.reads_object_tags_ = true;
    if (condition.key().starts_with("s3:requestobjecttag")) document_.reads_request_tags_ = true;
  }

  std::optional<std::string_view> bucket_;
  PolicyPattern::Variables variables_ = PolicyPattern::Variables::literal;
  PolicyDocument document_;
};

ApiResult<PolicyDocument> PolicyDocument::parse_bucket_policy(std::string_view json,
                                                              std::string_view bucket) {
  return Parser(bucket).parse(json);
}

ApiResult<PolicyDocument> PolicyDocument::parse_session_policy(std::string_view json) {
  return Parser(std::nullopt).parse(json);
}

}  // namespace holdfast::s3

#include "gateway/web_request.h"

#include "base/encoding.h"
#include "control/scope.h"
#include "gateway/access.h"
#include "s3/names.h"

namespace holdfast::gateway {

namespace json = boost::json;

Result<std::string> text_field(const json::object& body, std::string_view name) {
  const auto* value = body.if_contains(name);
  if (value == nullptr || !value->is_string()) {
    return fail(ErrorCode::invalid_argument, "the body needs \"{}\", a string", name);
  }
  return std::string(value->get_string());
}

std::string text_field_or(const json::object& body, std::string_view name,
                          std::string_view otherwise) {
  const auto* value = body.if_contains(name);
  return std::string(value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                            : otherwise);
}

Result<std::uint64_t> number_field(const json::object& body, std::string_view name) {
  const auto* value = body.if_contains(name);
  boost::system::error_code error;
  const auto number = value != nullptr ? value->to_number<std::uint64_t>(error) : 0;
  if (value == nullptr || error) {
    return fail(ErrorCode::invalid_argument, "the body needs \"{}\", a number from 0", name);
  }
  return number;
}

bool flag_field(const json::object& body, std::string_view name, Otherwise otherwise) {
  const auto* value = body.if_contains(name);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise == Otherwise::yes;
}

std::string query_or(const ApiRequest& request, const std::string& name,
                     std::string_view otherwise) {
  const auto found = request.query.find(name);
  return found != request.query.end() ? found->second : std::string(otherwise);
}

Result<ObjectKey> key_field(const json::object& body) {
  if (body.contains("key_raw")) {
    auto raw = text_field(body, "key_raw");
    const auto bytes = raw ? from_base64(*raw) : std::nullopt;
    if (!bytes) {
      return fail(ErrorCode::invalid_argument, "\"key_raw\" takes the base64 of a key's bytes");
    }
    return ObjectKey(*bytes);
  }
  auto key = text_field(body, "key");
  if (!key) return std::unexpected(key.error());
  return ObjectKey(*key);
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    std::size_t extra = 0;
    std::uint32_t point = lead;
    if (lead >= 0xf0 && lead <= 0xf4) {
      extra = 3;
      point = lead & 7u;
    } else if (lead >= 0xe0) {
      extra = 2;
      point = lead & 15u;
    } else if (lead >= 0xc2) {
      extra = 1;
      point = lead & 31u;
    }
    if ((lead >= 0x80 && extra == 0) || lead > 0xf4 || i + extra >= text.size()) {
      return false;
    }
    for (std::size_t j = 1; j <= extra; ++j) {
      const auto next = static_cast<unsigned char>(text[i + j]);
      if ((next & 0xc0u) != 0x80) return false;
      point = point << 6 | (next & 0x3fu);
    }
    // Overlong forms, surrogates and what lies beyond Unicode (RFC 3629).
    if ((extra == 2 && point < 0x800) || (extra == 3 && (point < 0x10000 || point > 0x10ffff)) ||
        (point >= 0xd800 && point <= 0xdfff)) {
      return false;
    }
    i += extra + 1;
  }
  return true;
}

void set_key(json::object& out, std::string_view name, std::string_view bytes) {
  if (is_utf8(bytes)) {
    out[name] = json::string(bytes);
    return;
  }
  out[name] = json::string(s3::uri_encode(bytes, s3::Slash::keep));
  out[std::string(name) + "_raw"] = json::string(to_base64(as_bytes(bytes)));
}

Result<Place> parse_place(std::string_view text, const BucketName& homes_bucket) {
  const auto split = [](std::string_view rest) {
    const auto slash = rest.find('/');
    return std::pair(rest.substr(0, slash),
                     slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1));
  };
  if (text.starts_with("home:")) {
    const auto [user, path] = split(text.substr(5));
    if (!user.empty()) return Place{homes_bucket, fmt::format("{}/{}", user, path)};
  } else if (text.starts_with("s3://")) {
    const auto [bucket, path] = split(text.substr(5));
    if (!bucket.empty()) return Place{BucketName(std::string(bucket)), std::string(path)};
  }
  return fail(ErrorCode::invalid_argument,
              "\"{}\" names no place; write home:USER/PATH or s3://BUCKET/KEY", text);
}

namespace {

// What a console call says of itself. What it does not say is absent: a Deny that excepts a known
// network or a signature then denies.
class ConsoleFacts final : public s3::PolicyFacts {
 public:
  ConsoleFacts(const Caller& caller, control::Action action, std::string_view path, TimePoint now)
      : caller_(caller), action_(action), path_(path), now_(now) {}
  std::optional<std::vector<std::string>> values(std::string_view key) const override {
    const auto one = [](std::string text) { return std::vector<std::string>{std::move(text)}; };
    const std::string& name = caller_.actor.principal.value;
    if (key == "aws:username" || key == "aws:userid") return one(name);
    if (key == "aws:principaltype") return one("User");
    if (key == "aws:principalaccount") return one(std::string(s3::store_account));
    if (key == "aws:principalarn") {
      return one(fmt::format("arn:aws:iam::{}:user/{}", s3::store_account, name));
    }
    if (key == "aws:sourceip") return one(caller_.actor.source);
    if (key == "aws:currenttime") return one(to_rfc3339(now_));
    if (key == "s3:prefix" && control::is_listing(action_)) return one(std::string(path_));
    return std::nullopt;
  }

 private:
  const Caller& caller_;
  control::Action action_;
  std::string_view path_;
  TimePoint now_;
};

}  // namespace

Result<void> authorise(WebApi& api, const Caller& caller, control::Action action,
                       const BucketName& bucket, std::string_view path) {
  if (caller.actor.kind != control::Actor::Kind::principal) return {};
  const auto snapshot = api.parts().policy.current();
  const ConsoleFacts facts(caller, action, path, api.parts().clock.now());
  const auto rules = api.parts().rules != nullptr ? api.parts().rules->find(bucket) : nullptr;
  AccessQuestion question{{}, policy_action_of(action), rules.get(), nullptr, facts, false};
  question.request.principal = caller.actor.principal;
  question.request.action = action;
  question.request.bucket = bucket;
  question.request.path = path;
  question.request.now = api.parts().clock.now();
  const auto decision = decide_access(*snapshot, question);
  // A drop grant shows its holder's own uploads, which the console does not tell apart.
  const bool blind = decision.level == control::Level::drop && control::is_listing(action);
  if (decision.allowed && !blind) return {};
  api.parts().registry.audit().record({.actor = caller.actor.principal,
                                       .action = "web.denied",
                                       .target = fmt::format("{}/{}", bucket.value, path),
                                       .outcome = "denied",
                                       .request_id = caller.actor.request_id,
                                       .source = caller.actor.source,
                                       .detail = {}});
  return fail(ErrorCode::access_denied,
              "{} may not do this in {}; ask an administrator for a grant",
              caller.actor.principal.value, bucket.value);
}

Result<void> require_admin(const Caller& caller) {
  if (caller.admin) return {};
  return fail(ErrorCode::access_denied, "only an administrator may do this");
}

}  // namespace holdfast::gateway

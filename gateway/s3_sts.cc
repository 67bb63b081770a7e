// Temporary credentials on the S3 listener (AWS STS API reference, 2011-06-15): AssumeRole,
// AssumeRoleWithWebIdentity, GetSessionToken, GetCallerIdentity. A role is not looked up: the
// credentials speak for the caller's own principal, narrowed by the session policy.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "gateway/s3_handlers.h"
#include "gateway/web_identities.h"
#include "s3/names.h"
#include "s3/policy_document.h"
#include "s3/xml.h"

namespace holdfast::gateway {
namespace {

using Fields = std::map<std::string, std::string>;

constexpr std::size_t body_limit = 64u << 10;
constexpr std::size_t policy_limit = 2'048;  // characters, as AWS limits it
constexpr std::string_view sts_namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
constexpr std::uint64_t shortest = 900, longest = 12 * 3600;

struct Refusal {
  unsigned status = 400;
  std::string code, message;
};
template <class T>
using StsResult = std::expected<T, Refusal>;

std::unexpected<Refusal> refuse(unsigned status, std::string code, std::string message) {
  return std::unexpected(Refusal{status, std::move(code), std::move(message)});
}
std::unexpected<Refusal> refuse(const s3::ApiFailure& failure) {
  const s3::ApiErrorInfo& info = s3::describe(failure.error);
  return refuse(info.status, std::string(info.code),
                failure.message.empty() ? std::string(info.message) : failure.message);
}

// application/x-www-form-urlencoded; a name counts once.
StsResult<Fields> fields_of(std::string_view body) {
  Fields fields;
  while (!body.empty()) {
    const auto end = std::min(body.find('&'), body.size());
    std::string_view pair = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    const auto decoded = [](std::string_view text) {
      std::string plain(text);
      std::ranges::replace(plain, '+', ' ');
      return s3::percent_decode(plain);
    };
    auto name = decoded(pair.substr(0, equals));
    auto value = decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value || !fields.emplace(std::move(*name), std::move(*value)).second) {
      return refuse(400, "MalformedQueryString", "The form cannot be read.");
    }
  }
  return fields;
}

std::string field(const Fields& fields, const std::string& name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

StsResult<std::chrono::seconds> duration_of(const Fields& fields, std::uint64_t otherwise) {
  const std::string text = field(fields, "DurationSeconds");
  if (text.empty()) return std::chrono::seconds(otherwise);
  const auto seconds = s3::parse_u64(text);
  if (!seconds || *seconds < shortest || *seconds > longest) {
    return refuse(400, "ValidationError",
                  fmt::format("DurationSeconds lies between {} and {}.", shortest, longest));
  }
  return std::chrono::seconds(*seconds);
}

StsResult<void> take_policy(const Fields& fields, TemporarySession& session) {
  for (const auto& [name, value] : fields) {
    if (name.starts_with("PolicyArns") || name.starts_with("Tags.") || name == "SerialNumber" ||
        name == "TokenCode" || name == "ProviderId") {
      return refuse(400, "ValidationError", fmt::format("{} is not supported.", name));
    }
  }
  session.policy_text = field(fields, "Policy");
  if (session.policy_text.empty()) return {};
  if (session.policy_text.size() > policy_limit) {
    return refuse(400, "PackedPolicyTooLarge", "The session policy has more than 2048 characters.");
  }
  auto policy = s3::PolicyDocument::parse_session_policy(session.policy_text);
  if (!policy) return refuse(400, "MalformedPolicyDocument", policy.error().message);
  session.policy = std::move(*policy);
  return {};
}

StsResult<std::string> session_name(const Fields& fields) {
  std::string name = field(fields, "RoleSessionName");
  const bool good = name.size() >= 2 && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') ||
                             std::string_view("_=,.@-").find(c) != std::string_view::npos;
                    });
  if (good) return name;
  return refuse(400, "ValidationError", "RoleSessionName has 2 to 64 letters, digits or _=,.@-");
}

void write_credentials(s3::XmlWriter& xml, const TemporarySession& session) {
  xml.open("Credentials");
  xml.element("AccessKeyId", session.key.id.value);
  xml.element("SecretAccessKey", session.key.secret);
  xml.element("SessionToken", session.key.session_token);
  xml.element("Expiration", to_rfc3339(*session.key.not_after));
  xml.close();
}

void write_assumed(s3::XmlWriter& xml, const TemporarySession& session) {
  xml.open("AssumedRoleUser");
  xml.element("Arn", fmt::format("arn:aws:sts::{}:assumed-role/{}/{}", s3::store_account,
                                 session.key.principal.value, session.name));
  xml.element("AssumedRoleId", fmt::format("{}:{}", session.key.principal.value, session.name));
  xml.close();
}

S3Reply sts_reply(const S3Call& call, s3::XmlWriter& xml) {
  xml.close();  // the result
  xml.open("ResponseMetadata");
  xml.element("RequestId", call.request_id);
  xml.close();
  S3Reply reply = xml_reply(xml.finish());
  reply.head.headers.add("Cache-Control", "no-store");
  return reply;
}

S3Reply refusal_reply(const S3Call& call, const Refusal& refusal) {
  s3::XmlWriter xml;
  xml.open_root("ErrorResponse", sts_namespace);
  xml.open("Error");
  xml.element("Type", refusal.status < 500 ? "Sender" : "Receiver");
  xml.element("Code", refusal.code);
  xml.element("Message", refusal.message);
  xml.close();
  xml.element("RequestId", call.request_id);
  return xml_reply(xml.finish(), refusal.status);
}

void audit(const S3Call& call, std::string action, const TemporarySession& session) {
  AuditEvent event;
  event.time = call.backend.clock.now();
  event.request_id = call.request_id;
  event.principal = session.key.principal.value;
  event.access_key = session.parent.value;
  event.operation = std::move(action);
  event.path = session.key.id.value;
  event.peer = call.exchange.peer().address().to_string();
  event.outcome = AuditOutcome::allowed;
  event.status = 200;
  call.backend.audit.record(std::move(event));
}

// --- The actions

StsResult<S3Reply> caller_identity(const S3Call& call) {
  const std::string& name = call.identity.principal.value;
  s3::XmlWriter xml;
  xml.open_root("GetCallerIdentityResponse", sts_namespace);
  xml.open("GetCallerIdentityResult");
  const auto& session = call.identity.session;
  xml.element("Arn", session == nullptr
                         ? fmt::format("arn:aws:iam::{}:user/{}", s3::store_account, name)
                         : fmt::format("arn:aws:sts::{}:assumed-role/{}/{}", s3::store_account,
                                       name, session->name));
  xml.element("UserId", session == nullptr ? name : fmt::format("{}:{}", name, session->name));
  xml.element("Account", s3::store_account);
  return sts_reply(call, xml);
}

// The same person, for a while and perhaps with less. Not from temporary credentials: their policy
// would have to be carried on, and their end with it.
StsResult<TemporarySession> begin_session(const S3Call& call, const Fields& fields) {
  if (call.identity.session != nullptr) {
    return refuse(403, "AccessDenied", "Temporary credentials cannot make others.");
  }
  auto duration = duration_of(fields, 3600);
  if (!duration) return std::unexpected(duration.error());
  TemporarySession session;
  session.key.principal = call.identity.principal;
  session.key.not_after = call.backend.clock.now() + *duration;
  const auto& parent_end = call.identity.key->not_after;
  if (parent_end) session.key.not_after = std::min(*session.key.not_after, *parent_end);
  session.parent = call.identity.key_id;
  if (auto good = take_policy(fields, session); !good) return std::unexpected(good.error());
  return session;
}

StsResult<S3Reply> assume_role(const S3Call& call, const Fields& fields) {
  auto name = session_name(fields);
  if (!name) return std::unexpected(name.error());
  auto session = begin_session(call, fields);
  if (!session) return std::unexpected(session.error());
  session->name = std::move(*name);
  *session = call.backend.sessions->issue(std::move(*session));
  audit(call, "AssumeRole", *session);
  s3::XmlWriter xml;
  xml.open_root("AssumeRoleResponse", sts_namespace);
  xml.open("AssumeRoleResult");
  write_assumed(xml, *session);
  write_credentials(xml, *session);
  return sts_reply(call, xml);
}

StsResult<S3Reply> session_token(const S3Call& call, const Fields& fields) {
  auto session = begin_session(call, fields);
  if (!session) return std::unexpected(session.error());
  session->name = "session";
  *session = call.backend.sessions->issue(std::move(*session));
  audit(call, "GetSessionToken", *session);
  s3::XmlWriter xml;
  xml.open_root("GetSessionTokenResponse", sts_namespace);
  xml.open("GetSessionTokenResult");
  write_credentials(xml, *session);
  return sts_reply(call, xml);
}

StsResult<TemporarySession> web_session(const S3Call& call, const Fields& fields,
                                        const WebIdentity& identity) {
  const auto policy = call.backend.policies.current();
  const PrincipalName principal(identity.principal);
  const control::PrincipalRecord* known = policy->find_principal(principal);
  if (known == nullptr || known->disabled) {
    return refuse(403, "AccessDenied", "The token names no principal of this store.");
  }
  auto duration = duration_of(fields, 3600);
  if (!duration) return std::unexpected(duration.error());
  auto name = session_name(fields);
  if (!name) return std::unexpected(name.error());
  TemporarySession session;
  session.key.principal = principal;
  session.key.not_after = call.backend.clock.now() + *duration;
  session.name = std::move(*name);
  if (auto good = take_policy(fields, session); !good) return std::unexpected(good.error());
  return session;
}

boost::asio::awaitable<StsResult<S3Reply>> assume_with_web_identity(const S3Call& call,
                                                                    const Fields& fields) {
  WebIdentities* provider = call.backend.identities;
  if (provider == nullptr) {
    co_return refuse(400, "IDPCommunicationError", "No identity provider is configured.");
  }
  auto identity = co_await provider->verify(field(fields, "WebIdentityToken"));
  if (!identity) {
    call.backend.counters.unauthenticated.fetch_add(1, std::memory_order_relaxed);
    switch (identity.error().code) {
      case ErrorCode::expired:
        co_return refuse(400, "ExpiredTokenException", "The web identity token has expired.");
      case ErrorCode::unauthenticated:
        co_return refuse(400, "InvalidIdentityToken", identity.error().context);
      default:
        co_return refuse(503, "IDPCommunicationError", "The identity provider does not answer.");
    }
  }
  auto session = web_session(call, fields, *identity);
  if (!session) co_return std::unexpected(session.error());
  *session = call.backend.sessions->issue(std::move(*session));
  audit(call, "AssumeRoleWithWebIdentity", *session);
  s3::XmlWriter xml;
  xml.open_root("AssumeRoleWithWebIdentityResponse", sts_namespace);
  xml.open("AssumeRoleWithWebIdentityResult");
  xml.element("Audience", provider->options().audience);
  xml.element("Provider", provider->options().issuer);
  xml.element("SubjectFromWebIdentityToken", identity->subject);
  write_assumed(xml, *session);
  write_credentials(xml, *session);
  co_return sts_reply(call, xml);
}

boost::asio::awaitable<StsResult<S3Reply>> dispatch(S3Call& call, const std::string& body) {
  auto fields = fields_of(body);
  if (!fields) co_return std::unexpected(fields.error());
  const std::string action = field(*fields, "Action");
  if (call.backend.sessions == nullptr) {
    co_return refuse(501, "NotImplemented", "Temporary credentials are switched off.");
  }
  if (action == "AssumeRoleWithWebIdentity") {
    co_return co_await assume_with_web_identity(call, *fields);
  }
  auto identity = call.backend.authenticator.authenticate_sts(call.request(), body,
                                                              call.backend.policies.current());
  if (!identity) {
    call.backend.counters.unauthenticated.fetch_add(1, std::memory_order_relaxed);
    co_return refuse(identity.error());
  }
  call.identity = std::move(*identity);
  if (action == "GetCallerIdentity") co_return caller_identity(call);
  if (action == "AssumeRole") co_return assume_role(call, *fields);
  if (action == "GetSessionToken") co_return session_token(call, *fields);
  co_return refuse(400, "InvalidAction", "This action is not served here.");
}

}  // namespace

S3Answer security_token(S3Call& call) {
  auto body = co_await read_all(call.exchange.body(), body_limit);
  if (!body) co_return refuse_with(body.error());
  auto reply = co_await dispatch(call, *body);
  if (reply) co_return std::move(*reply);
  co_return refusal_reply(call, reply.error());
}

}  // namespace holdfast::gateway

#include "store/sts_client.h"

#include <boost/asio/this_coro.hpp>

#include "base/encoding.h"
#include "base/log.h"
#include "net/http_client.h"
#include "s3/digest.h"
#include "s3/sigv4.h"
#include "s3/xml.h"
#include "store/session_policy.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t max_answer_bytes = 64u << 10;
constexpr std::chrono::milliseconds sts_timeout{10'000};

// Session names: [\w+=,.@-]{2,64}.
std::string session_name(std::string_view who) {
  std::string name = "holdfast-";
  for (const char c : who.substr(0, 55)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool fine = std::isalnum(byte) != 0 || std::string_view("_+=,.@-").contains(c);
    name += fine ? c : '-';
  }
  return name;
}

}  // namespace

Result<std::unique_ptr<StsClient>> StsClient::open(StsOptions options,
                                                   CredentialsProvider& credentials,
                                                   const Clock& clock) {
  auto address = S3Address::parse(options.endpoint, true);
  if (!address) return std::unexpected(address.error());
  if (!options.role.starts_with("arn:")) {
    return fail(ErrorCode::invalid_argument,
                "\"{}\" is no role: it looks like arn:aws:iam:::role/holdfast-direct",
                log_field(options.role));
  }
  return std::unique_ptr<StsClient>(
      new StsClient(std::move(options), *std::move(address), credentials, clock));
}

StsClient::StsClient(StsOptions options, S3Address address, CredentialsProvider& credentials,
                     const Clock& clock)
    : options_(std::move(options)),
      address_(std::move(address)),
      credentials_(credentials),
      clock_(clock) {}

Async<LentCredentials> StsClient::lend(Loan loan) {
  if (loan.policy.empty() || loan.policy.size() > max_session_policy_bytes) {
    co_return fail(ErrorCode::invalid_argument, "a session policy has 1 to {} bytes, not {}",
                   max_session_policy_bytes, loan.policy.size());
  }
  if (loan.lifetime < min_loan || loan.lifetime > max_loan) {
    co_return fail(ErrorCode::invalid_argument, "credentials are lent for {} to {} seconds, not {}",
                   min_loan.count(), max_loan.count(), loan.lifetime.count());
  }
  auto credentials = co_await credentials_.credentials();
  if (!credentials) co_return std::unexpected(credentials.error());
  const std::string form =
      s3::encode_query({{"Action", "AssumeRole"},
                        {"Version", "2011-06-15"},
                        {"RoleArn", options_.role},
                        {"RoleSessionName", session_name(loan.session)},
                        {"DurationSeconds", std::to_string(loan.lifetime.count())},
                        {"Policy", loan.policy}});
  const auto [host, path] = address_.place({}, {});
  net::ClientRequest request;
  request.method = "POST";
  request.url = address_.scheme + host + path;
  request.unix_socket = address_.unix_socket;
  request.connect_timeout = request.head_timeout = request.stall_timeout = sts_timeout;
  request.headers.add("Host", host);
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  s3::SignOptions how{.now = clock_.now(), .region = options_.region, .service = "sts"};
  how.payload_hash = s3::sha256_hex(form);
  const auto added =
      s3::sign_headers({request.method, path, {}, request.headers.items()}, *credentials, how);
  for (const auto& [name, value] : added.headers) request.headers.add(name, value);
  auto body = make_string_reader(form);
  request.body = body.get();
  request.body_size = form.size();

  net::HttpClient http(
      co_await asio::this_coro::executor,
      {.max_connections = 1, .ca_file = options_.ca_file, .reach = net::Reach::not_link_local});
  auto answer = co_await http.send(std::move(request));
  if (!answer) co_return fail(ErrorCode::unavailable, "STS: {}", answer.error().context);
  std::string text;
  if (answer->body) text = (co_await read_all(*answer->body, max_answer_bytes)).value_or("");
  if (answer->status != 200) {
    co_return fail(ErrorCode::unavailable, "STS answered {} to AssumeRole of {}: {}",
                   answer->status, options_.role, log_field(text, 300));
  }
  auto lent = parse_assume_role(text);
  if (!lent) co_return fail(ErrorCode::unavailable, "STS: {}", lent.error().context);
  co_return lent;
}

Result<LentCredentials> parse_assume_role(std::string_view xml) {
  const auto document = s3::read_xml(xml, "AssumeRoleResponse");
  const auto* result = document ? document->child("AssumeRoleResult") : nullptr;
  const auto* given = result != nullptr ? result->child("Credentials") : nullptr;
  if (given == nullptr) return fail(ErrorCode::malformed, "an answer without credentials");
  const auto until = from_rfc3339(given->value("Expiration"));
  LentCredentials lent{
      {std::string(given->value("AccessKeyId")), std::string(given->value("SecretAccessKey")),
       std::string(given->value("SessionToken"))},
      until.value_or(TimePoint())};
  if (!until || lent.pair.access_key.empty() || lent.pair.secret_key.empty() ||
      lent.pair.session_token.empty()) {
    return fail(ErrorCode::malformed, "an answer without a key pair, its token or its end");
  }
  return lent;
}

}  // namespace holdfast::store

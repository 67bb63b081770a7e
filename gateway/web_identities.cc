#include "gateway/web_identities.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;

constexpr std::size_t longest_token = 20u << 10;
constexpr std::chrono::seconds skew{60};
constexpr std::size_t es256_half = 32;

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

std::unexpected<Error> refused(std::string_view why) {
  return fail(ErrorCode::unauthenticated, "the web identity token {}", why);
}

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<json::object> object_from(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<double> number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

Number number_from(std::string_view base64url) {
  const auto bytes = from_base64url(base64url);
  if (!bytes || bytes->empty()) return nullptr;
  return Number(BN_bin2bn(raw(*bytes), static_cast<int>(bytes->size()), nullptr));
}

Key key_from(const char* type, const ParamBuild& build) {
  Params params(OSSL_PARAM_BLD_to_param(build.get()));
  KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return Key(made);
}

Key rsa_key(const json::object& jwk) {
  const Number n = number_from(text_of(jwk, "n")), e = number_from(text_of(jwk, "e"));
  if (n == nullptr || e == nullptr || BN_num_bits(n.get()) < 2048) return nullptr;
  ParamBuild build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return key_from("RSA", build);
}

Key ec_key(const json::object& jwk) {
  const auto x = from_base64url(text_of(jwk, "x")), y = from_base64url(text_of(jwk, "y"));
  if (text_of(jwk, "crv") != "P-256" || !x || !y || x->size() != es256_half ||
      y->size() != es256_half) {
    return nullptr;
  }
  const std::string point = "\x04" + *x + *y;  // uncompressed
  ParamBuild build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  return key_from("EC", build);
}

// JWS has r and s side by side (RFC 7518 section 3.4), OpenSSL wants them in DER.
std::string der_of(std::string_view signature) {
  if (signature.size() != 2 * es256_half) return {};
  Signature parts(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(raw(signature), es256_half, nullptr);
  BIGNUM* s = BN_bin2bn(raw(signature) + es256_half, es256_half, nullptr);
  if (ECDSA_SIG_set0(parts.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* der = nullptr;
  const int bytes = i2d_ECDSA_SIG(parts.get(), &der);
  std::string out(reinterpret_cast<char*>(der), bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  OPENSSL_free(der);
  return out;
}

bool signature_holds(EVP_PKEY* key, std::string_view message, std::string_view signature) {
  DigestContext context(EVP_MD_CTX_new());
  return context != nullptr && !signature.empty() &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message),
                          message.size()) == 1;
}

struct Parts {
  json::object header;
  std::string_view payload, message;
  std::string signature;
};

Result<Parts> split(std::string_view token) {
  if (token.size() > longest_token) return refused("is too long");
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return refused("has not three parts");
  }
  const auto header = from_base64url(token.substr(0, first));
  auto object = header ? object_from(*header) : std::nullopt;
  auto signature = from_base64url(token.substr(second + 1));
  if (!object || !signature) return refused("cannot be decoded");
  return Parts{std::move(*object), token.substr(first + 1, second - first - 1),
               token.substr(0, second), std::move(*signature)};
}

// The key decides the algorithm, never the token alone: an RSA key verifies RS256 only.
Result<void> check_signature(const Parts& parts, std::string_view key_set) {
  const std::string algorithm = text_of(parts.header, "alg");
  if (algorithm != "RS256" && algorithm != "ES256") {
    return refused("is signed with another algorithm than RS256 and ES256");
  }
  if (parts.header.contains("crit")) return refused("has critical extensions");
  const std::string wanted_type = algorithm == "RS256" ? "RSA" : "EC";
  const std::string id = text_of(parts.header, "kid");
  const auto set = object_from(key_set);
  const json::value* keys = set ? set->if_contains("keys") : nullptr;
  if (keys == nullptr || !keys->is_array()) {
    return fail(ErrorCode::unavailable, "the identity provider's key set cannot be read");
  }
  bool tried = false;
  for (const json::value& entry : keys->get_array()) {
    if (!entry.is_object()) continue;
    const json::object& jwk = entry.get_object();
    const std::string use = text_of(jwk, "use"), of = text_of(jwk, "alg");
    if (text_of(jwk, "kty") != wanted_type || (!id.empty() && text_of(jwk, "kid") != id)) continue;
    if ((!use.empty() && use != "sig") || (!of.empty() && of != algorithm)) continue;
    const bool rsa = algorithm == "RS256";
    const Key key = rsa ? rsa_key(jwk) : ec_key(jwk);
    if (key == nullptr) continue;
    tried = true;
    if (signature_holds(key.get(), parts.message,
                        rsa ? parts.signature : der_of(parts.signature))) {
      return {};
    }
  }
  if (!tried) return fail(ErrorCode::not_found, "no key of the set fits the web identity token");
  return refused("has a wrong signature");
}

bool names_audience(const json::object& claims, const std::string& audience) {
  const json::value* value = claims.if_contains("aud");
  if (value == nullptr) return false;
  if (value->is_string()) return value->get_string() == audience;
  if (!value->is_array()) return false;
  for (const json::value& one : value->get_array()) {
    if (one.is_string() && one.get_string() == audience) return true;
  }
  return false;
}

Result<WebIdentity> check_claims(const json::object& claims, const WebIdentityOptions& options,
                                 TimePoint now) {
  const double present = std::chrono::duration<double>(now.time_since_epoch()).count();
  const double slack = std::chrono::duration<double>(skew).count();
  if (text_of(claims, "iss") != options.issuer) return refused("is of another issuer");
  if (!names_audience(claims, options.audience)) return refused("is for another audience");
  const auto expires = number_of(claims, "exp");
  if (!expires || !(*expires > 0) || !(*expires < 1e11)) return refused("never expires");
  if (present >= *expires) return fail(ErrorCode::expired, "the web identity token has expired");
  for (const char* name : {"nbf", "iat"}) {
    const auto time = number_of(claims, name);
    if (claims.contains(name) && (!time || *time > present + slack)) {
      return refused("is of the future");
    }
  }
  WebIdentity identity;
  identity.principal = text_of(claims, options.claim);
  identity.subject = text_of(claims, "sub");
  if (identity.principal.empty() || identity.subject.empty()) return refused("names nobody");
  identity.expires = TimePoint(std::chrono::seconds(static_cast<std::int64_t>(*expires)));
  return identity;
}

}  // namespace

Result<WebIdentity> verify_web_token(std::string_view token, std::string_view key_set,
                                     const WebIdentityOptions& options, TimePoint now) {
  auto parts = split(token);
  if (!parts) return std::unexpected(parts.error());
  // The signature first: nothing that the token says counts before it.
  if (auto good = check_signature(*parts, key_set); !good) return std::unexpected(good.error());
  const auto payload = from_base64url(parts->payload);
  const auto claims = payload ? object_from(*payload) : std::nullopt;
  if (!claims) return refused("has no claims");
  return check_claims(*claims, options, now);
}

WebIdentities::WebIdentities(WebIdentityOptions options, Fetch fetch, const Clock& clock)
    : options_(std::move(options)), fetch_(std::move(fetch)), clock_(clock) {}

std::optional<std::string> WebIdentities::known_keys(MonotonicTime not_before) {
  const std::lock_guard lock(mutex_);
  if (!read_at_ || *read_at_ < not_before) return std::nullopt;
  return keys_;
}

boost::asio::awaitable<Result<std::string>> WebIdentities::read_keys() {
  const MonotonicTime now = clock_.monotonic();
  auto keys = co_await fetch_();
  if (!keys) {
    co_return fail(ErrorCode::unavailable, "the identity provider's keys cannot be read: {}",
                   keys.error().context);
  }
  const std::lock_guard lock(mutex_);
  keys_ = *keys;
  read_at_ = now;
  co_return keys;
}

boost::asio::awaitable<Result<WebIdentity>> WebIdentities::verify(std::string token) {
  const MonotonicTime now = clock_.monotonic();
  auto keys = known_keys(now - options_.keys_for);
  if (!keys) {
    auto read = co_await read_keys();
    if (!read) co_return std::unexpected(read.error());
    keys = std::move(*read);
  }
  auto identity = verify_web_token(token, *keys, options_, clock_.now());
  // A new key of the provider's; forged key ids do not make us ask all the time.
  const bool unknown_key = !identity && identity.error().code == ErrorCode::not_found;
  if (unknown_key && !known_keys(now - options_.retry_after)) {
    auto read = co_await read_keys();
    if (!read) co_return std::unexpected(read.error());
    identity = verify_web_token(token, *read, options_, clock_.now());
  }
  if (!identity && identity.error().code == ErrorCode::not_found) {
    co_return refused("is signed by an unknown key");
  }
  co_return identity;
}

}  // namespace holdfast::gateway

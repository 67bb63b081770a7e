#include "gateway/sts_session.h"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/json.hpp>
#include <span>
#include <utility>

#include "base/encoding.h"
#include "base/error.h"
#include "s3/digest.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;
using s3::ApiError;

constexpr std::string_view token_mark = "HF1.";
constexpr std::size_t nonce_bytes = 12, tag_bytes = 16;
constexpr std::size_t longest_token = 8u << 10;
constexpr std::string_view id_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view secret_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* raw(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
CipherContext new_cipher() { return {EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free}; }

// AES-256-GCM with the access key id as associated data: the token opens for this id only.
std::string seal(std::span<const unsigned char, 32> key, std::string_view nonce,
                 std::string_view id, std::string_view text) {
  auto cipher = new_cipher();
  std::string out(text.size(), '\0');
  std::string tag(tag_bytes, '\0');
  int bytes = 0;
  const bool good =
      cipher != nullptr &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), raw(nonce)) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &bytes, raw(id), static_cast<int>(id.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), raw(out), &bytes, raw(text), static_cast<int>(text.size())) ==
          1 &&
      EVP_EncryptFinal_ex(cipher.get(), raw(out) + bytes, &bytes) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, tag.data()) == 1;
  if (!good) return {};
  return std::string(nonce) + out + tag;
}

std::optional<std::string> unseal(std::span<const unsigned char, 32> key, std::string_view id,
                                  std::string_view sealed) {
  if (sealed.size() < nonce_bytes + tag_bytes) return std::nullopt;
  const auto nonce = sealed.substr(0, nonce_bytes);
  std::string tag(sealed.substr(sealed.size() - tag_bytes));
  const auto text = sealed.substr(nonce_bytes, sealed.size() - nonce_bytes - tag_bytes);
  auto cipher = new_cipher();
  std::string out(text.size(), '\0');
  int bytes = 0;
  const bool good =
      cipher != nullptr &&
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), raw(nonce)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &bytes, raw(id), static_cast<int>(id.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), raw(out), &bytes, raw(text), static_cast<int>(text.size())) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), raw(out) + bytes, &bytes) == 1;
  return good ? std::optional(std::move(out)) : std::nullopt;
}

std::string member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string to_text(const TemporarySession& session) {
  json::object out;
  out["principal"] = session.key.principal.value;
  out["secret"] = session.key.secret;
  out["until"] = session.key.not_after->time_since_epoch().count();
  out["parent"] = session.parent.value;
  out["name"] = session.name;
  out["policy"] = session.policy_text;
  return json::serialize(out);
}

std::optional<TemporarySession> from_text(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  const json::object& object = value.get_object();
  const json::value* until = object.if_contains("until");
  if (until == nullptr || !until->is_int64()) return std::nullopt;
  TemporarySession session;
  session.key.principal = PrincipalName(member(object, "principal"));
  session.key.secret = member(object, "secret");
  session.key.purpose = "session";
  session.key.not_after = TimePoint(std::chrono::nanoseconds(until->get_int64()));
  session.parent = AccessKeyId(member(object, "parent"));
  session.name = member(object, "name");
  session.policy_text = member(object, "policy");
  if (session.key.principal.empty() || session.key.secret.empty()) return std::nullopt;
  if (session.policy_text.empty()) return session;
  auto policy = s3::PolicyDocument::parse_session_policy(session.policy_text);
  if (!policy) return std::nullopt;
  session.policy = std::move(*policy);
  return session;
}

}  // namespace

bool is_sealed(std::string_view session_token) { return session_token.starts_with(token_mark); }

SessionSealer::SessionSealer(std::string_view secret, Random& random) : random_(random) {
  const auto derived = s3::hmac_sha256(as_bytes(secret), "holdfast temporary credentials 1");
  std::ranges::transform(derived, key_.begin(),
                         [](auto byte) { return static_cast<unsigned char>(byte); });
}

std::string SessionSealer::draw(std::string_view alphabet, std::size_t count) {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += alphabet[random_.below(alphabet.size())];
  return out;
}

TemporarySession SessionSealer::issue(TemporarySession session) {
  session.key.id = AccessKeyId("ASIA" + draw(id_alphabet, 16));
  session.key.secret = draw(secret_alphabet, 40);
  std::string nonce(nonce_bytes, '\0');
  {
    const std::lock_guard lock(mutex_);
    for (char& byte : nonce) byte = static_cast<char>(random_.below(256));
  }
  const std::string sealed = seal(key_, nonce, session.key.id.value, to_text(session));
  HOLDFAST_CHECK(!sealed.empty());
  session.key.session_token = std::string(token_mark) + to_base64url(as_bytes(sealed));
  return session;
}

s3::ApiResult<std::shared_ptr<const TemporarySession>> SessionSealer::open(
    std::string_view token, const AccessKeyId& id, const control::PolicySnapshot& policy,
    TimePoint now) const {
  if (!is_sealed(token) || token.size() > longest_token) return s3::refuse(ApiError::invalid_token);
  const auto sealed = from_base64url(token.substr(token_mark.size()));
  const auto text = sealed ? unseal(key_, id.value, *sealed) : std::nullopt;
  auto session = text ? from_text(*text) : std::nullopt;
  if (!session) return s3::refuse(ApiError::invalid_token);
  if (*session->key.not_after <= now) return s3::refuse(ApiError::expired_token);
  session->key.id = id;
  session->key.session_token = token;
  if (!session->parent.empty()) {
    const control::KeyRecord* parent = policy.find_key(session->parent);
    if (parent == nullptr || parent->principal != session->key.principal ||
        (parent->not_after && *parent->not_after <= now)) {
      return s3::refuse(ApiError::invalid_access_key_id);
    }
    session->key.scope = parent->scope;
  }
  return std::make_shared<const TemporarySession>(std::move(*session));
}

}  // namespace holdfast::gateway

// An identity provider in memory: an RSA and a P-256 key, their key set, and tokens by them.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/encoding.h"

namespace holdfast::gateway {

class WebTokenIssuer {
 public:
  explicit WebTokenIssuer(unsigned rsa_bits = 2048)
      : rsa_(EVP_RSA_gen(rsa_bits)), ec_(EVP_EC_gen("P-256")) {}
  ~WebTokenIssuer() {
    EVP_PKEY_free(rsa_);
    EVP_PKEY_free(ec_);
  }
  WebTokenIssuer(const WebTokenIssuer&) = delete;
  WebTokenIssuer& operator=(const WebTokenIssuer&) = delete;

  std::string key_set() const {
    return R"({"keys":[{"kty":"RSA","kid":"rsa","use":"sig","alg":"RS256","n":")" +
           encoded(number(rsa_, OSSL_PKEY_PARAM_RSA_N)) + R"(","e":")" +
           encoded(number(rsa_, OSSL_PKEY_PARAM_RSA_E)) +
           R"("},{"kty":"EC","kid":"ec","crv":"P-256","x":")" +
           encoded(number(ec_, OSSL_PKEY_PARAM_EC_PUB_X, 32)) + R"(","y":")" +
           encoded(number(ec_, OSSL_PKEY_PARAM_EC_PUB_Y, 32)) + R"("}]})";
  }
  static std::string claims(const std::string& subject, TimePoint now) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    return R"({"iss":"https://id.example","aud":"holdfast","sub":")" + subject + R"(","iat":)" +
           std::to_string(seconds) + R"(,"exp":)" + std::to_string(seconds + 300) + "}";
  }
  std::string rsa_token(const std::string& subject, TimePoint now,
                        const std::string& kid = "rsa") const {
    return rsa_token_with_header(R"({"alg":"RS256","kid":")" + kid + R"("})", claims(subject, now));
  }
  std::string rsa_token_with_header(const std::string& header, const std::string& claims) const {
    const std::string message = encoded(header) + "." + encoded(claims);
    return message + "." + encoded(sign(rsa_, message));
  }
  std::string ec_token(const std::string& subject, TimePoint now) const {
    const std::string message =
        encoded(R"({"alg":"ES256","kid":"ec"})") + "." + encoded(claims(subject, now));
    const std::string der = sign(ec_, message);
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* parts = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string both = padded(ECDSA_SIG_get0_r(parts), 32) + padded(ECDSA_SIG_get0_s(parts), 32);
    ECDSA_SIG_free(parts);
    return message + "." + encoded(both);
  }
  static std::string unsigned_token(const std::string& header, const std::string& claims) {
    return encoded(header) + "." + encoded(claims) + ".";
  }

 private:
  static std::string encoded(const std::string& text) { return to_base64url(as_bytes(text)); }
  static std::string padded(const BIGNUM* number, int bytes) {
    std::string out(static_cast<std::size_t>(bytes), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(out.data()), bytes);
    return out;
  }
  static std::string number(EVP_PKEY* key, const char* name, int bytes = 0) {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key, name, &value);
    std::string out = padded(value, bytes == 0 ? BN_num_bytes(value) : bytes);
    BN_free(value);
    return out;
  }
  static std::string sign(EVP_PKEY* key, const std::string& message) {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::size_t size = 0;
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key);
    const auto* text = reinterpret_cast<const unsigned char*>(message.data());
    EVP_DigestSign(context, nullptr, &size, text, message.size());
    std::string out(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size, text,
                   message.size());
    out.resize(size);
    EVP_MD_CTX_free(context);
    return out;
  }

  EVP_PKEY* rsa_;
  EVP_PKEY* ec_;
};

}  // namespace holdfast::gateway

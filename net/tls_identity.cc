#include "net/tls_identity.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace holdfast::net {
namespace {

int choose_http(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned in_size, void*) {
  static const unsigned char ours[] = "\x08http/1.1";
  auto* chosen = const_cast<unsigned char**>(out);
  const bool agreed = SSL_select_next_proto(chosen, out_size, ours, sizeof ours - 1, in, in_size) ==
                      OPENSSL_NPN_NEGOTIATED;
  return agreed ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// Nobody is there to type one.
int no_password(char*, int, int, void*) { return -1; }

std::string last_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "the file is no PEM of this kind";
}

std::unexpected<Error> refuse(std::string_view what, const std::string& file) {
  return fail(ErrorCode::invalid_argument, "load the TLS {} {}: {}", what, file, last_reason());
}

// AES-128 first: no weaker in practice, and a fifth faster than AES-256.
constexpr auto ciphers_13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr auto ciphers_12 = "ECDHE+AESGCM:ECDHE+CHACHA20";

void set_rules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_ciphersuites(context, ciphers_13);
  SSL_CTX_set_cipher_list(context, ciphers_12);
  SSL_CTX_set_alpn_select_cb(context, choose_http, nullptr);
  // Idle connections hold no buffers; a burst of records is taken by one system call.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, 64u << 10);
  SSL_CTX_set_default_passwd_cb(context, no_password);
}

Result<TlsIdentity::Context> make_context(const TlsFiles& files) {
  ERR_clear_error();
  TlsIdentity::Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return fail(ErrorCode::internal, "make a TLS context: {}", last_reason());
  set_rules(context.get());
  for (const auto& file : {files.certificate, files.key}) {
    struct stat seen{};
    if (::stat(file.c_str(), &seen) == 0) continue;
    return fail(ErrorCode::invalid_argument, "load the TLS file {}: {}", file,
                std::strerror(errno));
  }
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return refuse("certificate", files.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return refuse("key", files.key);
  }
  return context;
}

std::string stamp_of(const TlsFiles& files) {
  std::string stamp;
  for (const auto& file : {files.certificate, files.key}) {
    struct stat seen{};
    if (::stat(file.c_str(), &seen) != 0) {
      stamp += "- ";
      continue;
    }
    stamp += fmt::format("{}:{}:{}:{}.{} ", seen.st_dev, seen.st_ino, seen.st_size,
                         seen.st_mtim.tv_sec, seen.st_mtim.tv_nsec);
  }
  return stamp;
}

}  // namespace

Result<std::shared_ptr<TlsIdentity>> TlsIdentity::load(TlsFiles files) {
  std::shared_ptr<TlsIdentity> identity(new TlsIdentity(std::move(files)));
  if (auto loaded = identity->reload(); !loaded) return std::unexpected(loaded.error());
  return identity;
}

Result<void> TlsIdentity::reload() {
  // The stamp comes first: a change while we read is then seen by the next refresh().
  std::string stamp = stamp_of(files_);
  auto context = make_context(files_);
  if (!context) return std::unexpected(context.error());
  const std::scoped_lock lock(mutex_);
  context_ = *std::move(context);
  stamp_ = std::move(stamp);
  return {};
}

Result<bool> TlsIdentity::refresh() {
  {
    const std::scoped_lock lock(mutex_);
    if (stamp_of(files_) == stamp_) return false;
  }
  if (auto loaded = reload(); !loaded) return std::unexpected(loaded.error());
  return true;
}

TlsIdentity::Context TlsIdentity::context() const {
  const std::scoped_lock lock(mutex_);
  return context_;
}

std::string TlsIdentity::summary() const {
  const auto held = context();
  const X509* certificate = SSL_CTX_get0_certificate(held.get());
  std::array<char, 256> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                            static_cast<int>(name.size()));
  tm until{};
  ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &until);
  return fmt::format("CN={}, until {:04}-{:02}-{:02} {:02}:{:02}:{:02}Z", name.data(),
                     until.tm_year + 1900, until.tm_mon + 1, until.tm_mday, until.tm_hour,
                     until.tm_min, until.tm_sec);
}

}  // namespace holdfast::net

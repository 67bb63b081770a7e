// TlsIdentity: the certificate chain and key that a listener shows (PEM files), replaceable while
// it serves: connections that stand keep what they began with, new ones get the newest. TLS 1.2 and
// 1.3 (RFC 8446, RFC 5246 with forward secrecy and AEAD only), ALPN "http/1.1" (RFC 7301), no
// renegotiation, no compression, no early data. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"

struct ssl_ctx_st;

namespace holdfast::net {

struct TlsFiles {
  std::string certificate;  // PEM: the server's own first, then the intermediate ones
  std::string key;          // PEM, without a password

  bool operator==(const TlsFiles&) const = default;
};

class TlsIdentity {
 public:
  using Context = std::shared_ptr<ssl_ctx_st>;

  // invalid_argument names the file and what is wrong: unreadable, no PEM, encrypted, a key that
  // does not belong to the certificate.
  static Result<std::shared_ptr<TlsIdentity>> load(TlsFiles files);

  // Reads the files again. An error changes nothing: the identity at hand goes on.
  Result<void> reload();
  // The same, but only when the files look different than when they were read last; true: replaced.
  // A pair that is half written fails, and is tried again at the next call.
  Result<bool> refresh();

  Context context() const;
  const TlsFiles& files() const { return files_; }
  // "CN=…, until 2027-01-01 00:00:00Z", for logs.
  std::string summary() const;

 private:
  explicit TlsIdentity(TlsFiles files) : files_(std::move(files)) {}

  const TlsFiles files_;
  mutable std::mutex mutex_;
  Context context_;
  std::string stamp_;  // of both files as read last
};

}  // namespace holdfast::net

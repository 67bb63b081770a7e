// A self-signed certificate in a folder of its own, and a blocking TLS client that trusts anyone
// and can be slow, silent or old-fashioned.
#pragma once

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <string>

#include "net/tls_identity.h"
#include "tests/unit/net/net_fixture.h"

namespace holdfast::net {

struct TestCertificate {
  std::string folder;
  TlsFiles files;

  explicit TestCertificate(const std::string& name = "127.0.0.1") {
    char made[] = "/tmp/holdfast-net-XXXXXX";
    EXPECT_NE(::mkdtemp(made), nullptr);
    folder = made;
    files = {folder + "/cert.pem", folder + "/key.pem"};
    write(name);
  }
  ~TestCertificate() { std::filesystem::remove_all(folder); }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  // A new pair for 127.0.0.1 with this common name, valid for an hour.
  void write(const std::string& name) const {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME* subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    GENERAL_NAMES* names = GENERAL_NAMES_new();
    GENERAL_NAME* address = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(address, GEN_IPADD, a2i_IPADDRESS("127.0.0.1"));
    sk_GENERAL_NAME_push(names, address);
    X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0);
    GENERAL_NAMES_free(names);
    X509_sign(cert, key, EVP_sha256());
    FILE* out = std::fopen(files.certificate.c_str(), "w");
    PEM_write_X509(out, cert);
    std::fclose(out);
    out = std::fopen(files.key.c_str(), "w");
    PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    X509_free(cert);
    EVP_PKEY_free(key);
  }

  std::shared_ptr<TlsIdentity> identity() const {
    auto loaded = TlsIdentity::load(files);
    EXPECT_TRUE(loaded) << loaded.error().context;
    return loaded ? *loaded : nullptr;
  }
};

class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, int newest = TLS1_3_VERSION, bool http = true)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        context_(SSL_CTX_new(TLS_client_method())) {
    const timeval limit{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_min_proto_version(context_, 0);
    SSL_CTX_set_max_proto_version(context_, newest);
    ssl_ = SSL_new(context_);
    if (http) {
      const unsigned char offer[] = "\x02h2\x08http/1.1";
      SSL_set_alpn_protos(ssl_, offer, sizeof offer - 1);
    }
    SSL_set_fd(ssl_, fd_.get());
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool handshake() { return SSL_connect(ssl_) == 1; }
  SSL* ssl() { return ssl_; }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string server_name() const {
    X509* certificate = SSL_get1_peer_certificate(ssl_);
    char name[256] = "";
    if (certificate != nullptr) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                                sizeof name);
    }
    X509_free(certificate);
    return name;
  }
  bool send(std::string_view data) {
    return SSL_write(ssl_, data.data(), static_cast<int>(data.size())) ==
           static_cast<int>(data.size());
  }
  // What is there when `bytes` have come, or the peer ends.
  std::string read_exactly(std::size_t bytes) {
    std::string out(bytes, '\0');
    std::size_t have = 0;
    while (have < bytes) {
      const int got = SSL_read(ssl_, out.data() + have, static_cast<int>(bytes - have));
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    out.resize(have);
    return out;
  }
  std::string read_until(std::string_view mark) {
    std::string out;
    char c = 0;
    while (!out.ends_with(mark) && SSL_read(ssl_, &c, 1) == 1) out += c;
    return out;
  }

 private:
  Fd fd_;
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
};

}  // namespace holdfast::net

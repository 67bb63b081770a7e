// Forms as browsers send them to the bucket "research".
#pragma once

#include <openssl/hmac.h>

#include "s3_fixture.h"

namespace holdfast::gateway {

class S3FormFixture : public S3Fixture {
 protected:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  // The file is "hello".
  Answer post_form(const Fields& fields, const std::string& file_name = "f",
                   net::Headers headers = {}, const std::string& query = {}) {
    std::string body;
    for (const auto& [name, value] : fields) {
      body +=
          "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
    }
    body += "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + file_name +
            "\"\r\n\r\nhello\r\n--b--\r\n";
    headers.add("Content-Type", "multipart/form-data; boundary=b");
    return send(head_of("POST", "/research" + query, std::move(headers)), std::move(body));
  }

  // As SigV2 signs a form's policy.
  static std::string sign_v2(const std::string& secret, const std::string& policy_base64) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int bytes = 0;
    HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(policy_base64.data()), policy_base64.size(), digest,
         &bytes);
    return to_base64(std::as_bytes(std::span(digest, bytes)));
  }
};

}  // namespace holdfast::gateway

// Objects that some may see and others not, for the security checklist.
#pragma once

#include "s3_fixture.h"

namespace holdfast::gateway {

class S3Security : public S3Fixture {
 protected:
  S3Security() {
    put("public/p", "public");
    put("secret/s", "secret");
    put("publicity", "secret");
  }
  void put(const std::string& key, const std::string& body) {
    EXPECT_EQ(as("admin", "PUT", "/research/" + key, body).status, 200u);
  }
  bool exists(const std::string& target) { return as("admin", "HEAD", target).status == 200; }
  void republish() { policy_.publish(content_); }
};

}  // namespace holdfast::gateway

// CredentialsProvider: where an S3 client finds its key pair for the next request; an
// implementation may refresh them (a session token that expires, a file that rotates). Used on the
// client's executor.
#pragma once

#include <utility>

#include "s3/sigv4.h"
#include "store/object_store.h"

namespace holdfast::store {

class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  // unauthenticated: there are none. An empty access key means anonymous requests.
  virtual Async<s3::Credentials> credentials() = 0;
};

class FixedCredentials final : public CredentialsProvider {
 public:
  explicit FixedCredentials(s3::Credentials credentials) : credentials_(std::move(credentials)) {}
  Async<s3::Credentials> credentials() override { co_return credentials_; }

 private:
  s3::Credentials credentials_;
};

}  // namespace holdfast::store

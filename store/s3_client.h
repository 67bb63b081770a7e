// S3Client: one signed request to an S3 endpoint and its answer, for S3Store's files only. Builds
// the URL (store/s3_address.h), signs with SigV4, turns error answers into Error. All calls
// on its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "net/http_client.h"
#include "s3/names.h"
#include "s3/sigv4.h"
#include "store/s3_address.h"
#include "store/s3_store.h"

namespace holdfast::store {

struct S3Call {
  std::string method = "GET";
  BucketName bucket;  // empty: the service itself
  std::string key;
  s3::QueryParameters query{};
  std::vector<std::pair<std::string, std::string>> headers{};  // in lower case, all signed
  std::string body{};                                          // its SHA-256 is signed
  BodyReader* stream = nullptr;  // instead of `body`: UNSIGNED-PAYLOAD
  std::uint64_t stream_bytes = 0;
  std::chrono::milliseconds wait{0};  // how long the server may hold the answer back on purpose
};

struct S3Answer {
  unsigned status = 0;
  net::Headers headers;
  std::string text;
};

class S3Client {
 public:
  // invalid_argument: the endpoint is no http:// or https:// URL and no unix:PATH.
  static Result<std::unique_ptr<S3Client>> open(boost::asio::any_io_executor executor,
                                                const S3StoreOptions& options,
                                                CredentialsProvider& credentials, Clock& clock);

  // The answer's head; its body is still to be read. Every status from 300 on is an Error, with the
  // endpoint's code and message.
  Async<net::ClientResponse> send(S3Call call);
  // The whole answer, at most 64 MiB.
  Async<S3Answer> ask(S3Call call);

  const S3StoreOptions& options() const { return options_; }
  Clock& clock() { return clock_; }

 private:
  S3Client(boost::asio::any_io_executor executor, S3StoreOptions options, S3Address address,
           CredentialsProvider& credentials, Clock& clock);
  net::ClientRequest sign(const S3Call& call, const s3::Credentials& credentials);

  S3StoreOptions options_;
  S3Address address_;
  CredentialsProvider& credentials_;
  Clock& clock_;
  s3::SigningKeyCache keys_;
  net::HttpClient http_;
};

}  // namespace holdfast::store

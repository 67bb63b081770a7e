// The S3 listener's handler: target, route, identity, rights, handler, answer, in this order, each
// in one place and default deny. AWS S3 API reference 2006-03-01, with the extensions that
// Holdfast's own clients use: the change feed (GET /BUCKET?events=…&since=…&wait=…) and the access
// feed (GET /?holdfast-access&epoch=…&wait=…). handle() may run on any number of executors at once;
// each exchange on its own.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "control/policy.h"
#include "gateway/audit_sink.h"
#include "gateway/s3_call.h"
#include "gateway/s3_service_options.h"
#include "net/http_server.h"
#include "store/object_store.h"

namespace holdfast::gateway {

class S3Service {
 public:
  // The references must outlive the service.
  S3Service(store::ObjectStore& store, control::PolicySource& policies, AuditSink& audit,
            const Clock& clock, Random& random, S3ServiceOptions options);
  S3Service(const S3Service&) = delete;
  S3Service& operator=(const S3Service&) = delete;

  // Answers the exchange once, whatever it asks. As a net::Handler: bind with a lambda that returns
  // handle(exchange).
  boost::asio::awaitable<void> handle(net::Exchange& exchange);

  const S3Counters& counters() const { return counters_; }
  // The rules of the buckets, for the other doors to the same store.
  BucketRulesBook& rules() { return rules_; }

 private:
  std::string next_request_id();
  S3Answer answer(S3Call& call);
  boost::asio::awaitable<s3::ApiResult<void>> find_rules(S3Call& call);
  boost::asio::awaitable<s3::ApiResult<void>> admit(S3Call& call);
  boost::asio::awaitable<void> send(S3Call& call, S3Reply reply);
  boost::asio::awaitable<void> send_failure(S3Call& call, const s3::ApiFailure& failure);
  boost::asio::awaitable<void> add_cors(S3Call& call, net::Headers& headers);
  void count(const S3Call& call, unsigned status);
  void refuse_stranger(const S3Call& call, const s3::ApiFailure& failure);
  void audit(const S3Call& call, unsigned status);

  S3ServiceOptions options_;
  S3Counters counters_;
  AuditSink& audit_;
  const Clock& clock_;
  std::atomic<std::uint64_t> next_request_;  // starts anywhere
  std::unique_ptr<SessionSealer> sealer_;
  Authenticator authenticator_;
  BucketRulesBook rules_;
  Expirations expirations_;
  S3Backend backend_;
};

}  // namespace holdfast::gateway

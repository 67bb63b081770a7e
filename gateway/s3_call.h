// S3Call: one authenticated request on its way through the service: what it asks, who asks, and the
// parts of the gateway that answer it. Lives in the connection's coroutine; one handler at a time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/body.h"
#include "control/policy.h"
#include "gateway/audit_sink.h"
#include "gateway/bucket_rules.h"
#include "gateway/s3_authentication.h"
#include "gateway/s3_expirations.h"
#include "gateway/s3_need.h"
#include "gateway/s3_service_options.h"
#include "net/http_server.h"
#include "s3/checksum.h"
#include "s3/error.h"
#include "s3/headers.h"
#include "s3/post_policy.h"
#include "store/object_store.h"

namespace holdfast::gateway {

// What every call shares. References outlive the service.
struct S3Backend {
  store::ObjectStore& store;
  control::PolicySource& policies;
  AuditSink& audit;
  const Clock& clock;
  const S3ServiceOptions& options;
  S3Counters& counters;
  Authenticator& authenticator;
  Expirations& expirations;
  BucketRulesBook& rules;
  SessionSealer* sessions;    // null: no temporary credentials
  WebIdentities* identities;  // null: no identity provider is known
};

struct S3Call {
  const S3Backend& backend;
  net::Exchange& exchange;
  std::string request_id;
  Operation operation = Operation::health;
  S3Target target;
  Identity identity;
  std::optional<s3::CopySource> source;  // decoded once, judged and read as such
  net::Headers failure_headers;          // that the answer carries if the handler fails
  // What the buckets' own policies say; null: they have none.
  std::shared_ptr<const BucketRules> rules, source_rules;
  std::uint64_t rules_generation = 0;
  std::vector<Need> needs;               // that were judged before the handler ran
  std::optional<s3::Tags> request_tags;  // that the body brought
  const s3::PostFields* form = nullptr;  // of a POST form, while it is judged

  store::ObjectStore& store() const { return backend.store; }
  const net::RequestHead& request() const { return exchange.request(); }
  std::string_view header(std::string_view name) const { return request().headers.get(name); }
  bool has_header(std::string_view name) const { return request().headers.has(name); }
  std::string_view query(std::string_view name) const { return target.query.get(name); }
  const BucketName& bucket() const { return target.bucket; }
  const ObjectKey& key() const { return target.key; }
  // versionId of the query. An empty one is refused when the call is judged.
  std::optional<VersionId> version() const;
};

// An answer. The service adds request id and CORS headers and sends it.
struct S3Reply {
  net::ResponseHead head;
  Body body;                            // a string by default
  std::optional<std::uint64_t> length;  // of a body that is no string
};

using S3Answer = boost::asio::awaitable<s3::ApiResult<S3Reply>>;
using S3Handler = S3Answer (*)(S3Call& call);

S3Reply xml_reply(std::string document, unsigned status = 200);
S3Reply empty_reply(unsigned status);

// A store's or a body's failure in the words of the API. Contexts of client errors are passed on;
// those of our own troubles stay in the log.
s3::ApiFailure to_failure(const Error& error);
std::unexpected<s3::ApiFailure> refuse_with(const Error& error);

// Names of the store and of the protocol for the same thing.
s3::Algorithm to_api(store::ChecksumAlgorithm algorithm);
std::optional<store::ChecksumAlgorithm> to_store(s3::Algorithm algorithm);
// The five of S3; nullopt for any other name.
std::optional<store::ChecksumAlgorithm> checksum_algorithm(std::string_view api_name);

// Decimal within [low, high], or invalid_argument naming the parameter; `fallback` when absent.
struct NumberRange {
  std::uint64_t low, high, fallback;
};
s3::ApiResult<std::uint64_t> number_of(const S3Call& call, std::string_view parameter,
                                       NumberRange range);

}  // namespace holdfast::gateway

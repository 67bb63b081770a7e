#include "gateway/s3_service.h"

#include <memory>
#include <utility>

#include "gateway/s3_authorization.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_own_uploads.h"
#include "gateway/s3_owner.h"
#include "gateway/s3_router.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

// Bijective on 64 bits (splitmix64's finaliser), so that counted numbers give distinct ids.
std::uint64_t scatter(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// The one dispatch. No default: a new operation without a handler does not compile.
S3Handler handler_of(Operation operation) {
  switch (operation) {
    case Operation::list_buckets:
      return list_buckets;
    case Operation::access_feed:
      return access_feed;
    case Operation::sts:
      return security_token;
    case Operation::create_bucket:
      return create_bucket;
    case Operation::delete_bucket:
      return delete_bucket;
    case Operation::head_bucket:
      return head_bucket;
    case Operation::get_location:
      return get_location;
    case Operation::get_versioning:
      return get_versioning;
    case Operation::put_versioning:
      return put_versioning;
    case Operation::get_document:
      return get_document;
    case Operation::put_document:
      return put_document;
    case Operation::delete_document:
      return delete_document;
    case Operation::get_bucket_acl:
      return get_bucket_acl;
    case Operation::put_bucket_acl:
      return put_bucket_acl;
    case Operation::get_policy_status:
      return get_policy_status;
    case Operation::get_fixed_config:
      return get_fixed_config;
    case Operation::list_objects:
    case Operation::list_objects_v2:
      return list_objects;
    case Operation::list_versions:
      return list_versions;
    case Operation::list_uploads:
      return list_uploads;
    case Operation::watch_changes:
      return watch_changes;
    case Operation::delete_objects:
      return delete_objects;
    case Operation::post_form:
      return post_form;
    case Operation::get_object:
    case Operation::head_object:
      return get_object;
    case Operation::put_object:
      return put_object;
    case Operation::delete_object:
      return delete_object;
    case Operation::copy_object:
      return copy_object;
    case Operation::get_attributes:
      return get_attributes;
    case Operation::get_tagging:
      return get_tagging;
    case Operation::put_tagging:
      return put_tagging;
    case Operation::delete_tagging:
      return delete_tagging;
    case Operation::get_retention:
      return get_retention;
    case Operation::put_retention:
      return put_retention;
    case Operation::get_legal_hold:
      return get_legal_hold;
    case Operation::put_legal_hold:
      return put_legal_hold;
    case Operation::get_object_acl:
      return get_object_acl;
    case Operation::put_object_acl:
      return put_object_acl;
    case Operation::create_upload:
      return create_upload;
    case Operation::put_part:
      return put_part;
    case Operation::copy_part:
      return copy_part;
    case Operation::complete_upload:
      return complete_upload;
    case Operation::abort_upload:
      return abort_upload;
    case Operation::list_parts:
      return list_parts;
    case Operation::preflight:
      return preflight;
    case Operation::health:
    case Operation::count_:
      break;
  }
  return nullptr;
}

// What needs no identity, or finds it in its own body.
bool authenticates_later(Operation operation) {
  return operation == Operation::preflight || operation == Operation::post_form ||
         operation == Operation::sts;
}

bool concerns_upload(Operation operation) {
  switch (operation) {
    case Operation::create_upload:
    case Operation::put_part:
    case Operation::copy_part:
    case Operation::complete_upload:
    case Operation::abort_upload:
    case Operation::list_parts:
      return true;
    default:
      return false;
  }
}

s3::ApiResult<void> take_source(S3Call& call) {
  if (call.operation != Operation::copy_object && call.operation != Operation::copy_part) return {};
  auto source = s3::parse_copy_source(call.header("x-amz-copy-source"));
  if (!source) return std::unexpected(std::move(source.error()));
  call.source = std::move(*source);
  return {};
}

s3::ApiResult<void> check_common(const S3Call& call) {
  if (call.has_header("x-amz-expected-bucket-owner") &&
      call.header("x-amz-expected-bucket-owner") != store_owner_id) {
    return s3::refuse(ApiError::access_denied);
  }
  if (call.target.query.has("versionId") && call.query("versionId").empty()) {
    return s3::refuse(ApiError::invalid_argument, "Version id cannot be the empty string.");
  }
  return {};
}

bool asks_for_health(const net::RequestHead& request, const S3ServiceOptions& options) {
  return request.path() == options.health_path &&
         (request.method == "GET" || request.method == "HEAD") &&
         bucket_of_host(request.host(), options.hosts).empty();
}

// Where everyone makes buckets their names are no secret, since making one tells: whoever has a key
// learns of a bucket that is not there; strangers too, where buckets are open unless they say no.
bool names_are_known(const S3Call& call) {
  const S3ServiceOptions& options = call.backend.options;
  return options.bucket_creators == BucketCreators::everyone &&
         (call.identity.key != nullptr || !options.block_public_access);
}

bool reads_object(const Need& need) {
  return need.policy_action == s3::PolicyAction::get_object ||
         need.policy_action == s3::PolicyAction::get_object_version;
}

// Who may list a bucket learns that an object is not there, as AWS tells them.
boost::asio::awaitable<bool> is_known_to_miss(const S3Call& call) {
  for (const Need& need : call.needs) {
    if (!reads_object(need) || !may_list(call, need.bucket, need.path)) continue;
    store::GetRequest request{need.bucket, ObjectKey(need.path), {}, {}, {}, {}};
    const auto found = co_await call.store().head(std::move(request));
    if (!found && found.error().code == ErrorCode::no_such_key) co_return true;
  }
  co_return false;
}

boost::asio::awaitable<s3::ApiFailure> explain_denial(const S3Call& call, s3::ApiFailure denial) {
  if (co_await is_known_to_miss(call)) co_return s3::ApiFailure{ApiError::no_such_key, {}};
  if (!names_are_known(call) || call.operation == Operation::create_bucket) co_return denial;
  std::vector<BucketName> named{call.bucket()};
  if (call.source) named.emplace_back(call.source->bucket);
  for (const BucketName& name : named) {
    if (name.empty()) continue;
    auto found = co_await call.store().head_bucket(name);
    if (!found && found.error().code == ErrorCode::no_such_bucket) {
      co_return s3::ApiFailure{ApiError::no_such_bucket, {}};
    }
  }
  co_return denial;
}

}  // namespace

S3Service::S3Service(store::ObjectStore& store, control::PolicySource& policies, AuditSink& audit,
                     const Clock& clock, Random& random, S3ServiceOptions options)
    : options_(std::move(options)),
      audit_(audit),
      clock_(clock),
      next_request_(random.next_u64()),
      sealer_(options_.session_secret.empty()
                  ? nullptr
                  : std::make_unique<SessionSealer>(options_.session_secret, random)),
      authenticator_(clock, options_, sealer_.get()),
      rules_(store, options_.block_public_access ? PublicAccessBlock() : PublicAccessBlock::none()),
      expirations_(store, clock, options_.lifecycle_day),
      backend_{store,
               policies,
               audit,
               clock,
               options_,
               counters_,
               authenticator_,
               expirations_,
               rules_,
               sealer_.get(),
               options_.web_identities} {}

// No secret, so no system call either: 16 hexadecimal digits, distinct while the process lives.
std::string S3Service::next_request_id() {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::uint64_t number = scatter(next_request_.fetch_add(1, std::memory_order_relaxed));
  std::string id(16, '0');
  for (char& c : id) {
    c = digits[number >> 60];
    number <<= 4;
  }
  return id;
}

boost::asio::awaitable<void> S3Service::handle(net::Exchange& exchange) {
  S3Call call{backend_, exchange, next_request_id()};
  if (asks_for_health(call.request(), options_)) {
    net::ResponseHead head;
    head.headers.add("Content-Type", "text/plain");
    count(call, 200);
    (void)co_await exchange.respond(std::move(head), std::string("ok\n"));
    co_return;
  }
  auto reply = co_await answer(call);
  if (reply) {
    co_await send(call, std::move(*reply));
  } else {
    co_await send_failure(call, reply.error());
  }
}

S3Answer S3Service::answer(S3Call& call) {
  auto target = parse_target(call.request(), options_.hosts);
  if (!target) co_return std::unexpected(std::move(target.error()));
  call.target = std::move(*target);
  auto operation = route(call.request(), call.target);
  if (!operation) co_return std::unexpected(std::move(operation.error()));
  call.operation = *operation;
  if (auto known = co_await find_rules(call); !known) {
    co_return std::unexpected(std::move(known.error()));
  }
  if (!authenticates_later(call.operation)) {
    auto admitted = co_await admit(call);
    if (admitted && concerns_upload(call.operation)) admitted = co_await require_own_upload(call);
    if (!admitted) co_return std::unexpected(std::move(admitted.error()));
  }
  const S3Handler handler = handler_of(call.operation);
  if (handler == nullptr) co_return s3::refuse(ApiError::not_implemented);
  co_return co_await handler(call);
}

// The rules of the bucket and of a copy's source. Where no bucket has any this is two atomic loads.
boost::asio::awaitable<s3::ApiResult<void>> S3Service::find_rules(S3Call& call) {
  if (!rules_.loaded()) {
    if (auto read = co_await rules_.load(); !read) co_return refuse_with(read.error());
  }
  call.rules_generation = rules_.generation();
  if (!call.bucket().empty()) call.rules = rules_.find(call.bucket());
  co_return s3::ApiResult<void>();
}

// Who it is and whether they may. Without credentials a request goes on only to a bucket that has
// a policy or lets ACLs count, which then have to allow everything that it needs.
boost::asio::awaitable<s3::ApiResult<void>> S3Service::admit(S3Call& call) {
  using Strangers = Authenticator::Strangers;
  const bool told_of_buckets = options_.bucket_creators == BucketCreators::everyone &&
                               !options_.block_public_access && !call.bucket().empty();
  const bool judged = call.rules != nullptr || told_of_buckets;
  auto identity = authenticator_.authenticate(call.request(), backend_.policies.current(),
                                              judged ? Strangers::judged : Strangers::refused);
  if (!identity) {
    refuse_stranger(call, identity.error());
    co_return std::unexpected(std::move(identity.error()));
  }
  call.identity = std::move(*identity);
  if (auto good = check_common(call); !good) co_return good;
  if (auto good = take_source(call); !good) co_return good;
  if (call.source) call.source_rules = rules_.find(BucketName(call.source->bucket));
  auto needs = needs_of(call);
  if (!needs) co_return std::unexpected(std::move(needs.error()));
  call.needs = std::move(*needs);
  if (judges_body(call)) co_return s3::ApiResult<void>();
  if (call.rules != nullptr || call.source_rules != nullptr || call.identity.session != nullptr) {
    if (auto tags = co_await add_object_facts(call, call.needs); !tags) co_return tags;
  }
  if (concerns_upload(call.operation)) {
    if (auto good = co_await admit_initiator(call); !good) co_return good;
  }
  auto allowed = judge(call, call.needs);
  if (allowed) co_return allowed;
  co_return std::unexpected(co_await explain_denial(call, std::move(allowed.error())));
}

}  // namespace holdfast::gateway

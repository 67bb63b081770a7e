#include <utility>

#include "base/encoding.h"
#include "gateway/bucket_rules.h"
#include "gateway/s3_acl_request.h"
#include "gateway/s3_attributes.h"
#include "gateway/s3_authorization.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_owner.h"
#include "gateway/s3_payload.h"
#include "s3/results.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::size_t document_limit = 64u << 10;

// Making a bucket that is there: AWS accepts it from its owner in us-east-1, and only there.
s3::ApiResult<void> make_again(const S3Call& call) {
  if (!may(call, {control::Action::write_bucket_config, call.bucket(), {}})) {
    return s3::refuse(ApiError::bucket_already_exists);
  }
  if (call.backend.options.hosts.region == "us-east-1") return {};
  return s3::refuse(ApiError::bucket_already_owned_by_you);
}

// How the maker wants the bucket to be shared; what is not named stays, where it is made again.
struct SharedAs {
  std::optional<Ownership> ownership;
  std::optional<Acl> acl;
};

// Judged by name as requests of their own would be, and before anything is made: a policy of a
// bucket that is there already may deny them.
s3::ApiResult<void> judge_shared(const S3Call& call, const SharedAs& wanted) {
  using s3::PolicyAction;
  std::vector<Need> needs;
  const auto add = [&](PolicyAction action) {
    needs.push_back(
        {control::Action::create_bucket, call.bucket(), {}, action, {}, false, nullptr});
  };
  if (wanted.ownership) add(PolicyAction::put_bucket_ownership_controls);
  if (wanted.acl) add(PolicyAction::put_bucket_acl);
  return judge(call, needs);
}

boost::asio::awaitable<s3::ApiResult<SharedAs>> shared_as(S3Call& call) {
  SharedAs wanted;
  auto acl = named_acl(call);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  wanted.acl = *acl;
  if (call.has_header("x-amz-object-ownership")) {
    auto ownership = parse_ownership(call.header("x-amz-object-ownership"));
    if (!ownership) co_return std::unexpected(std::move(ownership.error()));
    wanted.ownership = *ownership;
  }
  if (auto good = judge_shared(call, wanted); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  if (!wanted.acl) co_return wanted;
  auto sharing = co_await call.backend.rules.sharing_of(call.bucket());
  if (!sharing && sharing.error().code == ErrorCode::no_such_bucket) {
    sharing = call.backend.rules.sharing_unless_set();
  }
  if (!sharing) co_return refuse_with(sharing.error());
  if (wanted.ownership) sharing->acls = *wanted.ownership == Ownership::owner_preferred;
  if (auto good = check_acl(call, *wanted.acl, *sharing); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  co_return wanted;
}

boost::asio::awaitable<s3::ApiResult<void>> keep_shared(S3Call& call, const SharedAs& wanted) {
  if (wanted.ownership) {
    auto done = co_await call.store().set_bucket_document(
        call.bucket(), store::BucketDocument::ownership_controls, to_xml(*wanted.ownership));
    co_await call.backend.rules.reload(call.bucket());
    if (!done) co_return refuse_with(done.error());
  }
  if (!wanted.acl) co_return s3::ApiResult<void>();
  co_return co_await keep_bucket_acl(call, *wanted.acl);
}

// A bucket that nobody administers would be of no use to who made it: it goes again.
boost::asio::awaitable<s3::ApiResult<void>> give_to_maker(S3Call& call) {
  if (may(call, {control::Action::write_bucket_config, call.bucket(), {}})) {
    co_return s3::ApiResult<void>();
  }
  BucketOwners* owners = call.backend.options.owners;
  Result<void> given = fail(ErrorCode::internal, "there is nobody to keep the bucket's grants");
  if (owners != nullptr) {
    given = co_await owners->bucket_made(call.bucket(), call.identity.principal);
  }
  if (given) co_return s3::ApiResult<void>();
  (void)co_await call.store().delete_bucket(call.bucket());
  co_return refuse_with(given.error());
}

}  // namespace

S3Answer list_buckets(S3Call& call) {
  auto buckets = co_await call.store().list_buckets();
  if (!buckets) co_return refuse_with(buckets.error());
  s3::ListBucketsResult answer;
  answer.owner = store_owner();
  answer.prefix = call.query("prefix");
  auto limit = number_of(call, "max-buckets", {1, 10'000, buckets->size()});
  if (!limit) co_return std::unexpected(std::move(limit.error()));
  const auto after = from_base64url(call.query("continuation-token"));
  if (!after) {
    co_return s3::refuse(ApiError::invalid_argument, "The continuation token is incorrect.");
  }
  for (const store::BucketInfo& bucket : *buckets) {
    if (!bucket.name.value.starts_with(answer.prefix) || bucket.name.value <= *after) continue;
    Need need{control::Action::head_bucket, bucket.name, {}, {}, {}, false, nullptr};
    if (!may(call, need)) continue;
    if (answer.buckets.size() == *limit) {
      answer.continuation_token = to_base64url(as_bytes(answer.buckets.back().name));
      break;
    }
    answer.buckets.push_back({bucket.name.value, bucket.created});
  }
  co_return xml_reply(s3::write_list_buckets(answer));
}

S3Answer create_bucket(S3Call& call) {
  auto shared = co_await shared_as(call);
  if (!shared) co_return std::unexpected(std::move(shared.error()));
  auto text = co_await read_document(call, document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  auto location = s3::parse_create_bucket(*text);
  if (!location) co_return std::unexpected(std::move(location.error()));
  // Any region's name is taken for ours: there is one place, and clients come with their own word.
  if (location->size() > 64) co_return s3::refuse(ApiError::invalid_location_constraint);
  const bool lock = s3::equal_ascii_case(call.header("x-amz-bucket-object-lock-enabled"), "true");
  auto done = co_await call.store().create_bucket(call.bucket(), lock);
  if (!done && done.error().code == ErrorCode::bucket_exists) {
    if (auto again = make_again(call); !again) co_return std::unexpected(std::move(again.error()));
  } else if (!done) {
    co_return refuse_with(done.error());
  } else if (auto owned = co_await give_to_maker(call); !owned) {
    co_return std::unexpected(std::move(owned.error()));
  }
  if (auto kept = co_await keep_shared(call, *shared); !kept) {
    co_return std::unexpected(std::move(kept.error()));
  }
  S3Reply reply = empty_reply(200);
  reply.head.headers.add("Location", "/" + call.bucket().value);
  co_return reply;
}

S3Answer delete_bucket(S3Call& call) {
  auto done = co_await call.store().delete_bucket(call.bucket());
  call.backend.expirations.forget(call.bucket());
  co_await call.backend.rules.reload(call.bucket());
  if (!done) co_return refuse_with(done.error());
  if (BucketOwners* owners = call.backend.options.owners) {
    if (auto gone = co_await owners->bucket_removed(call.bucket()); !gone) {
      co_return refuse_with(gone.error());
    }
  }
  co_return empty_reply(204);
}

S3Answer head_bucket(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  S3Reply reply = empty_reply(200);
  reply.head.headers.add("x-amz-bucket-region", call.backend.options.hosts.region);
  reply.head.headers.add("x-amz-access-point-alias", "false");
  co_return reply;
}

S3Answer get_location(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  const std::string& region = call.backend.options.hosts.region;
  // us-east-1 is the empty constraint (AWS S3 API, GetBucketLocation).
  co_return xml_reply(s3::write_location(region == "us-east-1" ? std::string() : region));
}

S3Answer get_versioning(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  switch (bucket->versioning) {
    case store::Versioning::enabled:
      co_return xml_reply(s3::write_versioning(s3::VersioningStatus::enabled));
    case store::Versioning::suspended:
      co_return xml_reply(s3::write_versioning(s3::VersioningStatus::suspended));
    case store::Versioning::unversioned:
      break;
  }
  co_return xml_reply(s3::write_versioning(s3::VersioningStatus::never));
}

S3Answer put_versioning(S3Call& call) {
  auto text = co_await read_document(call, document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  auto status = s3::parse_versioning(*text);
  if (!status) co_return std::unexpected(std::move(status.error()));
  if (*status == s3::VersioningStatus::never) co_return s3::refuse(ApiError::malformed_xml);
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  const bool suspend = *status == s3::VersioningStatus::suspended;
  if (suspend && bucket->object_lock) {
    co_return s3::refuse(ApiError::invalid_bucket_state,
                         "An Object Lock configuration is present on this bucket, so the "
                         "versioning state cannot be changed.");
  }
  auto done = co_await call.store().set_versioning(
      call.bucket(), suspend ? store::Versioning::suspended : store::Versioning::enabled);
  if (!done) co_return refuse_with(done.error());
  co_return empty_reply(200);
}

}  // namespace holdfast::gateway

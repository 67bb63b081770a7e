#include <utility>

#include "gateway/s3_attributes.h"
#include "gateway/s3_authorization.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_payload.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::size_t document_limit = 256u << 10;

boost::asio::awaitable<s3::ApiResult<store::ObjectInfo>> look_up(S3Call& call) {
  auto found = co_await call.store().head({call.bucket(), call.key(), call.version(), {}, {}, {}});
  if (!found) co_return refuse_with(found.error());
  co_return std::move(found->info);
}

void add_version(S3Reply& reply, const VersionId& version) {
  if (!version.empty() && version.value != "null") {
    reply.head.headers.add("x-amz-version-id", version.value);
  }
}

// Object Lock sub-resources exist only in buckets that were made with it.
boost::asio::awaitable<s3::ApiResult<void>> require_object_lock(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  if (!bucket->object_lock) {
    co_return s3::refuse(ApiError::invalid_request, "Bucket is missing Object Lock Configuration");
  }
  co_return s3::ApiResult<void>();
}

S3Answer store_tags(S3Call& call, s3::Tags tags, unsigned status) {
  auto done =
      co_await call.store().set_tags(call.bucket(), call.key(), call.version(), std::move(tags));
  if (!done) co_return refuse_with(done.error());
  S3Reply reply = empty_reply(status);
  if (call.version()) add_version(reply, *call.version());
  co_return reply;
}

}  // namespace

S3Answer get_tagging(S3Call& call) {
  auto info = co_await look_up(call);
  if (!info) co_return std::unexpected(std::move(info.error()));
  S3Reply reply = xml_reply(s3::write_tagging(info->attributes.tags));
  add_version(reply, info->version);
  co_return reply;
}

S3Answer put_tagging(S3Call& call) {
  auto text = co_await read_document(call, document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  auto tags = s3::parse_tagging(*text);
  if (!tags) co_return std::unexpected(std::move(tags.error()));
  if (judges_body(call)) {
    call.request_tags = *tags;
    if (auto known = co_await add_object_facts(call, call.needs); !known) {
      co_return std::unexpected(std::move(known.error()));
    }
    if (auto allowed = judge(call, call.needs); !allowed) {
      co_return std::unexpected(std::move(allowed.error()));
    }
  }
  co_return co_await store_tags(call, std::move(*tags), 200);
}

S3Answer delete_tagging(S3Call& call) { return store_tags(call, s3::Tags(), 204); }

S3Answer get_retention(S3Call& call) {
  if (auto lock = co_await require_object_lock(call); !lock) {
    co_return std::unexpected(std::move(lock.error()));
  }
  auto info = co_await look_up(call);
  if (!info) co_return std::unexpected(std::move(info.error()));
  if (info->retention.mode == store::Retention::Mode::none) {
    co_return s3::refuse(ApiError::no_such_object_lock_configuration);
  }
  co_return xml_reply(
      s3::write_retention({std::string(to_string(info->retention.mode)), info->retention.until}));
}

S3Answer put_retention(S3Call& call) {
  if (auto lock = co_await require_object_lock(call); !lock) {
    co_return std::unexpected(std::move(lock.error()));
  }
  auto text = co_await read_document(call, document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  auto wanted = s3::parse_retention(*text);
  if (!wanted) co_return std::unexpected(std::move(wanted.error()));
  store::LockPeriod period;
  if (!wanted->mode.empty()) {
    auto mode = retention_mode(wanted->mode);
    if (!mode) co_return s3::refuse(ApiError::malformed_xml);
    if (wanted->until <= call.backend.clock.now()) {
      co_return s3::refuse(ApiError::invalid_argument,
                           "The retain until date must be in the future.");
    }
    period = {*mode, wanted->until};
  }
  store::LockRequest request{call.bucket(), call.key(), call.version(), period, {}, false};
  request.bypass_governance =
      s3::equal_ascii_case(call.header("x-amz-bypass-governance-retention"), "true");
  auto done = co_await call.store().set_lock(std::move(request));
  if (!done) co_return refuse_with(done.error());
  co_return empty_reply(200);
}

S3Answer get_legal_hold(S3Call& call) {
  if (auto lock = co_await require_object_lock(call); !lock) {
    co_return std::unexpected(std::move(lock.error()));
  }
  auto info = co_await look_up(call);
  if (!info) co_return std::unexpected(std::move(info.error()));
  co_return xml_reply(s3::write_legal_hold(info->retention.legal_hold));
}

S3Answer put_legal_hold(S3Call& call) {
  if (auto lock = co_await require_object_lock(call); !lock) {
    co_return std::unexpected(std::move(lock.error()));
  }
  auto text = co_await read_document(call, document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  auto hold = s3::parse_legal_hold(*text);
  if (!hold) co_return std::unexpected(std::move(hold.error()));
  store::LockRequest request{call.bucket(), call.key(), call.version(), {}, *hold, false};
  auto done = co_await call.store().set_lock(std::move(request));
  if (!done) co_return refuse_with(done.error());
  co_return empty_reply(200);
}

}  // namespace holdfast::gateway

#include "gateway/bucket_rules.h"

#include <spdlog/spdlog.h>

#include <array>
#include <utility>

#include "base/log.h"
#include "s3/names.h"
#include "s3/xml.h"

namespace holdfast::gateway {
namespace {

using store::BucketDocument;

struct BlockMember {
  const char* name;
  bool PublicAccessBlock::* member;
};
constexpr std::array<BlockMember, 4> block_members = {{
    {"BlockPublicAcls", &PublicAccessBlock::block_acls},
    {"IgnorePublicAcls", &PublicAccessBlock::ignore_acls},
    {"BlockPublicPolicy", &PublicAccessBlock::block_policy},
    {"RestrictPublicBuckets", &PublicAccessBlock::restrict_buckets},
}};

// The document, or an empty text where the bucket has none.
store::Async<std::string> document(store::ObjectStore& store, BucketName bucket,
                                   BucketDocument kind) {
  auto text = co_await store.bucket_document(std::move(bucket), kind);
  if (!text && text.error().code == ErrorCode::not_found) co_return std::string();
  co_return text;
}

}  // namespace

s3::ApiResult<PublicAccessBlock> parse_public_access_block(std::string_view xml) {
  auto root = s3::read_xml(xml, "PublicAccessBlockConfiguration");
  if (!root) return std::unexpected(std::move(root.error()));
  PublicAccessBlock block = PublicAccessBlock::none();
  for (const auto& [name, member] : block_members) {
    const std::string_view value = root->value(name);
    if (s3::equal_ascii_case(value, "true")) {
      block.*member = true;
    } else if (!value.empty() && !s3::equal_ascii_case(value, "false")) {
      return s3::refuse(s3::ApiError::malformed_xml);
    }
  }
  return block;
}

std::string to_xml(const PublicAccessBlock& block) {
  s3::XmlWriter xml;
  xml.open_root("PublicAccessBlockConfiguration");
  for (const auto& [name, member] : block_members) {
    xml.element(name, block.*member ? "true" : "false");
  }
  return xml.finish();
}

s3::ApiResult<Ownership> parse_ownership(std::string_view name) {
  if (name == "BucketOwnerEnforced") return Ownership::owner_enforced;
  if (name == "BucketOwnerPreferred") return Ownership::owner_preferred;
  if (name != "ObjectWriter") return s3::refuse(s3::ApiError::malformed_xml);
  return s3::refuse(s3::ApiError::not_implemented,
                    "Objects belong to their bucket's owner, whoever wrote them.");
}

s3::ApiResult<Ownership> parse_ownership_controls(std::string_view xml) {
  auto root = s3::read_xml(xml, "OwnershipControls");
  if (!root) return std::unexpected(std::move(root.error()));
  const s3::XmlNode* rule = root->child("Rule");
  if (rule == nullptr) return s3::refuse(s3::ApiError::malformed_xml);
  return parse_ownership(rule->value("ObjectOwnership"));
}

std::string to_xml(Ownership ownership) {
  s3::XmlWriter xml;
  xml.open_root("OwnershipControls");
  xml.open("Rule");
  xml.element("ObjectOwnership", ownership == Ownership::owner_enforced ? "BucketOwnerEnforced"
                                                                        : "BucketOwnerPreferred");
  return xml.finish();
}

boost::asio::awaitable<Result<PublicAccessBlock>> BucketRulesBook::block_of(BucketName bucket) {
  auto text = co_await document(store_, bucket, BucketDocument::public_access_block);
  if (!text) co_return std::unexpected(text.error());
  if (text->empty()) co_return unless_set_;
  auto block = parse_public_access_block(*text);
  if (block) co_return *block;
  spdlog::warn("gateway: the public access block of {} cannot be read: all is blocked",
               log_field(bucket.value));
  co_return PublicAccessBlock();
}

boost::asio::awaitable<Result<Sharing>> BucketRulesBook::sharing_of(BucketName bucket) {
  auto block = co_await block_of(bucket);
  if (!block) co_return std::unexpected(block.error());
  auto text = co_await document(store_, bucket, BucketDocument::ownership_controls);
  if (!text) co_return std::unexpected(text.error());
  if (text->empty()) co_return Sharing{*block, sharing_unless_set().acls};
  const auto ownership = parse_ownership_controls(*text);
  co_return Sharing{*block, ownership && *ownership == Ownership::owner_preferred};
}

// One that is not understood opens nothing.
boost::asio::awaitable<Result<Acl>> BucketRulesBook::acl_of(BucketName bucket) {
  auto text = co_await document(store_, bucket, BucketDocument::acl);
  if (!text) co_return std::unexpected(text.error());
  const auto acl = acl_from_text(*text);
  if (!acl) spdlog::warn("gateway: the ACL of {} is not understood", log_field(bucket.value));
  co_return acl.value_or(Acl());
}

boost::asio::awaitable<Result<BucketRulesBook::Rules>> BucketRulesBook::read(BucketName bucket) {
  auto text = co_await document(store_, bucket, BucketDocument::policy);
  if (!text && text.error().code == ErrorCode::no_such_bucket) co_return Rules();
  if (!text) co_return std::unexpected(text.error());
  auto sharing = co_await sharing_of(bucket);
  if (!sharing && sharing.error().code == ErrorCode::no_such_bucket) co_return Rules();
  if (!sharing) co_return std::unexpected(sharing.error());
  auto rules = std::make_shared<BucketRules>();
  rules->block = sharing->block;
  rules->acls_count = sharing->acls && !sharing->block.ignore_acls;
  if (rules->acls_count) {
    auto acl = co_await acl_of(bucket);
    if (!acl) co_return std::unexpected(acl.error());
    rules->acl = *acl;
  }
  rules->readable = true;
  if (text->empty()) co_return rules->acls_count ? Rules(std::move(rules)) : Rules();
  auto policy = s3::PolicyDocument::parse_bucket_policy(*text, bucket.value);
  rules->readable = policy.has_value();
  if (policy) {
    rules->policy = std::move(*policy);
  } else {
    spdlog::warn(
        "gateway: the policy of {} is not understood ({}): the bucket is closed to all but "
        "administrators until they replace or delete it",
        log_field(bucket.value), log_field(policy.error().message, 200));
  }
  co_return Rules(std::move(rules));
}

boost::asio::awaitable<Result<void>> BucketRulesBook::load() {
  auto buckets = co_await store_.list_buckets();
  if (!buckets) co_return std::unexpected(buckets.error());
  std::unordered_map<BucketName, Rules> found;
  for (const store::BucketInfo& bucket : *buckets) {
    auto rules = co_await read(bucket.name);
    if (!rules) co_return std::unexpected(rules.error());
    if (*rules) found.emplace(bucket.name, std::move(*rules));
  }
  const std::lock_guard lock(mutex_);
  if (loaded()) co_return Result<void>();
  for (auto& [name, rules] : found) {
    if (!changed_.contains(name)) rules_.insert_or_assign(name, std::move(rules));
  }
  changed_.clear();
  ruled_buckets_.store(rules_.size(), std::memory_order_release);
  loaded_.store(true, std::memory_order_release);
  co_return Result<void>();
}

BucketRulesBook::Rules BucketRulesBook::look_up(const BucketName& bucket) const {
  const std::lock_guard lock(mutex_);
  const auto found = rules_.find(bucket);
  return found == rules_.end() ? nullptr : found->second;
}

// REQUIRES: the lock.
void BucketRulesBook::install(const BucketName& bucket, Rules rules) {
  if (!loaded()) changed_.insert(bucket);
  if (rules) {
    rules_.insert_or_assign(bucket, std::move(rules));
  } else {
    rules_.erase(bucket);
  }
  ruled_buckets_.store(rules_.size(), std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_acq_rel);
}

boost::asio::awaitable<void> BucketRulesBook::reload(BucketName bucket) {
  std::uint64_t mine = 0;
  {
    const std::lock_guard lock(mutex_);
    mine = next_reload_++;
    reloads_[bucket] = mine;
  }
  auto rules = co_await read(bucket);
  const std::lock_guard lock(mutex_);
  const auto latest = reloads_.find(bucket);
  // Whoever began later read later: what it finds counts.
  if (latest == reloads_.end() || latest->second != mine) co_return;
  reloads_.erase(latest);
  if (!rules) {
    spdlog::error(
        "gateway: the rules of {} cannot be read ({}): it is closed to all but "
        "administrators",
        log_field(bucket.value), log_field(rules.error().context, 200));
    rules = std::make_shared<const BucketRules>();
  }
  install(bucket, std::move(*rules));
}

}  // namespace holdfast::gateway

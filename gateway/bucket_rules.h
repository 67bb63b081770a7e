// What buckets themselves say of who may do what: their policies, compiled, their ACLs, and what
// holds both back, public access blocks and object ownership. Read whole from the store at the
// first request, and again bucket by bucket when one of the documents changes, before that change
// is answered: the next request is judged by it. A policy that cannot be read denies everything but
// to administrators. While no bucket has a policy or lets ACLs count, find() is one atomic load.
// Thread-safe; one book for everything that serves the same store.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "gateway/acl.h"
#include "s3/policy_document.h"
#include "store/object_store.h"

namespace holdfast::gateway {

// AWS S3 user guide, "Blocking public access".
struct PublicAccessBlock {
  bool block_acls = true;        // a public ACL cannot be put, by whatever request
  bool ignore_acls = true;       // what public ACLs allow is allowed to nobody
  bool block_policy = true;      // a public policy cannot be put
  bool restrict_buckets = true;  // what a policy allows to everyone is allowed to nobody
  static constexpr PublicAccessBlock none() { return {false, false, false, false}; }
};
s3::ApiResult<PublicAccessBlock> parse_public_access_block(std::string_view xml);
std::string to_xml(const PublicAccessBlock& block);

// AWS S3 user guide, "Controlling ownership of objects". The store owns every object, so that
// ObjectWriter cannot be promised. malformed_xml, not_implemented.
enum class Ownership : std::uint8_t { owner_preferred, owner_enforced };  // enforced: ACLs are off
s3::ApiResult<Ownership> parse_ownership(std::string_view name);
s3::ApiResult<Ownership> parse_ownership_controls(std::string_view xml);
std::string to_xml(Ownership ownership);

// How far ACLs go in a bucket.
struct Sharing {
  PublicAccessBlock block;
  bool acls = false;  // object ownership lets them be
};

struct BucketRules {
  bool readable = false;  // false: the bucket is closed to all but administrators
  std::optional<s3::PolicyDocument> policy;
  PublicAccessBlock block;
  bool acls_count = false;  // neither ignored nor turned off
  Acl acl;                  // the bucket's own
};

class BucketRulesBook {
 public:
  // `unless_set`: the block of buckets that have none of their own.
  BucketRulesBook(store::ObjectStore& store, PublicAccessBlock unless_set)
      : store_(store), unless_set_(unless_set) {}

  bool loaded() const { return loaded_.load(std::memory_order_acquire); }
  // Reads the documents of all buckets. An error leaves the book unread: nothing is served then.
  boost::asio::awaitable<Result<void>> load();

  // Null where the bucket has no policy and ACLs do not count. REQUIRES: loaded().
  std::shared_ptr<const BucketRules> find(const BucketName& bucket) const {
    if (ruled_buckets_.load(std::memory_order_acquire) == 0) return nullptr;
    return look_up(bucket);
  }
  // Grows with every change of a rule: what is under way is judged again.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // After a document changed, or the bucket was made or removed. When it cannot be read again the
  // bucket is closed to all but administrators until it can.
  boost::asio::awaitable<void> reload(BucketName bucket);
  // The block that holds for the bucket now.
  boost::asio::awaitable<Result<PublicAccessBlock>> block_of(BucketName bucket);
  // Where the bucket says nothing: as its block, all or nothing.
  boost::asio::awaitable<Result<Sharing>> sharing_of(BucketName bucket);
  Sharing sharing_unless_set() const { return {unless_set_, !unless_set_.ignore_acls}; }

 private:
  using Rules = std::shared_ptr<const BucketRules>;
  std::shared_ptr<const BucketRules> look_up(const BucketName& bucket) const;
  boost::asio::awaitable<Result<Rules>> read(BucketName bucket);
  boost::asio::awaitable<Result<Acl>> acl_of(BucketName bucket);
  void install(const BucketName& bucket, Rules rules);

  store::ObjectStore& store_;
  const PublicAccessBlock unless_set_;
  std::atomic<bool> loaded_{false};
  std::atomic<std::size_t> ruled_buckets_{0};
  std::atomic<std::uint64_t> generation_{1};
  mutable std::mutex mutex_;
  std::unordered_map<BucketName, Rules> rules_;
  std::unordered_map<BucketName, std::uint64_t> reloads_;  // under way, by the latest's number
  std::unordered_set<BucketName> changed_;  // while loading: what load() must not overwrite
  std::uint64_t next_reload_ = 1;
};

}  // namespace holdfast::gateway

// The policy snapshot: who may do what, at one epoch. Immutable once published; any thread. Every
// request is judged against the current snapshot, so a revoked grant stops the next request.
// Prefixes match on component boundaries only: a grant on "data/" or "data" covers "data",
// "data/" and "data/x", never "database". An empty prefix is the whole bucket. A listing's prefix
// must lie below the grant's ("data/", never "data", which would also list "database").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace holdfast::control {

// read: list, read, old versions too. write: read, and put and delete. drop: put, and list what was
// put by oneself.
// admin: write, grant to others, remove versions, retention; on a whole bucket its configuration.
enum class Level : std::uint8_t { read, write, drop, admin };

std::string_view to_string(Level level);
std::optional<Level> level_from(std::string_view text);

// What a request does, finer than a level. Versioned access is its own action.
enum class Action : std::uint8_t {
  list_buckets,  // always allowed; the answer holds only what is visible
  head_bucket,   // any grant inside the bucket
  list_objects,  // judged on the listing's prefix
  list_versions,
  list_uploads,
  read_object,
  read_version,
  write_object,   // put, copy destination, multipart
  delete_object,  // makes a marker where the bucket is versioned
  delete_version,
  abort_upload,
  list_parts,
  read_tags,
  write_tags,
  read_bucket_config,
  write_bucket_config,  // versioning, CORS, lifecycle, policy …
  create_bucket,
  delete_bucket,
  write_retention,
  bypass_governance,
  watch_changes,  // the change feed of a prefix
  share_object,   // open an object to others than those with rights: as granting, of admins
};

struct Grant {
  std::int64_t id = 0;      // 0: implied (own home, administrator)
  PrincipalName principal;  // a user, app, service or group
  BucketName bucket;
  std::string prefix;
  Level level = Level::read;
  std::optional<TimePoint> not_after;
  PrincipalName granted_by;
};

struct PrincipalRecord {
  PrincipalName name;
  bool admin = false;  // may do everything; every use is audited
  bool disabled = false;
  std::uint32_t uid = 0;  // of the person's files and tools; 0: none
  std::vector<PrincipalName> groups;
};

// A key only names a principal. `scope`, where set, can only narrow what the principal may do.
struct KeyScope {
  std::vector<Grant> allow;  // principal is ignored; empty list: nothing beyond list_buckets
};
struct KeyRecord {
  AccessKeyId id;
  std::string secret;
  PrincipalName principal;
  std::string purpose;        // "user", "session", "mount", "tool"
  std::string session_token;  // empty: a permanent pair; else x-amz-security-token must equal it
  std::optional<TimePoint> not_after;
  std::optional<KeyScope> scope;
};

struct AccessRequest {
  const KeyRecord* key = nullptr;  // its scope applies; null: none (console session)
  PrincipalName principal;
  Action action = Action::list_buckets;
  BucketName bucket;
  std::string_view path;  // object key, or the prefix of a listing; decoded bytes
  TimePoint now;
};
struct Decision {
  bool allowed = false;
  std::int64_t grant = 0;      // that allowed it
  Level level = Level::admin;  // of that grant; drop: list and abort only the caller's own uploads
  std::string reason;          // for the denied: a sentence for the audit, not for the client
  bool lacks_grant = false;    // nothing forbids it but that no grant allows it
};

// A bucket or prefix that a principal can see, for ListBuckets, the bucket view and the console.
struct Visible {
  BucketName bucket;
  std::string prefix;
  Level level = Level::read;
  std::optional<TimePoint> not_after;
};

struct PolicyContent {
  std::uint64_t epoch = 0;
  BucketName homes_bucket;  // each user writes "<user>/" in it, without delete_version
  std::vector<PrincipalRecord> principals;
  std::vector<KeyRecord> keys;
  std::vector<Grant> grants;
};

class PolicySnapshot {
 public:
  explicit PolicySnapshot(PolicyContent content);

  std::uint64_t epoch() const { return content_.epoch; }
  const BucketName& homes_bucket() const { return content_.homes_bucket; }
  const KeyRecord* find_key(const AccessKeyId& id) const;  // expired ones too
  const PrincipalRecord* find_principal(const PrincipalName& name) const;
  Decision decide(const AccessRequest& request) const;
  // In byte order of (bucket, prefix); without what a wider entry of equal or higher level covers.
  // What is granted, and the own home; that an administrator sees every bucket is not in it.
  std::vector<Visible> visible(const PrincipalName& principal, TimePoint now) const;
  // The nearest expiry of a grant or key after `now`: what is open must be judged again then.
  std::optional<TimePoint> next_expiry(TimePoint now) const;

 private:
  PolicyContent content_;
  std::unordered_map<AccessKeyId, std::size_t> key_index_;
  std::unordered_map<PrincipalName, std::size_t> principal_index_;
  std::unordered_map<PrincipalName, std::vector<std::size_t>> grants_of_;
  std::vector<TimePoint> expiries_;  // sorted
};

// Where the current snapshot is found. Thread-safe; current() is one atomic load.
class PolicySource {
 public:
  virtual ~PolicySource() = default;
  virtual std::shared_ptr<const PolicySnapshot> current() const = 0;
};

}  // namespace holdfast::control

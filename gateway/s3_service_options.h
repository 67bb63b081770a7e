// What the S3 listener is told and what it counts.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/bucket_owners.h"
#include "gateway/s3_operation.h"
#include "gateway/s3_target.h"

namespace holdfast::gateway {

class WebIdentities;

// Denials are always recorded.
enum class AuditLevel : std::uint8_t { denials, writes, everything };

// Who makes buckets. `everyone`: whoever has a key of their own; they administer what they made.
enum class BucketCreators : std::uint8_t { administrators, everyone };

// What the store does to bodies. `new_bodies`: some may lie there from before it began.
enum class BodyEncryption : std::uint8_t { none, new_bodies, all_bodies };

struct S3ServiceOptions {
  HostNames hosts;
  std::vector<std::string>
      console_origins;  // "http://localhost:7080": may use every bucket by CORS
  AuditLevel audit = AuditLevel::writes;
  // Answered 200 to anyone, on hosts that name no bucket. No bucket is called "-".
  std::string health_path = "/-/health";
  std::chrono::milliseconds rejudge_after{1'000};  // streams older than this follow policy changes
  std::chrono::milliseconds epoch_poll{50};        // of the access feed
  std::uint64_t max_put_bytes = 5ull << 30;
  std::chrono::seconds lifecycle_day{86'400};  // shorter in tests
  std::size_t signing_keys = 4'096;            // cached derived keys, bounded
  BucketCreators bucket_creators = BucketCreators::administrators;
  BucketOwners* owners = nullptr;  // outlives the service; null: grants are kept by nobody
  bool v2_forms = false;           // POST forms that are signed as before SigV4
  // Of buckets that say nothing themselves: all four of AWS's blocks, or none.
  bool block_public_access = true;
  // Seals temporary credentials, so that they outlive a restart; empty: STS is off.
  std::string session_secret;
  BodyEncryption encryption = BodyEncryption::none;
  WebIdentities* web_identities = nullptr;  // outlives the service; null: none
};

// Monotonic counters for metrics; relaxed atomics, any thread.
struct S3Counters {
  std::array<std::atomic<std::uint64_t>, operation_count> requests{};
  std::array<std::atomic<std::uint64_t>, operation_count> errors{};  // answers of 400 and more
  std::atomic<std::uint64_t> denied{0};
  std::atomic<std::uint64_t> unauthenticated{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
};

}  // namespace holdfast::gateway

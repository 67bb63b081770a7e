// Catalogue: what the local object store knows of buckets, versions, uploads and blobs, in SQLite.
// A cache of the record log: it remembers up to which record it has applied, and can be rebuilt.
// One object is one connection and serves one thread at a time. Any number of readers beside one
// writer; a reader sees a committed state, the writer its own transaction as well.
//
// Latest live versions are in one table, noncurrent ones and all delete markers in another, so that
// listing the present does not pay for the past: a key's latest version is its current row, or,
// where there is none, its newest old row, which then is a delete marker.
// Keys, names and versions are bytes and compare as memcmp does. Metadata, extents and checksums
// are opaque here. Buckets are known by the sequence of the record that made them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "index/catalogue_rows.h"
#include "index/database.h"

namespace holdfast::index {

class Catalogue {
 public:
  // An unsynced writer may lose the index to a power cut.
  enum class Role { writer, unsynced_writer, reader };
  // corrupted: not a database, or one that cannot be trusted: rebuild. not_supported: a newer one.
  static Result<Catalogue> open(const std::string& path, Role role);

  // --- Transactions (the writer) and snapshots (a reader that asks twice). A writer's begin waits
  // for the write lock: a reader that finds the header of the write-ahead log half changed holds
  // it for a moment (walIndexReadHdr in SQLite's wal.c), and a transaction that has read something
  // no longer waits but fails.
  Result<void> begin();
  Result<void> commit();
  void rollback();
  // Copies the write-ahead log into the database file as far as readers allow.
  Result<void> checkpoint();

  Result<AppliedState> state();
  Result<void> set_state(const AppliedState& state);

  // --- Buckets
  Result<std::optional<BucketRow>> find_bucket(std::string_view name);
  Result<std::vector<BucketRow>> buckets();
  Result<void> put_bucket(const BucketRow& bucket);  // inserts or replaces
  Result<void> set_bucket_versioning(std::uint64_t bucket, int versioning);
  Result<void> set_bucket_object_lock(std::uint64_t bucket);
  Result<bool> holds_no_version(std::uint64_t bucket);  // uploads do not count
  // The bucket's row, documents and change feed. REQUIRES: no version and no upload is left.
  Result<void> erase_bucket(std::uint64_t bucket);
  Result<std::optional<std::string>> document(std::uint64_t bucket, int kind);
  Result<void> set_document(std::uint64_t bucket, int kind, std::string_view text);

  Result<void> set_quota(std::uint64_t bucket, const QuotaRow& quota);
  Result<UsageRow> usage(std::uint64_t bucket);
  // From the rows, where the log does not tell all that made them.
  Result<void> recount_usage();
  Result<void> add_usage(std::uint64_t bucket, std::int64_t bytes, std::int64_t objects);

  // --- Versions
  Result<std::optional<VersionRow>> find_current(std::uint64_t bucket, std::string_view key);
  Result<std::optional<VersionRow>> find_version(std::uint64_t bucket, std::string_view key,
                                                 std::uint64_t sequence);
  // The key's noncurrent version called "null", and its newest noncurrent one.
  Result<std::optional<VersionRow>> find_old_null(std::uint64_t bucket, std::string_view key);
  Result<std::optional<VersionRow>> find_newest_old(std::uint64_t bucket, std::string_view key);
  Result<void> insert_current(const VersionRow& version);
  Result<void> insert_old(const VersionRow& version);
  Result<void> move_current_to_old(std::uint64_t bucket, std::string_view key);
  Result<void> move_old_to_current(std::uint64_t bucket, std::string_view key,
                                   std::uint64_t sequence);
  Result<void> erase_current(std::uint64_t bucket, std::string_view key);
  Result<void> erase_old(std::uint64_t bucket, std::string_view key, std::uint64_t sequence);
  Result<void> set_version_extents(std::uint64_t bucket, std::string_view key,
                                   std::uint64_t sequence, std::string_view extents);
  Result<void> set_version_meta(std::uint64_t bucket, std::string_view key, std::uint64_t sequence,
                                std::string_view meta);
  // Every version and every part of an upload, for scrub. A visitor's error ends the walk.
  Result<void> visit_extents(const ExtentVisitor& visit);

  // --- Listings. Cost grows with what is returned: a common prefix is skipped by one seek.
  Result<KeyPage> list(const KeyQuery& query);
  Result<VersionPage> list_versions(const VersionQuery& query);
  Result<UploadPage> list_uploads(const UploadQuery& query);

  // --- Multipart
  Result<void> put_upload(const UploadRow& upload);  // inserts or replaces
  Result<std::optional<UploadRow>> find_upload(std::string_view id);
  Result<void> erase_upload(std::string_view id);  // and its parts
  Result<void> put_part(const PartRow& part);      // inserts or replaces
  Result<std::optional<PartRow>> find_part(std::string_view upload, std::uint32_t number);
  Result<std::vector<PartRow>> parts(std::string_view upload, std::uint32_t after,
                                     std::uint32_t limit);

  // --- Storage
  // Changes the count of references; the row appears with the first and goes with the last one.
  // Answers the count.
  Result<std::int64_t> add_blob_reference(const BlobRow& blob, std::int64_t change);
  Result<std::optional<BlobRow>> find_blob(std::string_view name);
  Result<void> set_blob_damaged(std::string_view name);
  Result<std::vector<BlobRow>> blobs(std::string_view after, std::uint32_t limit);
  Result<std::vector<std::string>> damaged_blobs();
  Result<void> add_live_bytes(std::uint64_t segment, std::int64_t change);
  Result<std::vector<SegmentRow>> segments();

  // Lodgers may be listed that moved out meanwhile; they go with the segment.
  Result<void> add_lodger(const LodgerRow& lodger);
  Result<std::vector<LodgerRow>> lodgers(std::uint64_t segment, std::uint64_t offset,
                                         std::uint32_t limit);
  Result<void> erase_lodger(const LodgerRow& lodger);
  // The rows of segments up to this one, and what is known of their lodgers.
  Result<void> erase_segments(std::uint64_t until);

  // --- Change feed
  Result<void> insert_change(const NewChange& change);
  Result<ChangeRows> changes(const ChangeQuery& query);
  // Forgets entries up to and including `sequence`.
  Result<void> trim_changes(std::uint64_t sequence);

 private:
  enum class Query : std::size_t;
  static constexpr std::size_t query_count = 58;

  Result<Statement*> use(Query query);
  template <class... Args>
  Result<void> execute(Query query, const Args&... args);
  template <class Row, class Decode, class... Args>
  Result<std::optional<Row>> one(Query query, Decode decode, const Args&... args);
  template <class Row, class Decode, class... Args>
  Result<std::vector<Row>> all(Query query, Decode decode, const Args&... args);
  static std::string_view sql(Query query);
  static VersionRow to_version(const Statement& row);
  static UploadRow to_upload(const Statement& row);
  static PartRow to_part(const Statement& row);

  Database database_;
  Role role_ = Role::reader;
  std::array<std::optional<Statement>, query_count> statements_;
};

}  // namespace holdfast::index

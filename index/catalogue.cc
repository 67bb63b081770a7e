#include "index/catalogue.h"

#include "index/catalogue_queries.h"
#include "index/catalogue_schema.h"

namespace holdfast::index {
namespace {

#define VERSION_COLUMNS "bucket,key,sequence,version,marker,etag,size,modified,meta,extents"
// In the order of Catalogue::Query.
constexpr std::string_view statements[] = {
    "SELECT segment,offset,sequence,feed_after,clean,dropped,row_bytes FROM state",
    "UPDATE state SET segment=?,offset=?,sequence=?,feed_after=?,clean=?,dropped=?,row_bytes=?",
    "SELECT id,name,created,versioning,object_lock,quota_bytes,quota_objects FROM bucket "
    "LEFT JOIN usage ON usage.bucket=id WHERE name=?",
    "SELECT id,name,created,versioning,object_lock,quota_bytes,quota_objects FROM bucket "
    "LEFT JOIN usage ON usage.bucket=id ORDER BY name",
    "INSERT OR REPLACE INTO bucket(id,name,created,versioning,object_lock) VALUES(?,?,?,?,?)",
    "UPDATE bucket SET versioning=?2 WHERE id=?1",
    "UPDATE bucket SET object_lock=1 WHERE id=?",
    "SELECT 1 FROM current WHERE bucket=? LIMIT 1",
    "SELECT 1 FROM old WHERE bucket=? LIMIT 1",
    "DELETE FROM bucket WHERE id=?",
    "DELETE FROM document WHERE bucket=?",
    "DELETE FROM change WHERE bucket=?",
    "SELECT text FROM document WHERE bucket=? AND kind=?",
    "INSERT OR REPLACE INTO document(bucket,kind,text) VALUES(?,?,?)",
    "DELETE FROM document WHERE bucket=? AND kind=?",
    "SELECT " VERSION_COLUMNS " FROM current WHERE bucket=? AND key=?",
    "SELECT " VERSION_COLUMNS " FROM old WHERE bucket=? AND key=? AND sequence=?",
    "SELECT " VERSION_COLUMNS " FROM old WHERE bucket=? AND key=? AND version=x'6e756c6c'",
    "SELECT " VERSION_COLUMNS
    " FROM old WHERE bucket=? AND key=? ORDER BY bucket,key,sequence DESC LIMIT 1",
    "INSERT INTO current(" VERSION_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?)",
    "INSERT INTO old(" VERSION_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?)",
    "INSERT INTO old(" VERSION_COLUMNS ") SELECT " VERSION_COLUMNS
    " FROM current WHERE bucket=? AND key=?",
    "INSERT INTO current(" VERSION_COLUMNS ") SELECT " VERSION_COLUMNS
    " FROM old WHERE bucket=? AND key=? AND sequence=?",
    "DELETE FROM current WHERE bucket=? AND key=?",
    "DELETE FROM old WHERE bucket=? AND key=? AND sequence=?",
    "UPDATE current SET meta=?4 WHERE bucket=?1 AND key=?2 AND sequence=?3",
    "UPDATE old SET meta=?4 WHERE bucket=?1 AND key=?2 AND sequence=?3",
    "SELECT bucket,key,version,extents FROM current UNION ALL "
    "SELECT bucket,key,version,extents FROM old",
    "SELECT upload,extents FROM part",
    "SELECT " VERSION_COLUMNS " FROM current WHERE bucket=? AND key>=? ORDER BY bucket,key",
    "SELECT " VERSION_COLUMNS
    " FROM old WHERE bucket=? AND key>=? ORDER BY bucket,key,sequence DESC",
    "SELECT id,bucket,key,started,meta FROM upload WHERE bucket=? AND key>=? "
    "ORDER BY bucket,key,id",
    "INSERT OR REPLACE INTO upload(id,bucket,key,started,meta) VALUES(?,?,?,?,?)",
    "SELECT id,bucket,key,started,meta FROM upload WHERE id=?",
    "DELETE FROM upload WHERE id=?",
    "DELETE FROM part WHERE upload=?",
    "INSERT OR REPLACE INTO part(upload,number,etag,size,modified,checksums,extents) "
    "VALUES(?,?,?,?,?,?,?)",
    "SELECT upload,number,etag,size,modified,checksums,extents FROM part "
    "WHERE upload=? AND number=?",
    "SELECT upload,number,etag,size,modified,checksums,extents FROM part "
    "WHERE upload=? AND number>? ORDER BY upload,number LIMIT ?",
    "INSERT INTO blob(name,refs,bytes,checksum,damaged) VALUES(?1,?2,?3,?4,0) "
    "ON CONFLICT(name) DO UPDATE SET refs=refs+?2 RETURNING refs",
    "DELETE FROM blob WHERE name=?",
    "SELECT name,bytes,checksum,damaged FROM blob WHERE name=?",
    "UPDATE blob SET damaged=1 WHERE name=?",
    "SELECT name,bytes,checksum,damaged FROM blob WHERE name>? ORDER BY name LIMIT ?",
    "SELECT name FROM blob WHERE damaged=1",
    "INSERT INTO segment(number,live_bytes) VALUES(?1,?2) "
    "ON CONFLICT(number) DO UPDATE SET live_bytes=live_bytes+?2",
    "SELECT number,live_bytes FROM segment ORDER BY number",
    "INSERT INTO usage(bucket,bytes,objects,quota_bytes,quota_objects) VALUES(?1,0,0,?2,?3) "
    "ON CONFLICT(bucket) DO UPDATE SET quota_bytes=?2,quota_objects=?3",
    "SELECT bytes,objects FROM usage WHERE bucket=?",
    "INSERT INTO usage(bucket,bytes,objects) VALUES(?1,?2,?3) "
    "ON CONFLICT(bucket) DO UPDATE SET bytes=bytes+?2,objects=objects+?3",
    "DELETE FROM usage WHERE bucket=?",
    "INSERT INTO change(bucket,sequence,kind,key,version,etag,size,time) VALUES(?,?,?,?,?,?,?,?)",
    "UPDATE current SET extents=?4 WHERE bucket=?1 AND key=?2 AND sequence=?3",
    "UPDATE old SET extents=?4 WHERE bucket=?1 AND key=?2 AND sequence=?3",
    "INSERT OR IGNORE INTO lodger(segment,offset,bucket,sequence,key,upload,number) "
    "VALUES(?,?,?,?,?,?,?)",
    "SELECT segment,offset,bucket,sequence,key,upload,number FROM lodger "
    "WHERE segment=? AND offset=? LIMIT ?",
    "DELETE FROM lodger WHERE segment=? AND offset=? AND bucket=? AND sequence=? AND key=? "
    "AND upload=? AND number=?",
    "DELETE FROM lodger WHERE segment<=?",
};
#undef VERSION_COLUMNS

std::uint64_t number(const Statement& row, int column) {
  return static_cast<std::uint64_t>(row.integer(column));
}

// Stored one higher, so that what a bucket without a row has, 0, means none.
std::optional<std::uint64_t> limit(const Statement& row, int column) {
  const std::uint64_t stored = number(row, column);
  return stored == 0 ? std::nullopt : std::optional(stored - 1);
}
std::uint64_t stored_limit(const std::optional<std::uint64_t>& limit) {
  return limit ? *limit + 1 : 0;
}

BucketRow to_bucket(const Statement& row) {
  return {number(row, 0),      row.string(1),
          row.integer(2),      static_cast<int>(row.integer(3)),
          row.integer(4) != 0, {limit(row, 5), limit(row, 6)}};
}

}  // namespace

std::string_view Catalogue::sql(Query query) {
  static_assert(std::size(statements) == query_count);
  static_assert(static_cast<std::size_t>(Query::erase_lodgers) + 1 == query_count);
  return statements[static_cast<std::size_t>(query)];
}

VersionRow Catalogue::to_version(const Statement& row) {
  VersionRow version;
  version.bucket = number(row, 0);
  version.key = row.string(1);
  version.sequence = number(row, 2);
  version.version = row.string(3);
  version.delete_marker = row.integer(4) != 0;
  version.etag = row.string(5);
  version.size = number(row, 6);
  version.modified = row.integer(7);
  version.meta = row.string(8);
  version.extents = row.string(9);
  return version;
}

Result<Catalogue> Catalogue::open(const std::string& path, Role role) {
  DatabaseOptions options;
  options.durability = role == Role::unsynced_writer ? Durability::none : Durability::lazy;
  options.read_only = role == Role::reader;
  options.cache_bytes = role == Role::reader ? 4 << 20 : 64 << 20;
  auto database = Database::open(path, options);
  if (!database) return std::unexpected(database.error());
  Catalogue catalogue;
  catalogue.database_ = std::move(*database);
  catalogue.role_ = role;
  if (role == Role::reader) return catalogue;
  // Longer than SQLite's own 1,000 pages: a checkpoint is the one place where the writer waits for
  // the database file.
  auto tuned = catalogue.database_.run("PRAGMA wal_autocheckpoint=16000");
  if (tuned) tuned = catalogue.database_.migrate(catalogue_steps());
  if (!tuned) return std::unexpected(tuned.error());
  return catalogue;
}

namespace {
Result<void> run_kept(Database& database, std::string_view sql) {
  auto statement = database.kept(sql);
  if (!statement) return std::unexpected(statement.error());
  return (*statement)->execute();
}
}  // namespace

Result<void> Catalogue::begin() {
  return run_kept(database_, role_ == Role::reader ? "BEGIN" : "BEGIN IMMEDIATE");
}
Result<void> Catalogue::commit() { return run_kept(database_, "COMMIT"); }
void Catalogue::rollback() {
  if (database_.in_transaction()) (void)run_kept(database_, "ROLLBACK");
}
Result<void> Catalogue::checkpoint() { return database_.run("PRAGMA wal_checkpoint(PASSIVE)"); }

Result<AppliedState> Catalogue::state() {
  auto row = one<AppliedState>(Query::state, [](const Statement& at) {
    return AppliedState{number(at, 0),      number(at, 1), number(at, 2), number(at, 3),
                        at.integer(4) != 0, number(at, 5), at.integer(6)};
  });
  if (!row) return std::unexpected(row.error());
  if (!*row) return fail(ErrorCode::corrupted, "the catalogue has lost its state");
  return **row;
}

Result<void> Catalogue::set_state(const AppliedState& state) {
  return execute(Query::set_state, state.segment, state.offset, state.sequence, state.feed_after,
                 state.clean, state.dropped, state.row_bytes);
}

// --- Buckets

Result<std::optional<BucketRow>> Catalogue::find_bucket(std::string_view name) {
  return one<BucketRow>(Query::find_bucket, to_bucket, blob(name));
}

Result<std::vector<BucketRow>> Catalogue::buckets() {
  return all<BucketRow>(Query::buckets, to_bucket);
}

Result<void> Catalogue::put_bucket(const BucketRow& bucket) {
  return execute(Query::put_bucket, bucket.id, blob(bucket.name), bucket.created, bucket.versioning,
                 bucket.object_lock);
}

Result<void> Catalogue::set_bucket_versioning(std::uint64_t bucket, int versioning) {
  return execute(Query::set_versioning, bucket, versioning);
}

Result<void> Catalogue::set_bucket_object_lock(std::uint64_t bucket) {
  return execute(Query::set_object_lock, bucket);
}

Result<bool> Catalogue::holds_no_version(std::uint64_t bucket) {
  for (const auto query : {Query::any_current, Query::any_old}) {
    auto row = one<bool>(query, [](const Statement&) { return true; }, bucket);
    if (!row) return std::unexpected(row.error());
    if (*row) return false;
  }
  return true;
}

Result<void> Catalogue::erase_bucket(std::uint64_t bucket) {
  for (const auto query : {Query::erase_bucket, Query::erase_documents, Query::erase_usage,
                           Query::erase_bucket_changes}) {
    if (auto done = execute(query, bucket); !done) return done;
  }
  return {};
}

Result<void> Catalogue::set_quota(std::uint64_t bucket, const QuotaRow& quota) {
  return execute(Query::set_quota, bucket, stored_limit(quota.bytes), stored_limit(quota.objects));
}

Result<UsageRow> Catalogue::usage(std::uint64_t bucket) {
  auto row = one<UsageRow>(
      Query::usage, [](const Statement& at) { return UsageRow{number(at, 0), number(at, 1)}; },
      bucket);
  if (!row) return std::unexpected(row.error());
  return row->value_or(UsageRow{});
}

Result<void> Catalogue::add_usage(std::uint64_t bucket, std::int64_t bytes, std::int64_t objects) {
  return execute(Query::add_usage, bucket, bytes, objects);
}

Result<void> Catalogue::recount_usage() { return database_.run(count_usage_sql); }

Result<std::optional<std::string>> Catalogue::document(std::uint64_t bucket, int kind) {
  return one<std::string>(
      Query::document, [](const Statement& row) { return row.string(0); }, bucket, kind);
}

Result<void> Catalogue::set_document(std::uint64_t bucket, int kind, std::string_view text) {
  if (text.empty()) return execute(Query::erase_document, bucket, kind);
  return execute(Query::set_document, bucket, kind, blob(text));
}

// --- Storage

Result<std::int64_t> Catalogue::add_blob_reference(const BlobRow& row, std::int64_t change) {
  // RETURNING must be stepped to its end for the change to be whole.
  auto counts = all<std::int64_t>(
      Query::add_blob, [](const Statement& at) { return at.integer(0); }, blob(row.name), change,
      row.bytes, row.checksum);
  if (!counts) return std::unexpected(counts.error());
  const std::int64_t count = counts->empty() ? 0 : counts->front();
  if (count > 0) return count;
  if (auto erased = execute(Query::erase_blob, blob(row.name)); !erased) {
    return std::unexpected(erased.error());
  }
  return count;
}

namespace {
BlobRow to_blob(const Statement& row) {
  return {row.string(0), number(row, 1), number(row, 2), row.integer(3) != 0};
}
}  // namespace

Result<std::optional<BlobRow>> Catalogue::find_blob(std::string_view name) {
  return one<BlobRow>(Query::find_blob, to_blob, blob(name));
}

Result<void> Catalogue::set_blob_damaged(std::string_view name) {
  return execute(Query::damage_blob, blob(name));
}

Result<std::vector<BlobRow>> Catalogue::blobs(std::string_view after, std::uint32_t limit) {
  return all<BlobRow>(Query::blobs, to_blob, blob(after), limit);
}

Result<std::vector<std::string>> Catalogue::damaged_blobs() {
  return all<std::string>(Query::damaged_blobs, [](const Statement& row) { return row.string(0); });
}

Result<void> Catalogue::add_live_bytes(std::uint64_t segment, std::int64_t change) {
  return execute(Query::add_live, segment, change);
}

Result<void> Catalogue::add_lodger(const LodgerRow& row) {
  return execute(Query::add_lodger, row.segment, row.offset, row.bucket, row.sequence,
                 blob(row.key), blob(row.upload), row.number);
}

Result<std::vector<LodgerRow>> Catalogue::lodgers(std::uint64_t segment, std::uint64_t offset,
                                                  std::uint32_t limit) {
  return all<LodgerRow>(
      Query::lodgers,
      [](const Statement& row) {
        return LodgerRow{number(row, 0),
                         number(row, 1),
                         number(row, 2),
                         number(row, 3),
                         row.string(4),
                         row.string(5),
                         static_cast<std::uint32_t>(row.integer(6))};
      },
      segment, offset, limit);
}

Result<void> Catalogue::erase_lodger(const LodgerRow& row) {
  return execute(Query::erase_lodger, row.segment, row.offset, row.bucket, row.sequence,
                 blob(row.key), blob(row.upload), row.number);
}

Result<void> Catalogue::erase_segments(std::uint64_t segment) {
  auto statement = database_.prepare("DELETE FROM segment WHERE number<=?");
  if (!statement) return std::unexpected(statement.error());
  if (auto done = statement->execute(segment); !done) return done;
  return execute(Query::erase_lodgers, segment);
}

Result<std::vector<SegmentRow>> Catalogue::segments() {
  return all<SegmentRow>(Query::segments, [](const Statement& row) {
    return SegmentRow{number(row, 0), row.integer(1)};
  });
}

}  // namespace holdfast::index

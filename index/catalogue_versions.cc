#include "index/catalogue.h"
#include "index/catalogue_queries.h"

namespace holdfast::index {

using Found = Result<std::optional<VersionRow>>;

Found Catalogue::find_current(std::uint64_t bucket, std::string_view key) {
  auto row = one<VersionRow>(Query::find_current, to_version, bucket, blob(key));
  if (row && *row) (*row)->latest = true;
  return row;
}

Found Catalogue::find_version(std::uint64_t bucket, std::string_view key, std::uint64_t sequence) {
  auto row = find_current(bucket, key);
  if (!row || (*row && (*row)->sequence == sequence)) return row;
  return one<VersionRow>(Query::find_old, to_version, bucket, blob(key), sequence);
}

Found Catalogue::find_old_null(std::uint64_t bucket, std::string_view key) {
  return one<VersionRow>(Query::find_old_null, to_version, bucket, blob(key));
}

Found Catalogue::find_newest_old(std::uint64_t bucket, std::string_view key) {
  return one<VersionRow>(Query::find_newest_old, to_version, bucket, blob(key));
}

Result<void> Catalogue::insert_current(const VersionRow& row) {
  return execute(Query::insert_current, row.bucket, blob(row.key), row.sequence, blob(row.version),
                 row.delete_marker, blob(row.etag), row.size, row.modified, blob(row.meta),
                 blob(row.extents));
}

Result<void> Catalogue::insert_old(const VersionRow& row) {
  return execute(Query::insert_old, row.bucket, blob(row.key), row.sequence, blob(row.version),
                 row.delete_marker, blob(row.etag), row.size, row.modified, blob(row.meta),
                 blob(row.extents));
}

Result<void> Catalogue::move_current_to_old(std::uint64_t bucket, std::string_view key) {
  auto done = execute(Query::current_to_old, bucket, blob(key));
  if (!done) return done;
  return erase_current(bucket, key);
}

Result<void> Catalogue::move_old_to_current(std::uint64_t bucket, std::string_view key,
                                            std::uint64_t sequence) {
  auto done = execute(Query::old_to_current, bucket, blob(key), sequence);
  if (!done) return done;
  return erase_old(bucket, key, sequence);
}

Result<void> Catalogue::erase_current(std::uint64_t bucket, std::string_view key) {
  return execute(Query::erase_current, bucket, blob(key));
}

Result<void> Catalogue::erase_old(std::uint64_t bucket, std::string_view key,
                                  std::uint64_t sequence) {
  return execute(Query::erase_old, bucket, blob(key), sequence);
}

Result<void> Catalogue::set_version_extents(std::uint64_t bucket, std::string_view key,
                                            std::uint64_t sequence, std::string_view extents) {
  auto done = execute(Query::set_current_extents, bucket, blob(key), sequence, blob(extents));
  if (!done || database_.changed_rows() > 0) return done;
  return execute(Query::set_old_extents, bucket, blob(key), sequence, blob(extents));
}

Result<void> Catalogue::set_version_meta(std::uint64_t bucket, std::string_view key,
                                         std::uint64_t sequence, std::string_view meta) {
  auto done = execute(Query::set_current_meta, bucket, blob(key), sequence, blob(meta));
  if (!done || database_.changed_rows() > 0) return done;
  return execute(Query::set_old_meta, bucket, blob(key), sequence, blob(meta));
}

Result<void> Catalogue::visit_extents(const ExtentVisitor& visit) {
  auto versions = use(Query::version_extents);
  if (!versions) return std::unexpected(versions.error());
  (*versions)->start();
  for (;;) {
    auto row = (*versions)->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const Statement& at = **versions;
    ExtentOwner owner;
    owner.bucket = static_cast<std::uint64_t>(at.integer(0));
    owner.key = at.text(1);
    owner.version = at.text(2);
    owner.extents = at.text(3);
    if (auto seen = visit(owner); !seen) return seen;
  }
  auto parts = use(Query::part_extents);
  if (!parts) return std::unexpected(parts.error());
  (*parts)->start();
  for (;;) {
    auto row = (*parts)->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    ExtentOwner owner;
    owner.upload = (*parts)->text(0);
    owner.extents = (*parts)->text(1);
    if (auto seen = visit(owner); !seen) return seen;
  }
}

// --- Multipart

UploadRow Catalogue::to_upload(const Statement& row) {
  return {row.string(0), static_cast<std::uint64_t>(row.integer(1)), row.string(2), row.integer(3),
          row.string(4)};
}

PartRow Catalogue::to_part(const Statement& row) {
  return {row.string(0),  static_cast<std::uint32_t>(row.integer(1)),
          row.string(2),  static_cast<std::uint64_t>(row.integer(3)),
          row.integer(4), row.string(5),
          row.string(6)};
}

Result<void> Catalogue::put_upload(const UploadRow& upload) {
  return execute(Query::put_upload, blob(upload.id), upload.bucket, blob(upload.key),
                 upload.started, blob(upload.meta));
}

Result<std::optional<UploadRow>> Catalogue::find_upload(std::string_view id) {
  return one<UploadRow>(Query::find_upload, to_upload, blob(id));
}

Result<void> Catalogue::erase_upload(std::string_view id) {
  auto done = execute(Query::erase_parts, blob(id));
  if (!done) return done;
  return execute(Query::erase_upload, blob(id));
}

Result<void> Catalogue::put_part(const PartRow& part) {
  return execute(Query::put_part, blob(part.upload), part.number, blob(part.etag), part.size,
                 part.modified, blob(part.checksums), blob(part.extents));
}

Result<std::optional<PartRow>> Catalogue::find_part(std::string_view upload, std::uint32_t number) {
  return one<PartRow>(Query::find_part, to_part, blob(upload), number);
}

Result<std::vector<PartRow>> Catalogue::parts(std::string_view upload, std::uint32_t after,
                                              std::uint32_t limit) {
  return all<PartRow>(Query::parts, to_part, blob(upload), after, limit);
}

// --- Change feed

Result<void> Catalogue::insert_change(const NewChange& change) {
  return execute(Query::insert_change, change.bucket, change.sequence, change.kind,
                 blob(change.key), blob(change.version), blob(change.etag), change.size,
                 change.time);
}

Result<ChangeRows> Catalogue::changes(const ChangeQuery& query) {
  auto statement = database_.prepare(
      "SELECT bucket,sequence,kind,key,version,etag,size,time FROM change "
      "WHERE bucket=? AND sequence>? ORDER BY bucket,sequence");
  if (!statement) return std::unexpected(statement.error());
  statement->start(query.bucket, query.after);
  ChangeRows rows;
  for (;;) {
    auto row = statement->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return rows;
    if (!statement->text(3).starts_with(query.prefix)) continue;
    if (rows.changes.size() == query.limit) {
      rows.more = true;
      return rows;
    }
    rows.changes.push_back(
        {static_cast<std::uint64_t>(statement->integer(0)),
         static_cast<std::uint64_t>(statement->integer(1)), static_cast<int>(statement->integer(2)),
         statement->string(3), statement->string(4), statement->string(5),
         static_cast<std::uint64_t>(statement->integer(6)), statement->integer(7)});
  }
}

Result<void> Catalogue::trim_changes(std::uint64_t sequence) {
  auto statement = database_.kept("DELETE FROM change WHERE bucket=?1 AND sequence<=?2");
  if (!statement) return std::unexpected(statement.error());
  auto known = buckets();
  if (!known) return std::unexpected(known.error());
  for (const auto& bucket : *known) {
    if (auto done = (*statement)->execute(bucket.id, sequence); !done) return done;
  }
  return {};
}

}  // namespace holdfast::index

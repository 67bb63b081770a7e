// Private to catalogue*.cc: the statements by name, and how they are run.
#pragma once

#include <utility>

#include "index/catalogue.h"

namespace holdfast::index {

// The order is that of the table in catalogue.cc.
enum class Catalogue::Query : std::size_t {
  state,
  set_state,
  find_bucket,
  buckets,
  put_bucket,
  set_versioning,
  set_object_lock,
  any_current,
  any_old,
  erase_bucket,
  erase_documents,
  erase_bucket_changes,
  document,
  set_document,
  erase_document,
  find_current,
  find_old,
  find_old_null,
  find_newest_old,
  insert_current,
  insert_old,
  current_to_old,
  old_to_current,
  erase_current,
  erase_old,
  set_current_meta,
  set_old_meta,
  version_extents,
  part_extents,
  list_current,
  list_old,
  list_uploads,
  put_upload,
  find_upload,
  erase_upload,
  erase_parts,
  put_part,
  find_part,
  parts,
  add_blob,
  erase_blob,
  find_blob,
  damage_blob,
  blobs,
  damaged_blobs,
  add_live,
  segments,
  set_quota,
  usage,
  add_usage,
  erase_usage,
  insert_change,
  set_current_extents,
  set_old_extents,
  add_lodger,
  lodgers,
  erase_lodger,
  erase_lodgers,
};

inline Result<Statement*> Catalogue::use(Query query) {
  auto& slot = statements_[static_cast<std::size_t>(query)];
  if (!slot) {
    auto prepared = database_.prepare(sql(query));
    if (!prepared) return std::unexpected(prepared.error());
    slot = std::move(*prepared);
  }
  return &*slot;
}

template <class... Args>
Result<void> Catalogue::execute(Query query, const Args&... args) {
  auto statement = use(query);
  if (!statement) return std::unexpected(statement.error());
  return (*statement)->execute(args...);
}

template <class Row, class Decode, class... Args>
Result<std::optional<Row>> Catalogue::one(Query query, Decode decode, const Args&... args) {
  auto statement = use(query);
  if (!statement) return std::unexpected(statement.error());
  (*statement)->start(args...);
  auto found = (*statement)->step();
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::optional<Row>();
  std::optional<Row> row = decode(**statement);
  (*statement)->reset();  // an open row would hold the reader's snapshot
  return row;
}

template <class Row, class Decode, class... Args>
Result<std::vector<Row>> Catalogue::all(Query query, Decode decode, const Args&... args) {
  auto statement = use(query);
  if (!statement) return std::unexpected(statement.error());
  std::vector<Row> rows;
  (*statement)->start(args...);
  for (;;) {
    auto found = (*statement)->step();
    if (!found) return std::unexpected(found.error());
    if (!*found) return rows;
    rows.push_back(decode(**statement));
  }
}

}  // namespace holdfast::index

// Three shapes of query that the registry's tables share. For index/registry*.cc only.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "index/database.h"

namespace holdfast::index {

template <class... Args>
Result<void> execute(Database& database, std::string_view sql, const Args&... args) {
  auto statement = database.kept(sql);
  if (!statement) return std::unexpected(statement.error());
  return (*statement)->execute(args...);
}

template <class... Args>
Result<std::int64_t> remove_rows(Database& database, std::string_view sql, const Args&... args) {
  auto done = execute(database, sql, args...);
  if (!done) return std::unexpected(done.error());
  return database.changed_rows();
}

template <class Row, class Read, class... Args>
Result<std::vector<Row>> all(Database& database, std::string_view sql, Read read,
                             const Args&... args) {
  auto statement = database.kept(sql);
  if (!statement) return std::unexpected(statement.error());
  std::vector<Row> rows;
  (*statement)->start(args...);
  for (;;) {
    auto more = (*statement)->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return rows;
    rows.push_back(read(**statement));
  }
}

template <class Row, class Read, class... Args>
Result<std::optional<Row>> first(Database& database, std::string_view sql, Read read,
                                 const Args&... args) {
  auto rows = all<Row>(database, sql, read, args...);
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::optional<Row>();
  return std::optional<Row>(std::move(rows->front()));
}

}  // namespace holdfast::index

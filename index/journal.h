// Journal: what one home remembers between runs, in SQLite. The base (what tree and store last
// agreed on, a row a path), remote changes noted but not yet applied, parked items, and facts by
// name. One thread at a time, except that a second Journal on the same file may read meanwhile
// (WAL). A batch is applied whole or not at all, and survives power loss once apply() answered.
//
// Paths are bytes joined by '/'. Rows come in tree order: a directory, then all that is below it,
// then its next sibling, siblings in byte order of their names.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace holdfast::index {

// Kinds are those of syncd::Kind (1 file, 2 directory, 3 symlink).
struct BaseRow {
  std::string path;
  std::uint8_t kind = 0;
  bool implicit = false;  // a directory that exists here but has no object of its own
  // The object. etag is empty for implicit directories.
  std::string version, etag;
  std::uint64_t sequence = 0;
  std::int64_t modified_ns = 0;  // commit time as the store said; 0: unknown
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint32_t mode = 0;  // full st_mode
  std::string hash;        // XXH3-128, 32 hex digits; empty: unknown
  std::string link;        // hard-link group
  std::string xattrs;      // digest of the extended attributes; empty: none
  // The tree's file when both were found equal; inode 0: never looked at.
  bool stub = false;
  std::uint64_t inode = 0;
  std::uint64_t local_size = 0;
  std::int64_t local_mtime_ns = 0, local_ctime_ns = 0;
  std::int64_t looked_ns = 0;  // when the stamps were read, on the tree's clock
};

struct JournalBatch {
  std::map<std::string, std::optional<BaseRow>> base;        // nullopt: erased
  std::map<std::string, bool> remote;                        // path: noted (true) or done (false)
  std::map<std::string, std::optional<std::string>> parked;  // path: reason, or no longer parked
  std::map<std::string, std::string> facts;
  bool empty() const { return base.empty() && remote.empty() && parked.empty() && facts.empty(); }
};

class Journal {
 public:
  // Creates the file where it is missing. Errors: not_supported (a newer program's), corrupted, io.
  static Result<std::unique_ptr<Journal>> open(const std::string& path);
  virtual ~Journal() = default;

  virtual Result<void> apply(const JournalBatch& batch) = 0;

  virtual Result<std::optional<BaseRow>> find(std::string_view path) = 0;
  // At most `limit` rows strictly below `directory` ("" is everything), after `after` in tree
  // order.
  virtual Result<std::vector<BaseRow>> below(std::string_view directory,
                                             const std::optional<std::string>& after,
                                             std::size_t limit) = 0;
  virtual Result<std::vector<BaseRow>> with_inode(std::uint64_t inode) = 0;
  virtual Result<std::vector<BaseRow>> with_link(std::string_view link) = 0;
  // Stubs, newest content first, beginning behind `skip` of them.
  virtual Result<std::vector<std::string>> stubs(std::size_t limit, std::size_t skip) = 0;
  virtual Result<std::uint64_t> count_rows() = 0;
  virtual Result<std::uint64_t> count_stubs() = 0;

  virtual Result<std::vector<std::string>> noted_remote() = 0;
  virtual Result<std::map<std::string, std::string>> parked() = 0;
  virtual Result<std::optional<std::string>> fact(std::string_view name) = 0;
  // Removes every row, note and fact: the next start merges as the first one does.
  virtual Result<void> clear() = 0;
};

// '/' becomes NUL, which no name holds: byte order is then tree order.
std::string tree_order_key(std::string_view path);

}  // namespace holdfast::index

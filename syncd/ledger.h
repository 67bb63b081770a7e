// Ledger: the journal as the engine sees it. Reads answer at once; writes collect in memory and go
// to disk in groups, each behind one syncfs(2) of the tree: so the base on disk never claims what
// the tree does not durably hold, and thousands of small files cost one barrier. Losing the last
// group to a crash makes the engine compare again, nothing else.
// All calls on the engine's strand; the file work of flush() runs where `offload` puts it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "index/journal.h"

namespace holdfast::syncd {

using index::BaseRow;

class Ledger {
 public:
  using Work = std::function<Result<void>()>;
  using Offload = std::function<boost::asio::awaitable<Result<void>>(Work)>;

  // `make_durable` is the barrier; both outlive the ledger.
  static Result<std::unique_ptr<Ledger>> open(const std::string& file, Work make_durable,
                                              Offload offload);

  Result<std::optional<BaseRow>> find(const std::string& path) const;
  void put(BaseRow row);
  void erase(const std::string& path);

  // Paths strictly below a directory, in tree order, unsaved ones included.
  Result<std::vector<std::string>> below(const std::string& directory) const;
  Result<std::vector<BaseRow>> with_inode(std::uint64_t inode) const;
  Result<std::vector<BaseRow>> with_link(const std::string& link) const;
  // On disk only: call flush() before. For merging a scan, and for the background filling of stubs.
  Result<std::vector<BaseRow>> page(const std::string& directory,
                                    const std::optional<std::string>& after,
                                    std::size_t limit) const;
  Result<std::vector<std::string>> stubs(std::size_t limit, std::size_t skip) const;
  Result<std::uint64_t> count_rows() const { return reader_->count_rows(); }
  Result<std::uint64_t> count_stubs() const { return reader_->count_stubs(); }

  void note_remote(const std::string& path, bool pending);
  Result<std::vector<std::string>> noted_remote() const { return reader_->noted_remote(); }
  void park(const std::string& path, std::string reason);
  void unpark(const std::string& path);
  const std::map<std::string, std::string>& parked() const { return parked_; }
  void set_fact(const std::string& name, std::string value);
  Result<std::optional<std::string>> fact(const std::string& name) const;

  std::size_t unsaved() const { return pending_.base.size() + pending_.remote.size(); }
  bool has_unsaved() const { return !pending_.empty(); }
  // Concurrent calls wait for each other. On failure everything stays unsaved.
  boost::asio::awaitable<Result<void>> flush();
  Result<void> clear();

 private:
  Ledger(Work make_durable, Offload offload)
      : make_durable_(std::move(make_durable)), offload_(std::move(offload)) {}
  void overlay(std::vector<BaseRow>& rows,
               const std::function<bool(const BaseRow&)>& matches) const;

  Work make_durable_;
  Offload offload_;
  std::unique_ptr<index::Journal> reader_, writer_;
  index::JournalBatch pending_, flushing_;
  bool is_flushing_ = false;
  std::map<std::string, std::string> parked_;
};

}  // namespace holdfast::syncd

#include "syncd/ledger.h"

#include <algorithm>

#include "base/event.h"
#include "syncd/home_paths.h"

namespace holdfast::syncd {

namespace asio = boost::asio;

Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& file, Work make_durable,
                                             Offload offload) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(make_durable), std::move(offload)));
  for (auto* journal : {&ledger->writer_, &ledger->reader_}) {
    auto opened = index::Journal::open(file);
    if (!opened) return std::unexpected(opened.error());
    *journal = std::move(*opened);
  }
  auto parked = ledger->reader_->parked();
  if (!parked) return std::unexpected(parked.error());
  ledger->parked_ = std::move(*parked);
  return ledger;
}

Result<std::optional<BaseRow>> Ledger::find(const std::string& path) const {
  for (const auto* batch : {&pending_, &flushing_}) {
    if (const auto at = batch->base.find(path); at != batch->base.end()) return at->second;
  }
  return reader_->find(path);
}

void Ledger::put(BaseRow row) {
  std::string path = row.path;
  pending_.base.insert_or_assign(std::move(path), std::move(row));
}

void Ledger::erase(const std::string& path) { pending_.base.insert_or_assign(path, std::nullopt); }

// Replaces what the disk says by what is unsaved: rows that changed or vanished go, new ones come.
void Ledger::overlay(std::vector<BaseRow>& rows,
                     const std::function<bool(const BaseRow&)>& matches) const {
  std::erase_if(rows, [this](const BaseRow& row) {
    return pending_.base.contains(row.path) || flushing_.base.contains(row.path);
  });
  for (const auto& [path, row] : pending_.base) {
    if (row && matches(*row)) rows.push_back(*row);
  }
  for (const auto& [path, row] : flushing_.base) {
    if (row && !pending_.base.contains(path) && matches(*row)) rows.push_back(*row);
  }
}

Result<std::vector<std::string>> Ledger::below(const std::string& directory) const {
  auto rows = reader_->below(directory, std::nullopt, SIZE_MAX >> 1);
  if (!rows) return std::unexpected(rows.error());
  overlay(*rows, [&](const BaseRow& row) { return is_below(row.path, directory); });
  std::vector<std::string> paths;
  for (auto& row : *rows) paths.push_back(std::move(row.path));
  std::ranges::sort(paths, {}, index::tree_order_key);
  return paths;
}

Result<std::vector<BaseRow>> Ledger::with_inode(std::uint64_t inode) const {
  auto rows = reader_->with_inode(inode);
  if (rows) overlay(*rows, [inode](const BaseRow& row) { return row.inode == inode; });
  return rows;
}

Result<std::vector<BaseRow>> Ledger::with_link(const std::string& link) const {
  auto rows = reader_->with_link(link);
  if (rows) overlay(*rows, [&link](const BaseRow& row) { return row.link == link; });
  return rows;
}

Result<std::vector<BaseRow>> Ledger::page(const std::string& directory,
                                          const std::optional<std::string>& after,
                                          std::size_t limit) const {
  return reader_->below(directory, after, limit);
}

Result<std::vector<std::string>> Ledger::stubs(std::size_t limit, std::size_t skip) const {
  return reader_->stubs(limit, skip);
}

void Ledger::note_remote(const std::string& path, bool pending) { pending_.remote[path] = pending; }

void Ledger::park(const std::string& path, std::string reason) {
  if (const auto at = parked_.find(path); at != parked_.end() && at->second == reason) return;
  pending_.parked[path] = reason;
  parked_[path] = std::move(reason);
}

void Ledger::unpark(const std::string& path) {
  if (parked_.erase(path) > 0) pending_.parked[path] = std::nullopt;
}

void Ledger::set_fact(const std::string& name, std::string value) {
  pending_.facts[name] = std::move(value);
}

Result<std::optional<std::string>> Ledger::fact(const std::string& name) const {
  for (const auto* batch : {&pending_, &flushing_}) {
    if (const auto at = batch->facts.find(name); at != batch->facts.end()) return at->second;
  }
  return reader_->fact(name);
}

asio::awaitable<Result<void>> Ledger::flush() {
  while (is_flushing_) co_await sleep_for(std::chrono::milliseconds(2));
  if (pending_.empty()) co_return Result<void>();
  is_flushing_ = true;
  flushing_ = std::move(pending_);
  pending_ = {};
  // Named, since the work runs on another thread while the strand goes on reading flushing_.
  Work save = [this]() -> Result<void> {
    if (!flushing_.base.empty()) {
      if (auto durable = make_durable_(); !durable) return durable;
    }
    return writer_->apply(flushing_);
  };
  auto done = co_await offload_(std::move(save));
  if (!done) {
    // What was noted meanwhile is newer.
    pending_.base.merge(flushing_.base);
    pending_.remote.merge(flushing_.remote);
    pending_.parked.merge(flushing_.parked);
    pending_.facts.merge(flushing_.facts);
  }
  flushing_ = {};
  is_flushing_ = false;
  co_return done;
}

Result<void> Ledger::clear() {
  pending_ = {};
  parked_.clear();
  return writer_->clear();
}

}  // namespace holdfast::syncd

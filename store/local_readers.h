// CatalogueReaders: read connections to the index, one a thread that reads at the moment.
// Thread-safe. Reads are short and see a committed state; they never wait for the writer.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "index/catalogue.h"

namespace holdfast::store {

class CatalogueReaders {
  struct Idle {
    std::mutex mutex;
    std::vector<index::Catalogue> connections;
  };

 public:
  explicit CatalogueReaders(std::string path)
      : path_(std::move(path)), idle_(std::make_unique<Idle>()) {}

  // One state of the index for as long as it lives. Never hold one across a co_await.
  class Snapshot {
   public:
    Snapshot(Idle& idle, index::Catalogue catalogue)
        : idle_(&idle), catalogue_(std::make_unique<index::Catalogue>(std::move(catalogue))) {}
    Snapshot(Snapshot&&) noexcept = default;
    Snapshot& operator=(Snapshot&&) = delete;
    ~Snapshot() {
      if (!catalogue_) return;
      catalogue_->rollback();
      const std::lock_guard lock(idle_->mutex);
      idle_->connections.push_back(std::move(*catalogue_));
    }
    index::Catalogue& operator*() const { return *catalogue_; }
    index::Catalogue* operator->() const { return catalogue_.get(); }

   private:
    Idle* idle_;
    std::unique_ptr<index::Catalogue> catalogue_;
  };

  Result<Snapshot> snapshot() {
    auto catalogue = take();
    if (!catalogue) return std::unexpected(catalogue.error());
    auto begun = catalogue->begin();
    if (!begun) return std::unexpected(begun.error());
    return Snapshot(*idle_, std::move(*catalogue));
  }

 private:
  Result<index::Catalogue> take() {
    {
      const std::lock_guard lock(idle_->mutex);
      if (!idle_->connections.empty()) {
        index::Catalogue catalogue = std::move(idle_->connections.back());
        idle_->connections.pop_back();
        return catalogue;
      }
    }
    return index::Catalogue::open(path_, index::Catalogue::Role::reader);
  }

  std::string path_;
  std::unique_ptr<Idle> idle_;
};

}  // namespace holdfast::store

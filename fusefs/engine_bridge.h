// EngineBridge: joins a home filesystem and its engine: what people change goes to the engine, what
// the engine changes in the tree is dropped from the kernel's cache. Made before either; any
// thread.
#pragma once

#include <memory>
#include <mutex>

#include "fusefs/home_events.h"
#include "fusefs/home_fs.h"
#include "syncd/home_engine.h"

namespace holdfast::fusefs {

class EngineBridge final : public HomeEvents, public syncd::TreeObserver {
 public:
  // The engine outlives the mount; the filesystem may come later and go earlier.
  void set_engine(syncd::HomeEngine* engine) { engine_ = engine; }
  void set_files(std::shared_ptr<HomeFs> files);

  void changed(const std::string& path) override { engine_->changed(path); }
  void renamed(const std::string& from, const std::string& to) override {
    engine_->renamed(from, to);
  }
  void opened_for_write(const std::string& path) override { engine_->opened_for_write(path); }
  void closed_for_write(const std::string& path) override { engine_->closed_for_write(path); }
  std::unique_lock<std::mutex> hold_content(std::uint64_t inode) override {
    return engine_->hold_content(inode);
  }
  void ensure_local(const std::string& path, Done done) override;
  void wait_uploaded(const std::string& path, Done done) override;

  void entry_changed(const syncd::HomePath& path) override;
  void content_changed(const syncd::HomePath& path) override;

 private:
  std::shared_ptr<HomeFs> files();
  syncd::HomeEngine* engine_ = nullptr;
  std::mutex mutex_;
  std::shared_ptr<HomeFs> files_;
};

}  // namespace holdfast::fusefs

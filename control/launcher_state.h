// The launcher's insides: the table of tools, and the loop that works on them. On the launcher's
// executor, but for the published table. For control/launcher*.cc only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/event.h"
#include "base/task_group.h"
#include "control/launcher.h"
#include "net/http_client.h"

namespace holdfast::control {

struct ToolLauncher::State : std::enable_shared_from_this<ToolLauncher::State> {
  struct Instance {
    ToolRecord record;
    ToolTemplate tool_template;
    Observation observed;
    std::uint64_t version = 0;  // + 1 whenever we know better than a list that is under way
    bool working = false;
    std::optional<MonotonicTime> not_before;  // after an error: wait until then
  };
  // What other threads see; replaced whole.
  struct Table {
    std::map<ToolId, Instance> tools;
    std::vector<ToolTemplate> templates;
  };

  State(boost::asio::any_io_executor where, Parts given, LauncherOptions opts);

  boost::asio::awaitable<Result<void>> run();
  boost::asio::awaitable<void> stop(Ending ending);
  boost::asio::awaitable<Result<ToolStatus>> change(
      Actor actor, ToolId id, Result<ToolRecord> (Registry::*how)(const Actor&, const ToolId&));
  boost::asio::awaitable<Result<std::string>> logs(ToolId id, std::size_t lines);
  void wake();
  const boost::asio::any_io_executor& executor() const { return executor_; }
  std::shared_ptr<const Table> table() const;
  ToolStatus status_of(const Instance& instance) const;

 private:
  boost::asio::awaitable<void> loop();
  boost::asio::awaitable<void> watch();
  void retry_soon();
  boost::asio::awaitable<void> retry();
  boost::asio::awaitable<void> scan();
  boost::asio::awaitable<Result<void>> read_registry();
  boost::asio::awaitable<void> remove_orphan(std::string name, PrincipalName user);
  boost::asio::awaitable<void> work(ToolId id);
  boost::asio::awaitable<Result<void>> take_step(ToolId id, Step step);
  boost::asio::awaitable<Result<void>> bring_up(ToolId id);
  boost::asio::awaitable<Result<void>> make(ContainerSpec spec);
  boost::asio::awaitable<std::map<std::string, PrincipalName>> wait_for_making();
  boost::asio::awaitable<Result<void>> give_up_after_attempts(ToolId id, Error error);
  boost::asio::awaitable<Result<void>> probe(ToolId id);
  boost::asio::awaitable<Result<void>> record_failure(ToolId id);
  boost::asio::awaitable<Result<void>> release(ToolId id);
  boost::asio::awaitable<void> observe(ToolId id);
  void see(Instance& instance, const Result<std::vector<ContainerState>>& containers);
  void start_work();
  void publish();
  Instance* find(const ToolId& id);
  bool others_need_mounts(const ToolId& id) const;

  boost::asio::any_io_executor executor_;
  Parts parts_;
  LauncherOptions options_;
  net::HttpClient http_;
  TaskGroup tasks_;
  Event changed_, made_;
  bool dirty_ = false, stopping_ = false, prepared_ = false, retrying_ = false;
  std::map<ToolId, Instance> tools_;
  std::vector<ToolTemplate> templates_;
  std::map<std::string, bool> orphans_;          // being removed
  std::map<std::string, PrincipalName> making_;  // what the engine was asked for, and for whom
  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;
};

}  // namespace holdfast::control

// holdfast check: looks after a store that no server has open.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/array.hpp>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/data_directory.h"
#include "store/local_store.h"

namespace holdfast::cli {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct CheckOptions {
  bool rebuild_index = false, scrub = false;
};

Result<store::ScrubReport> scrub(store::LocalStore& store) {
  asio::io_context context;
  auto future = asio::co_spawn(context, store.scrub(), asio::use_future);
  context.run();
  return future.get();
}

json::array damage_json(const store::ScrubReport& report) {
  json::array rows;
  for (const auto& damage : report.damage) {
    rows.push_back(
        json::object{{"where", damage.where},
                     {"objects", json::array(damage.objects.begin(), damage.objects.end())}});
  }
  return rows;
}

int check(const Invocation& invocation, const CheckOptions& options) {
  Config config;
  config.data = invocation.data;
  if (auto fine = finish_config(config); !fine) return report(fine.error());
  auto data = DataDirectory::open(config.data);
  if (!data) return report(data.error());
  SystemClock clock;
  SystemRandom random;
  const store::LocalStoreOptions where{.directory = data->store()};
  if (options.rebuild_index) {
    auto rebuilt = store::LocalStore::rebuild_index(where, clock, random);
    if (!rebuilt) return report(rebuilt.error());
    fmt::print("index rebuilt from the log, up to sequence {}\n", rebuilt->last_sequence);
  }
  auto store = store::LocalStore::open(where, clock, random);
  if (!store) return report(store.error());
  const auto& recovery = (*store)->recovery();
  fmt::print(
      "store opens: sequence {}, {} records replayed, {} torn bytes cut, {} orphans removed\n",
      recovery.last_sequence, recovery.replayed, recovery.torn_bytes, recovery.orphaned_blobs);
  if (!options.scrub) return 0;
  auto report_of = scrub(**store);
  if (!report_of) return report(report_of.error());
  fmt::print("read and verified: {} of log, {} blobs of {}\n", human_bytes(report_of->log_bytes),
             report_of->blobs, human_bytes(report_of->blob_bytes));
  if (report_of->damage.empty()) {
    fmt::print("no damage\n");
    return 0;
  }
  print_rows(damage_json(*report_of), {{"DAMAGED", "where"}, {"OBJECTS", "objects"}},
             invocation.format());
  return 1;
}

}  // namespace

void add_check_command(CLI::App& app, Invocation& invocation) {
  auto o = std::make_shared<CheckOptions>();
  auto* command = app.add_subcommand("check", "Check a store that no server has open");
  command->add_flag("--rebuild-index", o->rebuild_index, "Make the index anew from the log");
  command->add_flag("--scrub", o->scrub, "Read everything and compare it with its checksums");
  command->callback(
      [&invocation, o] { invocation.run = [&invocation, o] { return check(invocation, *o); }; });
}

}  // namespace holdfast::cli

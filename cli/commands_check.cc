// holdfast check: looks after a store that no server has open, or asks the server that has it.
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/array.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/data_directory.h"
#include "cli/progress_line.h"
#include "store/local_store.h"
#include "store/root_keys.h"

namespace holdfast::cli {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct CheckOptions {
  bool rebuild_index = false, scrub = false;
  std::optional<std::uint64_t> bytes_per_second;
};

// How far a scrub is. What there is to read is only looked for where somebody sees it.
class ScrubProgress {
 public:
  explicit ScrubProgress(const std::string& store) : line_(STDERR_FILENO, clock_) {
    if (!line_.shown()) return;
    for (const char* part : {"/log", "/blobs"}) add_files(store + part);
  }
  void show(std::uint64_t log_bytes, std::uint64_t blob_bytes) {
    line_.show_bytes(log_bytes + blob_bytes, total_);
  }

 private:
  void add_files(const std::string& folder) {
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
      std::error_code gone;  // a server may remove it at any moment
      const auto bytes = at->is_regular_file(gone) ? at->file_size(gone) : 0;
      if (!gone) total_ += bytes;
    }
  }

  SystemClock clock_;
  ProgressLine line_;
  std::uint64_t total_ = 0;
};

// And finishes the store: its threads may still be handing an answer to the context here.
Result<store::ScrubReport> scrub(store::LocalStore& store, const std::string& directory,
                                 std::uint64_t bytes_per_second) {
  asio::io_context context;
  ScrubProgress progress(directory);
  store::ScrubRules rules;
  rules.bytes_per_second = bytes_per_second;
  rules.passed = [&progress](const store::ScrubReport& report) {
    progress.show(report.log_bytes, report.blob_bytes);
  };
  auto future = asio::co_spawn(context, store.scrub(std::move(rules)), asio::use_future);
  context.run();
  store.finish();
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

int print_result(const Invocation& invocation, const json::array& damage) {
  if (damage.empty()) {
    fmt::print("no damage\n");
    return 0;
  }
  print_rows(damage, {{"DAMAGED", "where"}, {"OBJECTS", "objects"}}, invocation.format());
  return 1;
}

bool server_answers(const std::string& data) {
  std::error_code error;
  if (!std::filesystem::exists(DataDirectory::admin_socket(data), error)) return false;
  auto answer = AdminClient(data).get("session");
  return answer || answer.error().code != ErrorCode::unavailable;
}

// The pass that was asked for, once it has ended.
Result<json::object> await_pass(const AdminClient& client, std::uint64_t pass,
                                ScrubProgress& progress) {
  const auto number = [](const json::value& value, std::string_view name = "pass") {
    const json::value* is = value.is_object() ? value.get_object().if_contains(name) : nullptr;
    return is == nullptr ? 0 : is->to_number<std::uint64_t>();
  };
  for (;;) {
    auto report = client.get("scrub");
    if (!report) return report;
    if (number(report->at("last")) >= pass) {
      if (!report->at("last").at("ended").is_null()) return report->at("last").as_object();
      return fail(ErrorCode::internal, "the scrub ended early: {}", text_of(*report, "error"));
    }
    if (const json::value& present = report->at("present"); number(present) == pass) {
      progress.show(number(present, "log_bytes"), number(present, "blob_bytes"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

int scrub_by_server(const Invocation& invocation, const CheckOptions& options) {
  const AdminClient client = invocation.client();
  json::object body;
  if (options.bytes_per_second) body["bytes_per_second"] = *options.bytes_per_second;
  auto started = client.post("scrub", std::move(body));
  if (!started) return report(started.error());
  const auto pass = started->at("pass").to_number<std::uint64_t>();
  auto ended = [&] {
    ScrubProgress progress(DataDirectory::store_of(invocation.data));
    return await_pass(client, pass, progress);
  }();
  if (!ended) return report(ended.error());
  fmt::print("read and verified by the server: {} of log, {} blobs of {}\n",
             human_bytes(ended->at("log_bytes").to_number<std::uint64_t>()),
             text_of(*ended, "blobs"),
             human_bytes(ended->at("blob_bytes").to_number<std::uint64_t>()));
  return print_result(invocation, ended->at("damage").as_array());
}

int check(const Invocation& invocation, const CheckOptions& options) {
  Config config;
  config.data = invocation.data;
  if (auto fine = finish_config(config); !fine) return report(fine.error());
  if (options.scrub && !options.rebuild_index && server_answers(config.data)) {
    return scrub_by_server(invocation, options);
  }
  std::error_code error;
  if (!std::filesystem::is_directory(config.data, error)) {
    return report(Error{ErrorCode::not_found, "check " + config.data +
                                                  ": there is no such directory; name the server's "
                                                  "with --data"});
  }
  auto data = DataDirectory::open(config.data);
  if (!data) return report(data.error());
  SystemClock clock;
  SystemRandom random;
  // Nothing here opens a body: checksums are of the bytes as stored.
  const store::LocalStoreOptions where{.directory = data->store(),
                                       .root_keys = store::RootKeys::unneeded()};
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
  auto report_of = scrub(**store, where.directory, options.bytes_per_second.value_or(0));
  if (!report_of) return report(report_of.error());
  fmt::print("read and verified: {} of log, {} blobs of {}\n", human_bytes(report_of->log_bytes),
             report_of->blobs, human_bytes(report_of->blob_bytes));
  return print_result(invocation, damage_json(*report_of));
}

}  // namespace

void add_check_command(CLI::App& app, Invocation& invocation) {
  auto o = std::make_shared<CheckOptions>();
  auto* command =
      app.add_subcommand("check", "Check a store: one that no server has open, or by its server");
  command->add_flag("--rebuild-index", o->rebuild_index, "Make the index anew from the log");
  command->add_flag("--scrub", o->scrub, "Read everything and compare it with its checksums");
  command->add_option(
      "--bytes-per-second", o->bytes_per_second,
      "How fast the scrub reads; 0: no limit. Else the server's setting, or no limit");
  command->callback(
      [&invocation, o] { invocation.run = [&invocation, o] { return check(invocation, *o); }; });
}

}  // namespace holdfast::cli

// holdfast sync: the sidecar, for places where nothing can be mounted. Access comes from the
// standard AWS_* variables.
#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/fd.h"
#include "base/log.h"
#include "cli/commands.h"
#include "store/s3_store.h"
#include "syncd/sidecar.h"

namespace holdfast::cli {
namespace {

namespace asio = boost::asio;

struct Options {
  std::string bucket, prefix, directory, state, log_level = "info";
  std::vector<std::string> exclude;
  std::string ca_file;
  bool once = false;
  int drain_seconds = 30;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Result<s3::Credentials> credentials_of_environment() {
  s3::Credentials found;
  found.access_key = variable("AWS_ACCESS_KEY_ID");
  found.secret_key = variable("AWS_SECRET_ACCESS_KEY");
  found.session_token = variable("AWS_SESSION_TOKEN");
  if (found.access_key.empty() || found.secret_key.empty()) {
    return fail(ErrorCode::unauthenticated,
                "sync needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }
  return found;
}

store::S3StoreOptions endpoint_of_environment(const std::string& ca_file) {
  store::S3StoreOptions options;
  options.ca_file = ca_file.empty() ? variable("AWS_CA_BUNDLE") : ca_file;
  options.endpoint = variable("AWS_ENDPOINT_URL_S3");
  if (options.endpoint.empty()) options.endpoint = variable("AWS_ENDPOINT_URL");
  if (const auto region = variable("AWS_REGION"); !region.empty()) options.region = region;
  if (const auto region = variable("AWS_DEFAULT_REGION"); !region.empty()) options.region = region;
  if (options.endpoint.empty()) {
    options.endpoint = "https://s3." + options.region + ".amazonaws.com";
  }
  return options;
}

// The state lies beside the directory, on the same filesystem, unless said otherwise.
Result<syncd::HomeConfig> config_of(const Options& options) {
  syncd::HomeConfig config;
  std::error_code failed;
  const auto directory = std::filesystem::canonical(options.directory, failed);
  if (failed) {
    return fail(ErrorCode::not_found, "{}: {}", options.directory, failed.message());
  }
  config.tree = directory;
  config.state =
      options.state.empty()
          ? (directory.parent_path() / ("." + directory.filename().string() + ".holdfast")).string()
          : options.state;
  config.bucket = BucketName(options.bucket);
  config.prefix = options.prefix;
  if (!config.prefix.empty() && !config.prefix.ends_with('/')) config.prefix += '/';
  char host[256] = "localhost";
  ::gethostname(host, sizeof host - 1);
  config.host = host;
  config.uid = ::geteuid();
  config.gid = ::getegid();
  config.exclude = options.exclude;
  return config;
}

asio::awaitable<Result<void>> keep_equal(syncd::Sidecar& sidecar, Options options) {
  if (options.once) co_return co_await sidecar.run_once(std::chrono::hours(24));
  auto started = co_await sidecar.start();
  if (!started) co_return started;
  asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM);
  boost::system::error_code ignored;
  co_await signals.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  auto drained = co_await sidecar.drain(std::chrono::seconds(options.drain_seconds));
  co_await sidecar.stop();
  co_return drained;
}

int run(Options options) {
  ::signal(SIGPIPE, SIG_IGN);
  start_logging(options.log_level, LogFormat::text);
  auto credentials = credentials_of_environment();
  if (!credentials) return report(credentials.error());
  auto config = config_of(options);
  if (!config) return report(config.error());
  asio::io_context context(1);
  SystemClock clock;
  SystemRandom random;
  store::FixedCredentials provider(*credentials);
  auto store = store::S3Store::open(context.get_executor(),
                                    endpoint_of_environment(options.ca_file), provider, clock);
  if (!store) return report(store.error());
  syncd::Sidecar sidecar(context.get_executor(), *config, **store, clock, random);
  std::optional<Result<void>> done;
  asio::co_spawn(context, keep_equal(sidecar, options),
                 [&](std::exception_ptr error, Result<void> result) {
                   done = error ? Result<void>(fail(ErrorCode::internal, "sync ended by a bug"))
                                : std::move(result);
                   context.stop();
                 });
  context.run();
  return *done ? 0 : report(done->error());
}

}  // namespace

void add_sync_command(CLI::App& app, Invocation& invocation) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("sync", "Keep a directory and a prefix equal, without a mount");
  command->add_option("directory", o->directory, "The directory")->required();
  command->add_option("--bucket", o->bucket, "Bucket")->required();
  command->add_option("--prefix", o->prefix, "Prefix of the keys, such as alice/")->required();
  command->add_option("--exclude", o->exclude, "Glob of paths that are not synchronised");
  command->add_option("--state", o->state, "Directory of the journal; beside DIRECTORY by default");
  command->add_option("--drain-seconds", o->drain_seconds, "How long a stop waits for uploads");
  command->add_option("--ca-file", o->ca_file, "PEM file of whom to trust over https");
  command->add_option("--log-level", o->log_level);
  command->add_flag("--once", o->once, "Make both sides equal once, then end");
  command->callback([&invocation, o] { invocation.run = [o] { return run(*o); }; });
}

}  // namespace holdfast::cli

// holdfast mount: one person's home and bucket view; usually started by serve.
#include <unistd.h>

#include <map>
#include <memory>

#include "base/log.h"
#include "cli/commands.h"
#include "fusefs/mount_runner.h"

namespace holdfast::cli {
namespace {

struct Options {
  fusefs::MountOptions mount;
  std::uint32_t uid = 0;
  std::string homes_bucket = "homes", fsync = "local", log_level = "info";
};

int run(Options options) {
  start_logging(options.log_level, LogFormat::text);
  options.mount.uid = options.mount.gid = options.uid;
  options.mount.homes_bucket = BucketName(options.homes_bucket);
  options.mount.fsync =
      options.fsync == "upload" ? fusefs::FsyncMeaning::uploaded : fusefs::FsyncMeaning::local_disk;
  if (options.mount.home.empty() && options.mount.buckets.empty()) {
    return report({ErrorCode::invalid_argument, "mount needs --home DIR, --buckets DIR, or both"});
  }
  if (auto taken = fusefs::take_environment(options.mount); !taken) return report(taken.error());
  auto done = fusefs::run_mount(options.mount);
  return done ? 0 : report(done.error());
}

}  // namespace

void add_mount_command(CLI::App& app, Invocation& invocation) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("mount", "Mount a home and the granted buckets");
  command->add_option("--user", o->mount.user, "Whose home")->required();
  command->add_option("--uid", o->uid, "Owner of the files (user and group)");
  command->add_option("--home", o->mount.home, "Mount point of the home");
  command->add_option("--buckets", o->mount.buckets, "Mount point of the bucket view");
  command->add_option("--cache", o->mount.cache, "Directory that keeps the home between runs")
      ->required();
  command->add_option("--homes-bucket", o->homes_bucket, "Bucket of the homes");
  command->add_option("--exclude", o->mount.exclude, "Glob of paths that are not synchronised");
  command->add_option("--fsync", o->fsync, "What fsync means")
      ->check(CLI::IsMember({"local", "upload"}));
  command->add_option("--ca-file", o->mount.ca_file, "PEM file of whom to trust over https");
  command->add_option("--log-level", o->log_level);
  command->callback([&invocation, o] { invocation.run = [o] { return run(*o); }; });
}

}  // namespace holdfast::cli

#include "cli/mount_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "cli/mount_client.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;
using control::MountPaths;
using control::MountReport;
using control::MountRequest;
using control::MountState;

constexpr std::chrono::seconds start_limit{30};

// The mount of a process that died answers "Transport endpoint is not connected" for ever.
void detach_stale(const MountPaths& paths) {
  ::umount2(paths.home.c_str(), MNT_DETACH);
  ::umount2(paths.buckets.c_str(), MNT_DETACH);
}

// Waits for the line "ready" on the child's standard output; its end means that it died.
Result<void> wait_ready(int fd) {
  const auto deadline = std::chrono::steady_clock::now() + start_limit;
  std::string seen;
  while (seen.find("ready") == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      return fail(ErrorCode::timed_out, "the mounts did not serve within {} s",
                  start_limit.count());
    }
    std::array<char, 256> buffer{};
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return fail(ErrorCode::unavailable, "the mount process ended at its start");
    seen.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return {};
}

std::string last_lines(const std::string& path) {
  auto text = read_file(path, 64u << 20);
  if (!text) return {};
  while (!text->empty() && text->back() == '\n') text->pop_back();
  const auto at = text->rfind('\n');
  return at == std::string::npos ? *text : text->substr(at + 1);
}

// Frees what posix_spawn's attribute objects hold.
struct SpawnSetup {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (auto& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

MountProcesses::MountProcesses(control::Registry& registry, BlockingPool& pool,
                               MountProcessOptions options)
    : registry_(registry),
      pool_(pool),
      options_(std::move(options)),
      watch_([this](const std::string& user, const std::string& how) {
        ended(PrincipalName(user), how);
      }) {}

std::string MountProcesses::cache_of(const std::string& user) const {
  return fmt::format("{}/{}/cache", options_.homes, user);
}

boost::asio::awaitable<Result<MountPaths>> MountProcesses::ensure(MountRequest request) {
  co_return co_await pool_.run([this, request] { return ensure_blocking(request); });
}

boost::asio::awaitable<void> MountProcesses::release(PrincipalName) { co_return; }

MountReport MountProcesses::state(const PrincipalName& user) const {
  const std::scoped_lock lock(mutex_);
  const auto found = reports_.find(user);
  return found == reports_.end() ? MountReport{} : found->second;
}

void MountProcesses::on_lost(std::function<void()> notify) {
  const std::scoped_lock lock(mutex_);
  notify_ = std::move(notify);
}

void MountProcesses::ended(const PrincipalName& user, const std::string& how) {
  std::function<void()> notify;
  {
    const std::scoped_lock lock(mutex_);
    auto& report = reports_[user];
    // One that we end, or that never served, is no loss.
    if (report.state != MountState::ready) return;
    report = {MountState::lost, fmt::format("the mount process of {} ended{}{}", user.value,
                                            how.empty() ? "" : ", ", how)};
    spdlog::error("cli: {}; see {}/mount-{}.log", report.reason, options_.log, user.value);
    notify = notify_;
  }
  if (notify) notify();
}

void MountProcesses::note(const PrincipalName& user, MountReport report) {
  const std::scoped_lock lock(mutex_);
  reports_.insert_or_assign(user, std::move(report));
}

Result<MountPaths> MountProcesses::ensure_blocking(const MountRequest& request) {
  const auto& user = request.user.value;
  MountPaths paths{fmt::format("{}/{}/home", options_.homes, user),
                   fmt::format("{}/{}/buckets", options_.homes, user)};
  const MountClient client(cache_of(user) + "/mount.sock");
  if (auto status = client.call({{"command", "status"}}, std::chrono::seconds(5))) {
    note(request.user, {MountState::ready, {}});
    // One that outlived the last server: nobody watches it yet.
    if (const auto* pid = status->if_contains("pid"); pid != nullptr && pid->is_int64()) {
      (void)watch_.add(static_cast<pid_t>(pid->get_int64()), user);
    }
    return paths;
  }
  note(request.user, {MountState::starting, {}});
  auto started = start(request, paths);
  if (!started) {
    note(request.user, {MountState::failed, started.error().context});
    return fail_within("mount the home of " + user, started.error());
  }
  note(request.user, {MountState::ready, {}});
  spdlog::info("cli: the home of {} is mounted", user);
  return paths;
}

Result<void> MountProcesses::start(const MountRequest& request, const MountPaths& paths) {
  detach_stale(paths);
  const std::string base = fmt::format("{}/{}", options_.homes, request.user.value);
  if (auto made = make_directories(base, 0711); !made) return made;
  for (const auto& folder : {paths.home, paths.buckets}) {
    if (auto made = make_directories(folder, 0755); !made) return made;
  }
  if (auto made = make_directories(base + "/cache", 0700); !made) return made;

  const control::Actor system{.kind = control::Actor::Kind::system, .source = "mounts"};
  // The keys of mounts that are gone end here; a live mount was adopted before this point.
  if (auto old = registry_.keys(request.user)) {
    for (const auto& key : *old) {
      if (key.purpose != "mount") continue;
      if (auto revoked = registry_.revoke_key(system, key.id); !revoked) {
        spdlog::warn("cli: an old mount key of {} stays: {}", request.user.value,
                     revoked.error().context);
      }
    }
  }
  control::NewKey wanted{.principal = request.user, .purpose = "mount"};
  auto key = registry_.create_key(system, wanted);
  if (!key) return std::unexpected(key.error());
  return spawn(request, paths, *key);
}

Result<void> MountProcesses::spawn(const MountRequest& request, const MountPaths& paths,
                                   const control::KeyRecord& key) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  const std::string log_path = fmt::format("{}/mount-{}.log", options_.log, request.user.value);
  auto log = open_file(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (!log) return std::unexpected(log.error());

  std::vector<std::string> words = {options_.program, "mount",
                                    "--user",         request.user.value,
                                    "--uid",          std::to_string(request.uid),
                                    "--home",         paths.home,
                                    "--buckets",      paths.buckets,
                                    "--cache",        cache_of(request.user.value),
                                    "--homes-bucket", options_.homes_bucket,
                                    "--log-level",    options_.log_level};
  std::vector<std::string> environment = {
      "AWS_ACCESS_KEY_ID=" + key.id.value, "AWS_SECRET_ACCESS_KEY=" + key.secret,
      "AWS_ENDPOINT_URL=" + options_.s3_endpoint, "AWS_DEFAULT_REGION=" + options_.region,
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  auto argv = pointers(words);
  auto envp = pointers(environment);

  SpawnSetup setup;
  ::posix_spawn_file_actions_addopen(&setup.actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&setup.actions, writer.get(), 1);
  ::posix_spawn_file_actions_adddup2(&setup.actions, log->get(), 2);
  // It outlives us: a listening socket that it kept would block the next server's port.
  ::posix_spawn_file_actions_addclosefrom_np(&setup.actions, 3);
  // Signals that we block for our own handling are its own to take.
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&setup.attributes, &none);
  ::posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, options_.program.c_str(), &setup.actions, &setup.attributes,
                                  argv.data(), envp.data());
  if (error != 0) return fail_errno(error, "start " + options_.program + " mount");
  // Collects the child when it ends, whenever that is.
  if (auto watched = watch_.add(pid, request.user.value); !watched) {
    spdlog::warn("cli: the mount of {}: {}", request.user.value, watched.error().context);
  }
  writer.reset();
  auto ready = wait_ready(reader.get());
  if (ready) return {};
  ::kill(pid, SIGTERM);
  return fail(ready.error().code, "{}; its log {} ends: {}", ready.error().context, log_path,
              last_lines(log_path));
}

void MountProcesses::stop_all(std::chrono::seconds limit) {
  std::error_code ignored;
  std::vector<std::thread> waits;
  for (const auto& entry : std::filesystem::directory_iterator(options_.homes, ignored)) {
    const std::string user = entry.path().filename().string();
    waits.emplace_back([this, user, limit] {
      const MountClient client(cache_of(user) + "/mount.sock");
      if (!client.call({{"command", "status"}}, std::chrono::seconds(5))) return;
      note(PrincipalName(user), {MountState::draining, {}});
      auto drained = client.call({{"command", "drain"}, {"seconds", limit.count()}},
                                 limit + std::chrono::seconds(5));
      if (!drained) {
        spdlog::warn("cli: the home of {}: {}; it is uploaded at the next start", user,
                     drained.error().context);
      }
      auto stopped = client.call({{"command", "stop"}}, std::chrono::seconds(20));
      // Its socket going away is the sign that the mounts are gone too.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (client.call({{"command", "status"}}, std::chrono::seconds(1)) &&
             std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      note(PrincipalName(user), {});
    });
  }
  for (auto& wait : waits) wait.join();
}

Result<void> MountProcesses::decide_parked(const PrincipalName& user, const std::string& path,
                                           bool bring_back) {
  const MountClient client(cache_of(user.value) + "/mount.sock");
  auto answer = client.call(
      {{"command", "decide"}, {"path", path}, {"decision", bring_back ? "bring_back" : "let_go"}},
      std::chrono::seconds(10));
  if (!answer) {
    return fail(ErrorCode::unavailable, "the home of {} is not mounted: start one of its tools",
                user.value);
  }
  const auto* ok = answer->if_contains("ok");
  if (ok != nullptr && ok->is_bool() && ok->get_bool()) return {};
  return fail(ErrorCode::internal, "the home of {} did not take the decision", user.value);
}

json::value MountProcesses::status() {
  json::array rows;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(options_.homes, ignored)) {
    const std::string user = entry.path().filename().string();
    json::object row;
    const MountClient client(cache_of(user) + "/mount.sock");
    if (auto answer = client.call({{"command", "status"}}, std::chrono::seconds(5))) {
      if (auto* home = answer->if_contains("home"); home != nullptr && home->is_object()) {
        row = std::move(home->get_object());
      }
      row["state"] = "mounted";
    } else {
      const auto report = state(PrincipalName(user));
      row["state"] = report.state == MountState::failed ? "failed: " + report.reason : "unmounted";
    }
    row["user"] = user;
    rows.push_back(std::move(row));
  }
  std::ranges::sort(rows, [](const json::value& a, const json::value& b) {
    return a.at("user").as_string() < b.at("user").as_string();
  });
  return rows;
}

}  // namespace holdfast::cli

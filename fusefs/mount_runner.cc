#include "fusefs/mount_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/encoding.h"
#include "base/fd.h"
#include "base/log.h"
#include "fusefs/bucket_fs.h"
#include "fusefs/control_socket.h"
#include "fusefs/engine_bridge.h"
#include "fusefs/session.h"
#include "store/credentials.h"
#include "store/s3_store.h"

namespace holdfast::fusefs {

namespace asio = boost::asio;
namespace json = boost::json;
using std::chrono::milliseconds;

namespace {

// A context with one thread, so that what runs on it needs no strand.
class Lane {
 public:
  Lane() : thread_([this] { context_.run(); }) {}
  ~Lane() {
    context_.stop();
    thread_.join();
  }
  asio::any_io_executor executor() { return context_.get_executor(); }
  // Runs a coroutine to its end; not from the lane itself.
  template <class T>
  T wait(asio::awaitable<T> work) {
    return asio::co_spawn(context_, std::move(work), asio::use_future).get();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::thread thread_;
};

// Lets things go on the lane that they belong to.
template <class... Things>
asio::awaitable<void> destroy(Things... things) {
  ((void)(things = nullptr), ...);
  co_return;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

json::object describe(const syncd::HomeStatus& status) {
  json::array parked;
  for (const auto& item : status.parked) {
    parked.push_back(json::object{{"path", log_field(item.path)}, {"reason", item.reason}});
  }
  json::object out{{"started", status.started},         {"dirty", status.dirty},
                   {"downloading", status.downloading}, {"stubs", status.stubs},
                   {"uploaded", status.uploaded},       {"downloaded", status.downloaded},
                   {"conflicts", status.conflicts},     {"last_error", status.last_error},
                   {"parked", std::move(parked)}};
  if (status.dirty > 0) out["oldest_dirty"] = to_rfc3339(status.oldest_dirty);
  return out;
}

class Mount {
 public:
  explicit Mount(MountOptions options)
      : options_(std::move(options)), credentials_(options_.credentials) {}
  ~Mount() { stop(); }

  Result<void> prepare();
  Result<void> start_home();
  Result<void> start_buckets();
  Result<void> start_control(std::function<void()> stop);
  void stop();

 private:
  std::string below(const char* name) const { return options_.cache + "/" + name; }
  Result<std::unique_ptr<store::S3Store>> open_store(asio::any_io_executor executor);
  asio::awaitable<json::object> command(json::object command, std::function<void()> stop);
  asio::awaitable<json::object> drain(json::object command);
  json::object decide(const json::object& command);
  json::object status();

  MountOptions options_;
  SystemClock clock_;
  SystemRandom random_;
  store::FixedCredentials credentials_;
  EngineBridge bridge_;
  Fd lock_;  // of the cache directory

  // Lanes are destroyed last, what runs on them before.
  Lane home_lane_, bucket_lane_, control_lane_;
  std::unique_ptr<store::S3Store> home_store_, bucket_store_;
  std::unique_ptr<syncd::HomeEngine> engine_;
  std::shared_ptr<BucketFs> bucket_files_;
  std::unique_ptr<Session> home_session_, bucket_session_;
  std::unique_ptr<ControlSocket> control_;
};

Result<void> Mount::prepare() {
  if (::geteuid() != 0) {
    return fail(ErrorCode::access_denied, "holdfast mount needs root, to mount and to keep owners");
  }
  if (auto made = make_directories(options_.cache); !made) return made;
  for (const char* name : {"state", "staging"}) {
    if (auto made = make_directories(below(name)); !made) return made;
  }
  auto lock = open_file(below("lock"), O_RDWR | O_CREAT, 0600);
  if (!lock) return std::unexpected(lock.error());
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::locked, "{} is used by another holdfast mount; stop it first",
                options_.cache);
  }
  lock_ = std::move(*lock);
  const std::string tree = below("tree");
  struct stat status{};
  if (::stat(tree.c_str(), &status) == 0) return {};
  if (auto made = make_directories(tree); !made) return made;
  if (::chown(tree.c_str(), options_.uid, options_.gid) != 0) {
    return fail_errno(errno, "give " + tree + " to its user");
  }
  return {};
}

Result<std::unique_ptr<store::S3Store>> Mount::open_store(asio::any_io_executor executor) {
  store::S3StoreOptions wanted;
  wanted.endpoint = options_.endpoint;
  wanted.ca_file = options_.ca_file;
  wanted.region = options_.region;
  return store::S3Store::open(std::move(executor), std::move(wanted), credentials_, clock_);
}

Result<void> Mount::start_home() {
  if (options_.home.empty()) return {};
  auto store = open_store(home_lane_.executor());
  if (!store) return std::unexpected(store.error());
  home_store_ = std::move(*store);
  syncd::HomeConfig config;
  config.tree = below("tree");
  config.state = below("state");
  config.bucket = options_.homes_bucket;
  config.prefix = options_.prefix.empty() ? options_.user + "/" : options_.prefix;
  config.host = host_name();
  config.uid = options_.uid;
  config.gid = options_.gid;
  config.exclude = options_.exclude;
  engine_ = std::make_unique<syncd::HomeEngine>(home_lane_.executor(), std::move(config),
                                                *home_store_, clock_, random_, &bridge_);
  bridge_.set_engine(engine_.get());
  if (auto started = home_lane_.wait(engine_->start()); !started) {
    engine_.reset();
    return started;
  }
  HomeOptions home;
  home.tree = below("tree");
  home.fsync = options_.fsync;
  auto files = HomeFs::open(std::move(home), bridge_);
  if (!files) return std::unexpected(files.error());
  SessionOptions session{.mount_point = options_.home, .name = "holdfast-home"};
  session.passthrough = options_.passthrough;
  auto mounted = Session::mount(std::move(session), *files, [] {});
  if (!mounted) return std::unexpected(mounted.error());
  home_session_ = std::move(*mounted);
  bridge_.set_files(*files);
  return {};
}

Result<void> Mount::start_buckets() {
  if (options_.buckets.empty()) return {};
  auto store = open_store(bucket_lane_.executor());
  if (!store) return std::unexpected(store.error());
  bucket_store_ = std::move(*store);
  BucketOptions wanted{.staging = below("staging"),
                       .rescued = below("rescued"),
                       .uid = options_.uid,
                       .gid = options_.gid};
  bucket_files_ = std::make_shared<BucketFs>(bucket_lane_.executor(), std::move(wanted),
                                             *bucket_store_, *bucket_store_, clock_);
  bucket_lane_.wait(bucket_files_->start());
  auto mounted = Session::mount({.mount_point = options_.buckets, .name = "holdfast-buckets"},
                                bucket_files_, [] {});
  if (!mounted) return std::unexpected(mounted.error());
  bucket_session_ = std::move(*mounted);
  return {};
}

Result<void> Mount::start_control(std::function<void()> stop) {
  auto control = ControlSocket::listen(
      control_lane_.executor(), below("mount.sock"),
      [this, stop](json::object line) { return command(std::move(line), stop); });
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  return {};
}

json::object Mount::status() {
  json::object out{{"ok", true}, {"user", options_.user}, {"pid", ::getpid()}};
  if (engine_) {
    out["home"] = describe(engine_->status());
    out["passthrough"] = home_session_ != nullptr && home_session_->passthrough();
  }
  return out;
}

asio::awaitable<json::object> Mount::command(json::object line, std::function<void()> stop) {
  const auto* name = line.if_contains("command");
  const std::string_view word =
      name != nullptr && name->is_string() ? std::string_view(name->get_string()) : "";
  if (word == "status") co_return status();
  if (word == "drain") co_return co_await drain(std::move(line));
  if (word == "decide") co_return decide(line);
  if (word == "stop") {
    stop();
    co_return json::object{{"ok", true}};
  }
  co_return json::object{{"ok", false}, {"error", "commands are status, drain, decide and stop"}};
}

json::object Mount::decide(const json::object& line) {
  const auto text = [&line](std::string_view name) {
    const auto* value = line.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
  };
  const std::string decision = text("decision");
  if (!engine_ || (decision != "bring_back" && decision != "let_go")) {
    return {{"ok", false}, {"error", "decide takes a path and bring_back or let_go, with a home"}};
  }
  engine_->decide_parked(text("path"), decision == "bring_back" ? syncd::ParkedDecision::bring_back
                                                                : syncd::ParkedDecision::let_go);
  return {{"ok", true}};
}

asio::awaitable<json::object> Mount::drain(json::object line) {
  milliseconds limit = options_.drain_limit;
  if (const auto* seconds = line.if_contains("seconds");
      seconds != nullptr && seconds->is_number()) {
    limit = milliseconds(static_cast<std::int64_t>(seconds->to_number<double>() * 1000));
  }
  if (!engine_) co_return json::object{{"ok", true}, {"dirty", 0}};
  const auto drained =
      co_await asio::co_spawn(home_lane_.executor(), engine_->drain(limit), asio::use_awaitable);
  json::object out{{"ok", drained.has_value()}, {"dirty", engine_->status().dirty}};
  if (!drained) out["error"] = drained.error().context;
  co_return out;
}

// Uploads first while people may still look; then the mounts go, then what they wrote last goes up.
void Mount::stop() {
  bool reachable = true;
  if (engine_) {
    reachable = home_lane_.wait(engine_->drain(options_.drain_limit)).has_value();
  }
  for (auto* session : {&home_session_, &bucket_session_}) {
    if (*session != nullptr && !(*session)->unmount(options_.busy_limit)) {
      SPDLOG_WARN("fusefs: a mount was still in use and was taken away");
    }
  }
  if (bucket_files_) bucket_lane_.wait(bucket_files_->stop());
  if (engine_) {
    constexpr milliseconds last_words(2000);
    if (reachable) (void)home_lane_.wait(engine_->drain(last_words));
    home_lane_.wait(engine_->stop());
    if (const auto left = engine_->status().dirty; left > 0) {
      SPDLOG_WARN("fusefs: {} changes are kept in {} and go up at the next start", left,
                  options_.cache);
    }
  }
  bridge_.set_files(nullptr);
  if (control_) control_lane_.wait(control_->stop());
  home_session_.reset();
  bucket_session_.reset();
  // Stores and what uses them are destroyed on their own lane.
  home_lane_.wait(destroy(std::move(engine_), std::move(home_store_)));
  bucket_lane_.wait(destroy(std::move(bucket_files_), std::move(bucket_store_)));
  control_.reset();
}

const char* first_set(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return nullptr;
}

}  // namespace

Result<void> take_environment(MountOptions& options) {
  const auto take = [](std::string& into, std::initializer_list<const char*> names) {
    if (const char* value = first_set(names); value != nullptr) into = value;
  };
  take(options.endpoint, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  take(options.region, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (options.ca_file.empty()) take(options.ca_file, {"AWS_CA_BUNDLE"});
  take(options.credentials.access_key, {"AWS_ACCESS_KEY_ID"});
  take(options.credentials.secret_key, {"AWS_SECRET_ACCESS_KEY"});
  take(options.credentials.session_token, {"AWS_SESSION_TOKEN"});
  if (options.endpoint.empty()) {
    return fail(ErrorCode::invalid_argument, "set AWS_ENDPOINT_URL to the S3 endpoint");
  }
  if (options.credentials.access_key.empty() || options.credentials.secret_key.empty()) {
    return fail(ErrorCode::invalid_argument,
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the user's key pair");
  }
  return {};
}

Result<void> run_mount(MountOptions options) {
  // A reply to a connection that went away must not end the process.
  ::signal(SIGPIPE, SIG_IGN);
  asio::io_context waiting(1);
  asio::signal_set signals(waiting, SIGTERM, SIGINT);
  auto forever = asio::make_work_guard(waiting);
  signals.async_wait([&](boost::system::error_code error, int) {
    if (!error) waiting.stop();
  });

  Mount mount(std::move(options));
  if (auto ready = mount.prepare(); !ready) return ready;
  if (auto home = mount.start_home(); !home) return home;
  if (auto buckets = mount.start_buckets(); !buckets) return buckets;
  // Last: who is answered here takes the mounts for served.
  if (auto control = mount.start_control([&waiting] { waiting.stop(); }); !control) return control;
  std::puts("ready");
  std::fflush(stdout);
  waiting.run();
  SPDLOG_INFO("fusefs: stopping");
  mount.stop();
  return {};
}

}  // namespace holdfast::fusefs

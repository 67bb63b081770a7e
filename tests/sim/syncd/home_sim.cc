#include "tests/sim/syncd/home_sim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/sim/syncd/tree_files.h"

namespace holdfast::syncd {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

constexpr store::SeededFaults::Rates calm{};
constexpr store::SeededFaults::Rates stormy{
    .before = 60, .after = 60, .cut = 30, .late = 0, .longest = milliseconds(0), .longest_cut = 64};

asio::awaitable<bool> stop_engine(HomeEngine& engine) {
  co_await engine.stop();
  co_return true;
}

}  // namespace

HomeSim::HomeSim(SimOptions options, std::string directory)
    : options_(options),
      random_(options.seed),
      engine_random_(options.seed + 1),
      store_random_(options.seed + 2),
      faults_(options.seed + 3, calm) {
  config_.tree = directory + "/tree";
  config_.state = directory + "/state";
  fs::create_directories(config_.tree);
  config_.bucket = BucketName("homes");
  config_.prefix = "p/";
  config_.host = "sim";
  config_.uid = ::getuid();
  config_.gid = ::getgid();
  config_.settle = milliseconds(20);
  config_.settle_max = milliseconds(200);
  config_.directory_settle = milliseconds(100);
  config_.feed_wait = milliseconds(0);
  config_.file_threads = 0;
  config_.timers = false;
  config_.uploads = 1 + random_.below(6);
  config_.downloads = 1 + random_.below(3);
  config_.hydrate_everything = random_.below(2) == 0;
  config_.stubs = random_.below(4) != 0;
  memory_ =
      std::make_unique<store::MemoryStore>(store_context_.get_executor(), clock_, store_random_);
  faulty_ = std::make_unique<store::FaultStore>(*memory_, faults_);
  store_ = std::make_unique<YieldingStore>(*faulty_);
  context_ = std::make_unique<asio::io_context>();
  (void)now(memory_->create_bucket(config_.bucket, false));
  (void)now(memory_->set_versioning(config_.bucket, store::Versioning::enabled));
}

HomeSim::~HomeSim() {
  engine_.reset();
  context_.reset();
}

void HomeSim::note(const std::string& what) {
  if (options_.trace) std::fprintf(stderr, "  %s\n", what.c_str());
}

void HomeSim::turn(milliseconds time, int handlers) {
  clock_.advance(time);
  if (engine_) engine_->poke();
  context_->restart();
  for (int i = 0; i < handlers; ++i) {
    if (context_->poll_one() == 0) break;
  }
}

std::string HomeSim::start() {
  engine_ = std::make_unique<HomeEngine>(context_->get_executor(), config_, *store_, clock_,
                                         engine_random_, nullptr);
  std::optional<Result<void>> answer;
  asio::co_spawn(*context_, engine_->start(), [&](std::exception_ptr error, Result<void> value) {
    answer = error ? fail(ErrorCode::internal, "start threw") : value;
  });
  for (int i = 0; i < 5000 && !answer; ++i) turn(milliseconds(5), 1000);
  if (!answer) return "start() does not end";
  if (!*answer) return "start() failed: " + answer->error().context;
  return {};
}

void HomeSim::stop() {
  bool done = false;
  asio::co_spawn(*context_, stop_engine(*engine_), [&](std::exception_ptr, bool) { done = true; });
  while (!done) {
    context_->restart();
    context_->run_one();
  }
  engine_.reset();
}

void HomeSim::crash() {
  engine_.reset();
  context_.reset();
  context_ = std::make_unique<asio::io_context>();
}

std::string HomeSim::random_path() {
  static constexpr const char* names[] = {"a", "b", "c", "d", "a/x", "b/x", "d/e", "d/e/f", "d/g"};
  return names[random_.below(std::size(names))];
}

std::string HomeSim::random_existing() {
  std::vector<std::string> all;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(config_.tree, ignored)) {
    all.push_back(entry.path().string().substr(config_.tree.size() + 1));
  }
  std::sort(all.begin(), all.end());
  return all.empty() ? std::string() : all[random_.below(all.size())];
}

void HomeSim::say(const std::string& path) {
  if (engine_) engine_->changed(path);
}

void HomeSim::forget_content(const std::string& path) {
  if (fs::is_regular_file(fs::symlink_status(full(path))) && !is_stub(full(path))) {
    owned_.erase(slurp(full(path)));
  }
}

// A mount opens nothing for writing that is still a stub.
void HomeSim::write(const std::string& path) {
  const auto status = fs::symlink_status(full(path));
  if (fs::is_directory(status) || fs::is_symlink(status)) return;
  if (fs::exists(status) && is_stub(full(path))) return;
  if (!fs::is_directory(fs::symlink_status(fs::path(full(path)).parent_path()))) return;
  forget_content(path);
  ++counter_;
  const std::string content = fmt::format(
      "local {} {}", counter_, std::string(static_cast<std::size_t>(counter_) % 50, '.'));
  note(fmt::format("write {} = {}", path, counter_));
  std::ofstream(full(path), std::ios::binary | std::ios::trunc) << content;
  contents_.insert(content);
  owned_.insert(content);
  say(path);
}

void HomeSim::append(const std::string& path) {
  if (!fs::is_regular_file(fs::symlink_status(full(path))) || is_stub(full(path))) return;
  forget_content(path);
  const std::string more = fmt::format(" more {}", ++counter_);
  note(fmt::format("append {} {}", path, counter_));
  std::ofstream(full(path), std::ios::binary | std::ios::app) << more;
  const std::string content = slurp(full(path));
  contents_.insert(content);
  owned_.insert(content);
  say(path);
}

void HomeSim::remove(const std::string& path) {
  struct stat st{};
  if (path.empty() || ::lstat(full(path).c_str(), &st) != 0) return;
  note("remove " + path);
  std::vector<std::string> gone;
  if (fs::is_directory(fs::symlink_status(full(path)))) {
    for (const auto& entry : fs::recursive_directory_iterator(full(path))) {
      gone.push_back(entry.path().string().substr(config_.tree.size() + 1));
    }
  }
  gone.push_back(path);
  for (const auto& each : gone) forget_content(each);
  fs::remove_all(full(path));
  for (const auto& each : gone) say(each);
}

void HomeSim::rename(const std::string& from, const std::string& to) {
  if (from.empty() || from == to || to.starts_with(from + "/")) return;
  if (fs::is_regular_file(fs::symlink_status(full(to)))) forget_content(to);
  if (::rename(full(from).c_str(), full(to).c_str()) != 0) {
    if (fs::is_regular_file(fs::symlink_status(full(to))) && !is_stub(full(to))) {
      owned_.insert(slurp(full(to)));
    }
    return;
  }
  note("rename " + from + " " + to);
  if (engine_) engine_->renamed(from, to);
}

void HomeSim::touch(const std::string& path) {
  const auto status = fs::symlink_status(full(path));
  if (!fs::is_regular_file(status) && !fs::is_directory(status)) return;
  note("chmod " + path);
  const unsigned base = fs::is_directory(status) ? 0700 : 0600;
  ::chmod(full(path).c_str(), base | random_.below(0100));
  say(path);
}

void HomeSim::local_step() {
  switch (random_.below(10)) {
    case 0:
    case 1:
    case 2:
      return write(random_path());
    case 3:
      return append(random_existing());
    case 4: {
      const std::string path = random_path();
      std::error_code failed;
      if (fs::create_directory(full(path), failed)) {
        note("mkdir " + path);
        say(path);
      }
      return;
    }
    case 5:
      return remove(random_.below(3) == 0 ? random_existing() : random_path());
    case 6:
    case 7:
      return rename(random_existing(), random_path());
    case 8:
      return touch(random_existing());
    default: {
      const std::string path = random_path();
      const std::string target = fmt::format("target {}", ++counter_);
      if (::symlink(target.c_str(), full(path).c_str()) == 0) {
        note("symlink " + path);
        contents_.insert(target);
        say(path);
      }
    }
  }
}

void HomeSim::remote_step() {
  const std::string path = random_path();
  const auto kind = random_.below(10);
  if (kind < 5) {
    const std::string content = fmt::format("remote {}", ++counter_);
    contents_.insert(content);
    note(fmt::format("remote put {} = {}", path, counter_));
    store::PutRequest request;
    request.bucket = config_.bucket;
    request.key = ObjectKey(config_.prefix + path);
    if (random_.below(2)) {
      request.attributes.metadata = {{"mtime", fmt::format("17000{:05}.25", counter_)},
                                     {"mode", "33188"}};
    }
    auto body = make_string_reader(content);
    (void)now(memory_->put(request, *body));
    return;
  }
  if (kind < 9) {
    note("remote delete " + path);
    store::DeleteRequest request;
    request.bucket = config_.bucket;
    request.key = ObjectKey(config_.prefix + path + (kind == 8 ? "/" : ""));
    (void)now(memory_->remove(request));
    return;
  }
  note("remote mkdir " + path);
  store::PutRequest request;
  request.bucket = config_.bucket;
  request.key = ObjectKey(config_.prefix + path + "/");
  request.attributes.metadata = {{"mtime", "1700000000"}, {"mode", "16877"}};
  auto body = make_string_reader("");
  (void)now(memory_->put(request, *body));
}

void HomeSim::disturb() {
  switch (random_.below(5)) {
    case 0:
      note("storm");
      return faults_.set_rates(stormy);
    case 1:
      note("calm");
      return faults_.set_rates(calm);
    case 2:
      if (engine_) {
        note("stop");
        stop();
      }
      return;
    default:
      if (engine_) {
        note("crash");
        crash();
      }
  }
}

void HomeSim::step() {
  const auto kind = random_.below(100);
  if (kind < 45) {
    local_step();
  } else if (kind < 65) {
    remote_step();
  } else if (kind < 70) {
    disturb();
  }
  if (!engine_ && random_.below(3) == 0) {
    note("start");
    (void)start();
  }
  if (random_.below(3) != 0) {
    turn(milliseconds(random_.below(120)), static_cast<int>(1 + random_.below(40)));
  }
}

std::string HomeSim::quiesce() {
  faults_.set_rates(calm);
  if (!engine_) {
    note("start");
    if (auto wrong = start(); !wrong.empty()) return wrong;
  }
  int quiet = 0;
  for (int i = 0; i < 20'000 && quiet < 20; ++i) {
    turn(milliseconds(50), 100'000);
    const auto status = engine_->status();
    quiet = status.started && status.working == 0 ? quiet + 1 : 0;
  }
  if (quiet < 20) return fmt::format("does not settle: {}", engine_->status().last_error);
  return {};
}

std::string HomeSim::run() {
  if (random_.below(4) == 0) {
    for (int i = 0; i < 5; ++i) remote_step();
  }
  if (auto wrong = start(); !wrong.empty()) return wrong;
  for (int i = 0; i < options_.steps; ++i) step();
  if (auto wrong = quiesce(); !wrong.empty()) return wrong;
  return check();
}

}  // namespace holdfast::syncd

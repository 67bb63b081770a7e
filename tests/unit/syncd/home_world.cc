#include "tests/unit/syncd/home_world.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace holdfast::syncd {

namespace fs = std::filesystem;
namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

asio::awaitable<bool> stop_engine(HomeEngine& engine) {
  co_await engine.stop();
  co_return true;
}

}  // namespace

HomeWorld::HomeWorld(const std::string& name) {
  std::string pattern = testing::TempDir() + "holdfast-" + name + "-XXXXXX";
  root = ::mkdtemp(pattern.data());
  tree = root + "/tree";
  fs::create_directories(tree);
  config.tree = tree;
  config.state = root + "/state";
  config.bucket = BucketName("homes");
  config.prefix = "alice/";
  config.host = "box";
  config.uid = ::getuid();
  config.gid = ::getgid();
  config.settle = milliseconds(5);
  config.settle_max = milliseconds(100);
  config.directory_settle = milliseconds(20);
  config.feed_wait = milliseconds(0);
  config.hydrate_everything = false;
  config.file_threads = 0;
  context = std::make_unique<asio::io_context>();
  memory = std::make_unique<store::MemoryStore>(store_context.get_executor(), clock, random);
  store = std::make_unique<store::FaultStore>(*memory, faults);
  EXPECT_TRUE(run(memory->create_bucket(config.bucket, false)));
  EXPECT_TRUE(run(memory->set_versioning(config.bucket, store::Versioning::enabled)));
}

HomeWorld::~HomeWorld() {
  if (engine) stop();
  engine.reset();
  context.reset();
  std::error_code ignored;
  fs::remove_all(root, ignored);
}

Result<void> HomeWorld::start() {
  engine =
      std::make_unique<HomeEngine>(context->get_executor(), config, *store, clock, random, nullptr);
  return run(engine->start());
}

void HomeWorld::stop() {
  if (!engine) return;
  run(stop_engine(*engine));
  engine.reset();
}

// The engine's coroutines die where they stand, with their context; the store lives in another.
void HomeWorld::crash() {
  engine.reset();
  context.reset();
  context = std::make_unique<asio::io_context>();
}

bool HomeWorld::wait_for(const std::function<bool()>& condition, milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    context->restart();
    context->run_for(milliseconds(2));
  }
  return true;
}

bool HomeWorld::settle(milliseconds limit) {
  // Quiet for a while: longer than a settled directory and a poll of the feed take.
  // Counted in small steps: a machine that stood still for that long has shown nothing.
  constexpr std::chrono::steady_clock::duration longest_step = milliseconds(5);
  auto last = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration quiet{};
  return wait_for(
      [&] {
        const auto now = std::chrono::steady_clock::now();
        quiet += std::min(now - std::exchange(last, now), longest_step);
        if (engine->status().working > 0) quiet = {};
        return quiet > milliseconds(250);
      },
      limit);
}

void HomeWorld::write(const std::string& path, const std::string& content) {
  std::ofstream(full(path), std::ios::binary | std::ios::trunc) << content;
  say(path);
}

void HomeWorld::make_directory(const std::string& path) {
  fs::create_directories(full(path));
  for (std::string at = path; !at.empty();
       at = at.contains('/') ? at.substr(0, at.rfind('/')) : "") {
    say(at);
  }
}

void HomeWorld::rename(const std::string& from, const std::string& to) {
  ASSERT_EQ(::rename(full(from).c_str(), full(to).c_str()), 0);
  if (engine) engine->renamed(from, to);
}

void HomeWorld::remove(const std::string& path) {
  std::vector<std::string> gone{path};
  if (fs::is_directory(fs::symlink_status(full(path)))) {
    for (const auto& entry : fs::recursive_directory_iterator(full(path))) {
      gone.push_back(entry.path().string().substr(tree.size() + 1));
    }
  }
  fs::remove_all(full(path));
  for (const auto& each : gone) say(each);
}

bool HomeWorld::exists(const std::string& path) const {
  return fs::exists(fs::symlink_status(full(path)));
}

std::string HomeWorld::read(const std::string& path) {
  bool filled = false;
  Result<void> result;
  if (engine) {
    engine->ensure_local(path, [&](Result<void> done) {
      result = done;
      filled = true;
    });
    EXPECT_TRUE(wait_for([&] { return filled; }));
    EXPECT_TRUE(result) << (result ? "" : result.error().context);
  }
  std::ifstream in(full(path), std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::vector<std::string> HomeWorld::names(const std::string& path) const {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(full(path))) {
    found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void HomeWorld::put(const std::string& path, const std::string& content,
                    std::map<std::string, std::string> metadata) {
  store::PutRequest request;
  request.bucket = config.bucket;
  request.key = ObjectKey(config.prefix + path);
  request.attributes.metadata = std::move(metadata);
  auto body = make_string_reader(content);
  auto done = run(memory->put(request, *body));
  ASSERT_TRUE(done) << done.error().context;
}

void HomeWorld::erase(const std::string& path) {
  store::DeleteRequest request;
  request.bucket = config.bucket;
  request.key = ObjectKey(config.prefix + path);
  ASSERT_TRUE(run(memory->remove(request)));
}

std::optional<store::ObjectInfo> HomeWorld::info(const std::string& path) {
  store::GetRequest request;
  request.bucket = config.bucket;
  request.key = ObjectKey(config.prefix + path);
  auto found = run(memory->head(request));
  if (!found) return std::nullopt;
  return found->info;
}

std::optional<std::string> HomeWorld::object(const std::string& path) {
  store::GetRequest request;
  request.bucket = config.bucket;
  request.key = ObjectKey(config.prefix + path);
  auto found = run(memory->get(request));
  if (!found) return std::nullopt;
  auto reader = make_reader(std::move(found->body));
  auto text = run(read_all(*reader, 1u << 30));
  return text ? std::optional(*text) : std::nullopt;
}

std::size_t HomeWorld::versions(const std::string& path) {
  store::ListVersionsRequest request;
  request.bucket = config.bucket;
  request.prefix = config.prefix + path;
  auto page = run(memory->list_versions(request));
  if (!page) return 0;
  return static_cast<std::size_t>(std::count_if(
      page->versions.begin(), page->versions.end(),
      [&](const auto& version) { return version.key.value == config.prefix + path; }));
}

}  // namespace holdfast::syncd

#include "tests/e2e/fusefs/home_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace holdfast::fusefs::testing {

FakeEngine::~FakeEngine() { threads_.clear(); }

void FakeEngine::note(std::string event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  noted_.notify_all();
}

void FakeEngine::changed(const std::string& path) { note("changed " + path); }
void FakeEngine::renamed(const std::string& from, const std::string& to) {
  note("renamed " + from + " -> " + to);
}
void FakeEngine::opened_for_write(const std::string& path) { note("open " + path); }
std::unique_lock<std::mutex> FakeEngine::hold_content(std::uint64_t) {
  return std::unique_lock(content_);
}
void FakeEngine::closed_for_write(const std::string& path) { note("close " + path); }

void FakeEngine::ensure_local(const std::string& path, Done done) {
  const std::lock_guard lock(mutex_);
  ++hydrations_;
  const auto found = offered_.find(path);
  std::optional<std::string> content;
  if (found != offered_.end()) content = found->second;
  threads_.emplace_back([this, path, content, done = std::move(done)]() mutable {
    if (!content) return done(fail(ErrorCode::unavailable, "the store does not answer"));
    const std::string file = tree + "/" + path;
    const std::string target = hydration == Hydration::in_place ? file : file + ".new";
    std::ofstream(target, std::ios::binary | std::ios::trunc) << *content;
    if (hydration == Hydration::in_place)
      ::removexattr(file.c_str(), "user.holdfast.stub");
    else
      std::filesystem::rename(target, file);
    if (after_hydration) after_hydration(path);
    done({});
  });
}

void FakeEngine::wait_uploaded(const std::string& path, Done done) {
  note("wait " + path);
  done({});
}

void FakeEngine::offer(const std::string& path, std::string content) {
  const std::lock_guard lock(mutex_);
  offered_[path] = std::move(content);
}

void FakeEngine::make_stub(const std::string& file, std::size_t size) {
  write_text(file, "");
  ASSERT_EQ(::truncate(file.c_str(), static_cast<off_t>(size)), 0);
  ASSERT_EQ(::setxattr(file.c_str(), "user.holdfast.stub", "v1", 2, 0), 0);
}

std::vector<std::string> FakeEngine::take_events() {
  const std::lock_guard lock(mutex_);
  return std::exchange(events_, {});
}

bool FakeEngine::wait_for(const std::string& event) {
  std::unique_lock lock(mutex_);
  return noted_.wait_for(lock, std::chrono::seconds(10), [&] {
    const auto found = std::ranges::find(events_, event);
    if (found == events_.end()) return false;
    events_.erase(events_.begin(), found + 1);
    return true;
  });
}

std::size_t FakeEngine::hydrations() const {
  const std::lock_guard lock(mutex_);
  return hydrations_;
}

HomeMount::HomeMount(MountSetup setup) {
  std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-home-XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  directory = pattern;
  std::filesystem::permissions(directory, std::filesystem::perms(0755));
  tree = directory + "/tree";
  home = directory + "/home";
  std::filesystem::create_directory(tree);
  std::filesystem::permissions(tree, std::filesystem::perms(01777));
  engine.tree = tree;
  HomeOptions options{.tree = tree, .fsync = setup.fsync};
  options.max_descriptors = setup.max_descriptors;
  auto made = HomeFs::open(options, engine);
  EXPECT_TRUE(made) << made.error().context;
  files = *made;
  auto mounted = Session::mount(
      {.mount_point = home, .name = "test", .workers = 8, .passthrough = setup.passthrough}, files,
      [] {});
  EXPECT_TRUE(mounted) << mounted.error().context;
  if (mounted) session = std::move(*mounted);
}

HomeMount::~HomeMount() {
  if (session != nullptr) EXPECT_TRUE(session->unmount(std::chrono::seconds(5)));
  session.reset();
  std::filesystem::remove_all(directory);
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  EXPECT_TRUE(out) << path;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

int as_user(unsigned uid, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(uid) != 0 || ::setuid(uid) != 0) ::_exit(99);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string shell(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(("set -eu\n" + command + "\n").c_str(), "r");
  std::array<char, 4096> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    out.append(buffer.data(), got);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << out;
  return out;
}

}  // namespace holdfast::fusefs::testing

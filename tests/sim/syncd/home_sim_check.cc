// What the simulator finds when everything is quiet.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "s3/home_format.h"
#include "tests/sim/syncd/home_sim.h"
#include "tests/sim/syncd/tree_files.h"

namespace holdfast::syncd {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string HomeSim::fill_stubs() {
  for (const auto& entry : fs::recursive_directory_iterator(config_.tree)) {
    if (!entry.is_regular_file() || !is_stub(entry.path().string())) continue;
    const std::string path = entry.path().string().substr(config_.tree.size() + 1);
    std::optional<Result<void>> answer;
    engine_->ensure_local(path, [&](Result<void> done) { answer = std::move(done); });
    for (int i = 0; i < 1000 && !answer; ++i) turn(milliseconds(20), 100'000);
    if (!answer) return "no answer to ensure_local of " + path;
    if (!*answer) return "cannot fill " + path + ": " + answer->error().context;
  }
  return {};
}

std::map<std::string, HomeSim::Thing> HomeSim::look_at_tree() {
  std::map<std::string, Thing> things;
  for (const auto& entry : fs::recursive_directory_iterator(config_.tree)) {
    const std::string path = entry.path().string().substr(config_.tree.size() + 1);
    struct stat st{};
    ::lstat(entry.path().c_str(), &st);
    const TimePoint mtime = TimePoint(std::chrono::seconds(st.st_mtim.tv_sec)) +
                            std::chrono::nanoseconds(st.st_mtim.tv_nsec);
    Thing thing{.kind = 'f',
                .content = {},
                .mode = fmt::format("{:o}", st.st_mode & 07777),
                .mtime = s3::encode_mtime(mtime)};
    if (S_ISDIR(st.st_mode)) {
      thing.kind = 'd';
    } else if (S_ISLNK(st.st_mode)) {
      thing.kind = 'l';
      thing.content = fs::read_symlink(entry.path());
      thing.mode.clear();
    } else {
      thing.content = slurp(entry.path());
    }
    things.emplace(path, std::move(thing));
  }
  return things;
}

std::map<std::string, HomeSim::Thing> HomeSim::look_at_store() {
  std::map<std::string, Thing> things;
  store::ListRequest request;
  request.bucket = config_.bucket;
  request.prefix = config_.prefix;
  auto page = now(memory_->list(request));
  for (const auto& object : page->objects) {
    const auto name = s3::name_of(config_.prefix, object.key.value);
    store::GetRequest get;
    get.bucket = config_.bucket;
    get.key = object.key;
    auto got = now(memory_->get(get));
    auto reader = make_reader(std::move(got->body));
    auto says = s3::decode_attributes(got->info.attributes.metadata);
    Thing thing{.kind = name->kind == s3::HomeKind::directory ? 'd' : 'f',
                .content = *now(read_all(*reader, 1 << 20)),
                .mode = fmt::format("{:o}", says.mode.value_or(0) & 07777),
                .mtime = s3::encode_mtime(says.mtime.value_or(got->info.modified))};
    if (!says.mode) thing.mode = "644";
    if (says.mode && S_ISLNK(*says.mode)) {
      thing.kind = 'l';
      thing.mode.clear();
    }
    things.emplace(name->path + (thing.kind == 'd' ? "/" : ""), std::move(thing));
  }
  return things;
}

std::set<std::string> HomeSim::all_versions() {
  std::set<std::string> contents;
  store::ListVersionsRequest request;
  request.bucket = config_.bucket;
  for (;;) {
    auto page = now(memory_->list_versions(request));
    for (const auto& version : page->versions) {
      if (version.delete_marker || version.key.value.ends_with('/')) continue;
      store::GetRequest get;
      get.bucket = config_.bucket;
      get.key = version.key;
      get.version = version.version;
      auto got = now(memory_->get(get));
      auto reader = make_reader(std::move(got->body));
      contents.insert(*now(read_all(*reader, 1 << 20)));
    }
    if (!page->truncated) return contents;
    request.key_marker = page->next_key;
    request.version_marker = page->next_version;
  }
}

std::string HomeSim::check() {
  if (auto wrong = fill_stubs(); !wrong.empty()) return wrong;
  if (auto wrong = quiesce(); !wrong.empty()) return wrong;
  auto tree = look_at_tree();
  auto store = look_at_store();
  const auto parked = engine_->status().parked;
  std::set<std::string> set_apart;
  for (const auto& item : parked) set_apart.insert(item.path);

  for (const auto& [path, thing] : tree) {
    note(fmt::format("tree  {} {} {} {}", path, thing.kind, thing.content, thing.mode));
  }
  for (const auto& [path, thing] : store) {
    note(fmt::format("store {} {} {} {}", path, thing.kind, thing.content, thing.mode));
  }
  for (const auto& item : parked) note("parked " + item.path + ": " + item.reason);
  const auto versions = all_versions();
  for (const auto& content : versions) {
    if (!contents_.contains(content)) return "a version that nobody wrote: " + content;
  }
  std::set<std::string> here;
  for (const auto& [path, thing] : tree) here.insert(thing.content);
  for (const auto& content : owned_) {
    if (!here.contains(content) && !versions.contains(content)) return "lost: " + content;
  }
  for (const auto& [path, thing] : tree) {
    if (set_apart.contains(path)) continue;
    const auto there = store.find(path + (thing.kind == 'd' ? "/" : ""));
    if (thing.kind == 'd') {
      // One without an object of its own lives by what is in it.
      if (there != store.end() && there->second.mode != thing.mode) return "mode of " + path;
      continue;
    }
    if (there == store.end()) return "not in the store: " + path;
    if (there->second != thing) {
      return fmt::format("differs: {} tree {} {} {} {} store {} {} {} {}", path, thing.kind,
                         thing.content, thing.mode, thing.mtime, there->second.kind,
                         there->second.content, there->second.mode, there->second.mtime);
    }
  }
  for (const auto& [key, thing] : store) {
    const std::string path = thing.kind == 'd' ? key.substr(0, key.size() - 1) : key;
    if (!set_apart.contains(path) && !tree.contains(path)) return "not in the tree: " + key;
  }
  return {};
}

}  // namespace holdfast::syncd

// The planner against a model of two sides that carry its actions out: whatever the three states,
// in however many rounds edits come in between, both sides end equal and no bytes vanish.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "syncd/planner.h"

namespace holdfast::syncd {
namespace {

struct World {
  std::map<std::string, Node> local, base, remote;
  std::vector<Node> retained;  // versions of the store
  int names = 0;

  Node at(const std::map<std::string, Node>& side, const std::string& path) const {
    const auto found = side.find(path);
    return found == side.end() ? Node{} : found->second;
  }
  static void set(std::map<std::string, Node>& side, const std::string& path, Node node) {
    if (node.kind == Kind::absent) {
      side.erase(path);
    } else {
      side[path] = std::move(node);
    }
  }
  void upload(const std::string& path) {
    set(remote, path, at(local, path));
    if (auto node = at(local, path); node.kind != Kind::absent) retained.push_back(node);
    set(base, path, at(local, path));
  }
  void download(const std::string& path) {
    set(local, path, at(remote, path));
    set(base, path, at(remote, path));
  }

  // One action, as the engine carries it out. False when nothing was left to do.
  bool round(const std::string& path) {
    const Situation situation{.local = {.known = true, .node = at(local, path)},
                              .base = at(base, path),
                              .remote = {.known = true, .node = at(remote, path)}};
    switch (plan(situation)) {
      case Action::settled:
      case Action::wait:
      case Action::skip:
        return false;
      case Action::adopt:
      case Action::forget:
        set(base, path, at(local, path));
        return true;
      case Action::push:
      case Action::push_metadata:
      case Action::push_removal:
        upload(path);
        return true;
      case Action::pull:
      case Action::pull_metadata:
      case Action::pull_removal:
        download(path);
        return true;
      case Action::pull_keeping_local: {
        const std::string copy = path + " conflict " + std::to_string(++names);
        set(local, copy, at(local, path));
        download(path);
        return true;
      }
      case Action::push_keeping_remote: {
        const std::string copy = path + " conflict " + std::to_string(++names);
        set(remote, copy, at(remote, path));
        set(remote, path, {});
        return true;
      }
    }
    return false;
  }

  std::set<std::string> paths() const {
    std::set<std::string> all;
    for (const auto* side : {&local, &base, &remote}) {
      for (const auto& [path, node] : *side) all.insert(path);
    }
    return all;
  }
};

Node random_node(std::mt19937_64& random, int& counter) {
  switch (random() % 6) {
    case 0:
      return {};
    case 1:
      return {.kind = Kind::directory, .content = "", .metadata = std::to_string(random() % 2)};
    case 2:
      return {.kind = Kind::symlink, .content = "t" + std::to_string(++counter), .metadata = "0"};
    case 3:
      return {.kind = Kind::file, .content = "same", .metadata = std::to_string(random() % 2)};
    default:
      return {.kind = Kind::file,
              .content = "c" + std::to_string(++counter),
              .metadata = std::to_string(random() % 2)};
  }
}

void run_seed(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  World world;
  int counter = 0;
  const std::vector<std::string> names{"a", "b", "c"};
  for (const auto& name : names) {
    Node base = random_node(random, counter);
    World::set(world.base, name, base);
    World::set(world.local, name, random() % 2 ? base : random_node(random, counter));
    World::set(world.remote, name, random() % 2 ? base : random_node(random, counter));
  }
  for (const auto& [path, node] : world.remote) world.retained.push_back(node);
  for (const auto& [path, node] : world.base) world.retained.push_back(node);
  std::set<std::string> owned;
  for (const auto& [path, node] : world.local) owned.insert(node.content);

  int rounds = 0;
  for (bool busy = true; busy; ++rounds) {
    ASSERT_LT(rounds, 200) << "seed " << seed;
    busy = false;
    auto paths = world.paths();
    std::vector<std::string> order(paths.begin(), paths.end());
    std::shuffle(order.begin(), order.end(), random);
    for (const auto& path : order) {
      busy |= world.round(path);
      if (rounds < 3 && random() % 8 == 0) {
        const auto& name = names[random() % names.size()];
        Node edit = random_node(random, counter);
        if (random() % 2) {
          const Node gone = world.at(world.local, name);
          owned.erase(gone.content);
          World::set(world.local, name, edit);
          if (edit.kind != Kind::absent) owned.insert(edit.content);
        } else {
          World::set(world.remote, name, edit);
          if (edit.kind != Kind::absent) world.retained.push_back(edit);
        }
        busy = true;
      }
    }
  }
  EXPECT_EQ(world.local, world.remote) << "seed " << seed;
  EXPECT_EQ(world.local, world.base) << "seed " << seed;
  std::set<std::string> somewhere;
  for (const auto& [path, node] : world.local) somewhere.insert(node.content);
  for (const auto& node : world.retained) somewhere.insert(node.content);
  for (const auto& content : owned) EXPECT_TRUE(somewhere.contains(content)) << "seed " << seed;
}

TEST(PlannerModel, EndsEqualWithNothingLostFromAnyStart) {
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) run_seed(seed);
}

}  // namespace
}  // namespace holdfast::syncd

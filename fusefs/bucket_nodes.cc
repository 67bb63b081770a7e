#include "fusefs/bucket_nodes.h"

#include <algorithm>

namespace holdfast::fusefs {

BucketNodes::BucketNodes() : root_(std::make_shared<BucketNode>()) {
  root_->id = root_node;
  root_->directory = true;
  root_->lookups = 1;
  by_id_[root_node] = root_;
}

BucketNodePtr BucketNodes::find(NodeId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

BucketNodePtr BucketNodes::at(const BucketPath& place) const {
  const auto found = by_place_.find(key(place));
  return found == by_place_.end() ? nullptr : found->second;
}

BucketNodePtr BucketNodes::add(BucketNode node) {
  node.id = next_++;
  node.content = node.id;
  auto added = std::make_shared<BucketNode>(std::move(node));
  auto& slot = by_place_[key(added->place)];
  if (slot != nullptr) slot->removed = true;
  slot = added;
  by_id_[added->id] = added;
  return added;
}

void BucketNodes::forget(NodeId id, std::uint64_t lookups) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || id == root_node) return;
  const BucketNodePtr node = found->second;
  node->lookups -= std::min(node->lookups, lookups);
  if (node->lookups > 0) return;
  by_id_.erase(found);
  if (!node->removed) by_place_.erase(key(node->place));
}

void BucketNodes::remove(const BucketNodePtr& node) {
  if (node->removed) return;
  node->removed = true;
  by_place_.erase(key(node->place));
}

void BucketNodes::move(const BucketPath& from, const BucketPath& to) {
  if (const auto replaced = at(to); replaced != nullptr) remove(replaced);
  for (const auto& node : all()) {
    if (node->removed || node->id == root_node || node->place.bucket != from.bucket ||
        !path_covered(from.path, node->place.path)) {
      continue;
    }
    by_place_.erase(key(node->place));
    node->place = {to.bucket, to.path + node->place.path.substr(from.path.size())};
    by_place_[key(node->place)] = node;
  }
}

std::vector<BucketNodePtr> BucketNodes::all() const {
  std::vector<BucketNodePtr> nodes;
  nodes.reserve(by_id_.size());
  for (const auto& [id, node] : by_id_) nodes.push_back(node);
  return nodes;
}

}  // namespace holdfast::fusefs

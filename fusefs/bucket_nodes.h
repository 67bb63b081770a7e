// BucketNodes: what the kernel knows of the bucket view. A file's node stands for one version of
// its content: when the store's ETag moves, the name gets a new node, so that cached pages of two
// versions never mix and who has the old one open keeps to it. Lives on the view's strand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "fusefs/access_view.h"
#include "fusefs/reply.h"
#include "fusefs/staging.h"

namespace holdfast::fusefs {

struct BucketNode {
  NodeId id = 0;
  BucketPath place;  // bucket "" is the root of the view
  bool directory = false;
  ETag etag;  // of a file
  std::uint64_t size = 0;
  TimePoint modified{};
  std::uint64_t lookups = 0;
  std::uint64_t content = 0;  // names these bytes in the block cache
  bool removed = false;       // its name is gone
  // An empty directory that nothing in the store stands for, kept while the kernel knows it.
  bool kept_empty = false;
  std::shared_ptr<Staging> staging;  // while someone writes
};
using BucketNodePtr = std::shared_ptr<BucketNode>;

class BucketNodes {
 public:
  BucketNodes();
  BucketNodePtr find(NodeId id) const;
  BucketNodePtr root() const { return root_; }
  // What the name stands for at present, as far as the kernel has asked.
  BucketNodePtr at(const BucketPath& place) const;
  // A new node under its place; one that was there loses its name.
  BucketNodePtr add(BucketNode node);
  void forget(NodeId id, std::uint64_t lookups);
  void remove(const BucketNodePtr& node);  // from its name
  // Nodes at `from` and below move to `to`.
  void move(const BucketPath& from, const BucketPath& to);
  std::vector<BucketNodePtr> all() const;
  // Its bytes are others now.
  void renew_content(BucketNode& node) { node.content = next_++; }

 private:
  static std::string key(const BucketPath& place) { return place.bucket + "/" + place.path; }
  NodeId next_ = root_node + 1;
  BucketNodePtr root_;
  std::unordered_map<NodeId, BucketNodePtr> by_id_;
  std::unordered_map<std::string, BucketNodePtr> by_place_;
};

}  // namespace holdfast::fusefs

// The planner: one path's three observations in, one action out. A pure function, the whole of the
// reconciliation table (docs/SEMANTICS.md); any thread. It compares opaque tokens: equal tokens
// mean equal bytes (content) or equal mode, times and attributes (metadata). Whoever cannot prove
// two contents equal gives them different tokens, which costs a conflict copy and never bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::syncd {

enum class Kind : std::uint8_t { absent = 0, file = 1, directory = 2, symlink = 3, other = 4 };

struct Node {
  Kind kind = Kind::absent;
  std::string content;  // of files and symlinks; empty for directories
  std::string metadata;
  bool operator==(const Node&) const = default;
};

// What is seen of one side. Unknown (an error, an incomplete scan) is never absence.
struct View {
  bool known = false;
  Node node;
};

struct Situation {
  View local;
  Node base;  // absent: nothing was ever agreed on
  View remote;
};

enum class Action : std::uint8_t {
  settled,        // the three agree
  wait,           // something is unknown: look again later
  skip,           // local sockets, pipes and devices have no object
  adopt,          // local and remote agree: the base follows
  forget,         // both are gone: the base follows
  push,           // local bytes to the store
  push_metadata,  // same bytes, other mode, times or attributes
  push_removal,
  pull,  // remote bytes to the tree; nothing local is lost by it
  pull_metadata,
  pull_removal,
  pull_keeping_local,   // the store's bytes take the name, ours become a conflict copy
  push_keeping_remote,  // our directory takes the name, the store's file becomes a conflict copy
};

Action plan(const Situation& situation);
std::string_view to_string(Action action);

}  // namespace holdfast::syncd

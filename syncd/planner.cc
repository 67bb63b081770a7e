#include "syncd/planner.h"

namespace holdfast::syncd {
namespace {

bool same_bytes(const Node& a, const Node& b) {
  return a.kind == b.kind && a.kind != Kind::absent && a.content == b.content;
}

// One side kept to the base, the other moved: the change goes across.
Action carry(const Node& base, const Node& changed, Action removal, Action metadata,
             Action content) {
  if (changed.kind == Kind::absent) return removal;
  return same_bytes(base, changed) ? metadata : content;
}

// Both sides moved, to different places.
Action settle_dispute(const Node& local, const Node& base, const Node& remote) {
  // A deletion never beats an edit.
  if (local.kind == Kind::absent) return Action::pull;
  if (remote.kind == Kind::absent) return Action::push;
  // Bytes that nobody edited since the base cannot be lost: the other side's edit wins in peace.
  const bool local_edited = !same_bytes(local, base);
  const bool remote_edited = !same_bytes(remote, base);
  const bool local_directory = local.kind == Kind::directory;
  const bool remote_directory = remote.kind == Kind::directory;
  if (local_directory && !remote_directory) {
    return remote_edited ? Action::push_keeping_remote : Action::push;
  }
  if (remote_directory && !local_directory) {
    return local_edited ? Action::pull_keeping_local : Action::pull;
  }
  if (same_bytes(local, remote)) return Action::pull_metadata;
  if (!local_edited) return Action::pull;
  if (!remote_edited) return Action::push;
  // The store's compare-and-swap has already decided who owns the name.
  return Action::pull_keeping_local;
}

}  // namespace

Action plan(const Situation& situation) {
  if (!situation.local.known || !situation.remote.known) return Action::wait;
  const Node& local = situation.local.node;
  const Node& base = situation.base;
  const Node& remote = situation.remote.node;
  if (local.kind == Kind::other) return Action::skip;
  if (local == remote) {
    if (local == base) return Action::settled;
    return local.kind == Kind::absent ? Action::forget : Action::adopt;
  }
  if (local == base) {
    return carry(base, remote, Action::pull_removal, Action::pull_metadata, Action::pull);
  }
  if (remote == base) {
    return carry(base, local, Action::push_removal, Action::push_metadata, Action::push);
  }
  return settle_dispute(local, base, remote);
}

std::string_view to_string(Action action) {
  switch (action) {
    case Action::settled:
      return "settled";
    case Action::wait:
      return "wait";
    case Action::skip:
      return "skip";
    case Action::adopt:
      return "adopt";
    case Action::forget:
      return "forget";
    case Action::push:
      return "push";
    case Action::push_metadata:
      return "push metadata";
    case Action::push_removal:
      return "push removal";
    case Action::pull:
      return "pull";
    case Action::pull_metadata:
      return "pull metadata";
    case Action::pull_removal:
      return "pull removal";
    case Action::pull_keeping_local:
      return "pull, keeping the local file";
    case Action::push_keeping_remote:
      return "push, keeping the remote file";
  }
  return "unknown";
}

}  // namespace holdfast::syncd

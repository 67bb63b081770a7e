// Local changes on their way to the store.
#include <sys/stat.h>

#include "base/log.h"
#include "syncd/engine.h"
#include "syncd/engine_rows.h"
#include "syncd/home_paths.h"

namespace holdfast::syncd {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t single_put_bytes = 64u << 20;
constexpr std::size_t own_versions_kept = 20'000;
constexpr milliseconds move_poll{50};

HomeKind key_kind(Kind kind) {
  return kind == Kind::directory ? HomeKind::directory : HomeKind::file;
}

std::optional<ETag> etag_under(const Case& at, HomeKind kind) {
  const bool directory = kind == HomeKind::directory;
  if (directory ? at.fetched_directory : at.fetched_file) {
    const auto& node = directory ? at.directory : at.file;
    return node ? std::optional(ETag(node->etag)) : std::nullopt;
  }
  if (!at.base || at.base->etag.empty()) return std::nullopt;
  return key_kind(static_cast<Kind>(at.base->kind)) == kind ? std::optional(ETag(at.base->etag))
                                                            : std::nullopt;
}

}  // namespace

// A file that is open for writing may change without further word; a directory changes with each
// of its entries. Both are read when they have been quiet.
std::optional<Step> Engine::must_wait(Case& at, Work& work) {
  const auto now = clock_.monotonic();
  if (at.local.kind == Kind::directory) {
    const auto quiet = work.last_noted + config_.directory_settle;
    if (work.local && now < quiet) {
      work.due = quiet;
      return Step::later;
    }
  }
  if (at.local.kind == Kind::file && writers_.contains(at.path)) {
    if (!work.seen || *work.seen != at.local.stamp) {
      work.seen = at.local.stamp;
      work.due = now + config_.settle_max;
      return Step::later;
    }
  }
  return std::nullopt;
}

UploadSpec Engine::spec_for(const Case& at, Work& work) const {
  UploadSpec spec;
  spec.path = at.path;
  spec.kind = key_kind(at.local.kind);
  spec.replaces = etag_under(at, spec.kind);
  s3::HomeAttributes& says = spec.attributes;
  says.mtime = TimePoint(std::chrono::nanoseconds(at.local.stamp.mtime_ns));
  says.mode = at.local.stamp.mode;
  if (at.content) says.hash = at.content->hash;
  if (auto link = link_group(at); !link.empty()) says.link = std::move(link);
  if (at.local.kind == Kind::file) says.xattrs = at.local.xattrs;
  says.operation = work.operation;
  return spec;
}

Engine::Async<Step> Engine::push(Case& at, Work& work) {
  if (auto wait = must_wait(at, work)) co_return *wait;
  // The name changed its kind: the old object goes first (its versions stay), then as if new.
  const HomeKind other = at.local.kind == Kind::directory ? HomeKind::file : HomeKind::directory;
  if (const auto etag = etag_under(at, other)) {
    auto removed = co_await remote_.remove(at.path, other, *etag);
    if (!removed) {
      (other == HomeKind::file ? work.remote_file : work.remote_directory) = true;
      co_return push_failed(at, work, removed.error());
    }
    remember_own(*removed);
    (other == HomeKind::file ? at.fetched_file : at.fetched_directory) = false;
    drop(at.path);
    co_return Step::again;
  }
  if (at.base && key_kind(static_cast<Kind>(at.base->kind)) != key_kind(at.local.kind)) {
    drop(at.path);  // it was implicit
    co_return Step::again;
  }
  begin_operation(work);
  auto sent = co_await send(at, work, spec_for(at, work));
  if (!sent) co_return push_failed(at, work, sent.error());
  co_return pushed(at, work, *sent);
}

// Where the bytes already lie in the store: a stub's origin, or where a renamed file came from.
std::optional<CopySource> Engine::copy_source(const Case& at, const Work& work) const {
  if (at.local.stub) {
    const auto origin = StubOrigin::decode(at.local.stub_value);
    return CopySource{origin.path, origin.version, origin.etag};
  }
  if (work.moved_from.empty() || !at.content) return std::nullopt;
  auto row = ledger_->find(work.moved_from);
  if (!row || !*row || (*row)->hash != at.content->hash || (*row)->hash.empty()) {
    return std::nullopt;
  }
  return CopySource{work.moved_from, (*row)->version, (*row)->etag};
}

Engine::Async<RemoteNode> Engine::send(Case& at, Work& work, UploadSpec spec) {
  if (at.local.kind == Kind::file) {
    if (auto source = copy_source(at, work)) {
      auto copied = co_await remote_.copy(*source, spec);
      if (copied) {
        copied->size = at.local.stamp.size;
        co_return copied;
      }
      if (at.local.stub) {
        co_return fail_within("copy what " + at.path + " stands for", copied.error());
      }
      work.moved_from.clear();
    }
    co_return co_await send_file(at, std::move(spec));
  }
  auto body = make_string_reader(at.local.kind == Kind::symlink ? at.local.target : "");
  co_return co_await remote_.put(std::move(spec), *body);
}

Engine::Async<RemoteNode> Engine::send_file(Case& at, UploadSpec spec) {
  if (!at.content) {
    Result<Content> content = Content{};
    std::function<Result<void>()> work = [&]() -> Result<void> {
      content = identify(*tree_, at.path, Md5::skip);
      return content ? Result<void>() : std::unexpected(content.error());
    };
    if (auto done = co_await offload(work); !done) co_return std::unexpected(done.error());
    at.local.stamp = content->stamp;
    at.content = std::move(*content);
    spec.attributes.hash = at.content->hash;
  }
  const Stamp stamp = at.content->stamp;
  if (stamp.size <= small_file_bytes) {
    auto body = make_string_reader(at.content->bytes);
    co_return co_await remote_.put(std::move(spec), *body);
  }
  auto opened = tree_->open_read(at.path);
  if (!opened) co_return std::unexpected(opened.error());
  auto file = std::make_shared<Fd>(std::move(*opened));
  auto now = tree_->stamp_of(file->get());
  if (!now) co_return std::unexpected(now.error());
  if (*now != stamp) co_return fail(ErrorCode::conflict, "{} changed meanwhile", at.path);
  if (stamp.size > single_put_bytes) {
    co_return co_await remote_.put_parts(std::move(spec), *tree_, file, stamp, offloader());
  }
  auto body = make_fenced_reader(*tree_, file, stamp, 0, stamp.size, offloader());
  co_return co_await remote_.put(std::move(spec), *body);
}

void Engine::remember_own(const std::string& version) {
  if (version.empty() || !own_versions_.insert(version).second) return;
  own_order_.push_back(version);
  if (own_order_.size() > own_versions_kept) {
    own_versions_.erase(own_order_.front());
    own_order_.pop_front();
  }
}

// One id for all tries until one is known to have arrived.
void Engine::begin_operation(Work& work) {
  if (!work.operation.empty()) return;
  open_operations_.insert(++operations_);
  work.operation = fmt::format("{}.{}", instance_, operations_);
}

void Engine::end_operation(Work& work) {
  const auto dot = work.operation.rfind('.');
  if (dot != std::string::npos) {
    open_operations_.erase(std::strtoull(work.operation.c_str() + dot + 1, nullptr, 10));
  }
  work.operation.clear();
}

// The run before died with uploads done whose base rows were not saved. Their numbers lie above the
// last saved one; what a restore brings back carries an older number.
bool Engine::was_ours_before(const std::string& operation) const {
  if (unsaved_operations_after_ == 0 || !operation.starts_with(instance_ + ".")) return false;
  const auto number = std::strtoull(operation.c_str() + instance_.size() + 1, nullptr, 10);
  return number > unsaved_operations_after_ &&
         number <= unsaved_operations_after_ + operations_a_run;
}

Step Engine::pushed(Case& at, Work& work, const RemoteNode& node) {
  store_answered();
  ++uploaded_;
  remember_own(node.version);
  end_operation(work);
  work.moved_from.clear();
  work.seen.reset();
  // What was fetched is history now.
  at.fetched_file = at.fetched_directory = false;
  const bool fresh = !at.base;
  save(row_of(at.path, node, at.local));
  ledger_->unpark(at.path);
  auto now = tree_->observe(at.path);
  if (!now || now->kind != at.local.kind || now->stamp != at.local.stamp) note_local(at.path);
  // Its appearance moved the directory's times; the other names of one inode show the same bytes.
  if (fresh) note_local(HomePath(parent_of(at.path)));
  if (at.local.kind == Kind::file && at.local.stamp.links > 1) {
    auto others = ledger_->with_inode(at.local.stamp.inode);
    if (others) {
      for (const auto& row : *others) {
        const bool differs = row.hash != node.hash || row.link != node.link;
        if (row.path != at.path && differs) note_local(row.path);
      }
    }
  }
  return Step::done;
}

Result<Step> Engine::push_failed(Case& at, Work& work, const Error& error) {
  // Whatever went wrong, what the store holds now must be seen before the next try: the request
  // may have arrived.
  (at.local.kind == Kind::directory ? work.remote_directory : work.remote_file) = true;
  switch (error.code) {
    case ErrorCode::precondition_failed:
    case ErrorCode::no_such_key:
      return Step::again;
    case ErrorCode::invalid_name:
      work.remote_file = work.remote_directory = false;
      ledger_->park(at.path, "this name cannot be kept in the store: " + error.context);
      return Step::done;
    default:
      return std::unexpected(error);
  }
}

Engine::Async<Step> Engine::push_metadata(Case& at, Work& work) {
  if (at.local.kind != Kind::file) co_return co_await push(at, work);
  if (auto wait = must_wait(at, work)) co_return *wait;
  const RemoteNode* node = at.fetched();
  CopySource source{at.path, node ? node->version : at.base->version,
                    node ? node->etag : at.base->etag};
  begin_operation(work);
  UploadSpec spec = spec_for(at, work);
  if (!at.content && !at.base->hash.empty()) spec.attributes.hash = at.base->hash;
  auto copied = co_await remote_.copy(source, std::move(spec));
  if (!copied) {
    const auto code = copied.error().code;
    if (code == ErrorCode::no_such_version) {
      work.remote_file = true;
      co_return Step::again;
    }
    co_return push_failed(at, work, copied.error());
  }
  copied->size = at.base->size;
  if (at.local.stub) {
    // Another stub may have been renamed to this path while the store copied.
    auto marked = tree_->set_stub_value(at.path, at.local.stub_value,
                                        StubOrigin::of(at.path, *copied).encode());
    if (marked && marked->stamp.inode == at.local.stamp.inode) at.local = std::move(*marked);
  }
  co_return pushed(at, work, *copied);
}

Engine::Async<Step> Engine::push_removal(Case& at, Work& work) {
  // What moved away is copied from here first.
  if (!work.moved_to.empty()) {
    const auto target = work_.find(work.moved_to);
    auto seen = tree_->observe(work.moved_to);
    const bool there = seen && seen->kind != Kind::absent;  // else it has moved on
    if (there && target != work_.end() && target->second.local &&
        target->second.moved_from == at.path) {
      work.due = clock_.monotonic() + move_poll;
      co_return Step::later;
    }
  }
  const HomeKind kind = key_kind(static_cast<Kind>(at.base->kind));
  if (const auto etag = etag_under(at, kind)) {
    auto removed = co_await remote_.remove(at.path, kind, *etag);
    if (!removed) {
      (kind == HomeKind::directory ? work.remote_directory : work.remote_file) = true;
      if (removed.error().code == ErrorCode::precondition_failed) co_return Step::again;
      co_return std::unexpected(removed.error());
    }
    store_answered();
    remember_own(*removed);
  }
  at.fetched_file = at.fetched_directory = false;
  drop(at.path);
  if (kind == HomeKind::directory) {
    if (auto children = ledger_->below(at.path)) {
      for (const auto& child : *children) note_local(child);
    }
  }
  note_local(HomePath(parent_of(at.path)));
  co_return Step::done;
}

// Our directory keeps the name, so the store's file gets the conflict name, there first.
Engine::Async<Step> Engine::push_keeping_remote(Case& at, Work& work) {
  if (!at.file) co_return fail(ErrorCode::internal, "{}: no remote file to keep", at.path);
  HomePath kept;
  for (unsigned attempt = 1; attempt <= 100 && kept.empty(); ++attempt) {
    HomePath name = conflict_path(at.path, config_.host, clock_.now(), attempt);
    auto seen = tree_->observe(name);
    if (seen && seen->kind == Kind::absent) kept = std::move(name);
  }
  UploadSpec spec;
  spec.path = kept;
  spec.attributes.mtime = TimePoint(std::chrono::nanoseconds(at.file->mtime_ns));
  spec.attributes.mode = at.file->mode;
  if (!at.file->hash.empty()) spec.attributes.hash = at.file->hash;
  spec.attributes.xattrs = at.file->xattrs;
  auto copied = co_await remote_.copy({at.path, at.file->version, at.file->etag}, std::move(spec));
  if (!copied) {
    work.remote_file = true;
    co_return std::unexpected(copied.error());
  }
  ++conflicts_;
  auto removed = co_await remote_.remove(at.path, HomeKind::file, ETag(at.file->etag));
  if (!removed) {
    work.remote_file = true;
    if (removed.error().code == ErrorCode::precondition_failed) co_return Step::again;
    co_return std::unexpected(removed.error());
  }
  remember_own(*removed);
  at.file.reset();  // fetched, and absent now
  note_remote(kept, HomeKind::file, copied->version, copied->sequence);
  co_return Step::again;
}

}  // namespace holdfast::syncd

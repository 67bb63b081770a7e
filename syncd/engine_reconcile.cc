// One attempt at one path: gather what tree, base and store hold, plan, carry out, look again.
#include <sys/stat.h>

#include "base/log.h"
#include "syncd/engine.h"
#include "syncd/engine_rows.h"
#include "syncd/home_paths.h"

namespace holdfast::syncd {

namespace asio = boost::asio;

namespace {

constexpr int most_rounds = 16;
// A write within one tick of the look leaves equal stamps on kernels before 6.13 (git's "racily
// clean"); such stamps prove nothing.
constexpr std::int64_t racy_ns = 12'000'000;
constexpr std::uint64_t read_inline_bytes = 64u << 10;

bool is_plain_md5(const std::string& etag) {
  return etag.size() == 32 && etag.find('-') == std::string::npos;
}

// The bytes that `base` names are those of `content`, as far as can be proven.
bool proves_equal(const std::string& hash, const std::string& etag, std::uint64_t size,
                  const Content& content, std::uint64_t content_size) {
  if (size != content_size) return false;
  if (!hash.empty()) return hash == content.hash;
  return !content.md5.empty() && is_plain_md5(etag) && etag == content.md5;
}

std::uint64_t size_of(const Observed& local) {
  return local.kind == Kind::symlink ? local.target.size() : local.stamp.size;
}

std::string metadata_token(Kind kind, std::uint32_t mode, std::int64_t mtime_ns,
                           const std::string& xattrs, const std::string& link) {
  if (kind == Kind::symlink) return fmt::format("{}", mtime_ns);
  if (kind == Kind::directory) return fmt::format("{:o} {}", mode & 07777, mtime_ns);
  return fmt::format("{:o} {} {} {}", mode & 07777, mtime_ns, xattrs, link);
}

}  // namespace

asio::awaitable<void> Engine::run(HomePath path) {
  // The engine outlives its tasks, whoever lets go of it first.
  const auto self = shared_from_this();
  Work& work = work_.at(path);
  const std::uint64_t generation = work.generation;
  auto result = co_await attempt(path, work);
  finish(path, generation, std::move(result));
}

Engine::Async<Step> Engine::attempt(HomePath path, Work& work) {
  Case at;
  at.path = path;
  Result<Step> step = Step::again;
  for (int round = 0; round < most_rounds && step && *step == Step::again; ++round) {
    if (stopping_) {
      step = fail(ErrorCode::cancelled, "the home is being closed");
      break;
    }
    auto gathered = co_await gather(at, work);
    if (!gathered) {
      step = std::unexpected(gathered.error());
      break;
    }
    const Action action = plan(at.situation);
    spdlog::debug("syncd: {}: {}", log_field(path), to_string(action));
    step = co_await act(action, at, work);
  }
  if (step && *step == Step::again) step = fail(ErrorCode::conflict, "{} does not settle", path);
  if (step && *step == Step::done && work.wanted) {
    auto filled = co_await hydrate(path);
    // Emptied or replaced meanwhile: what is there now needs no filling, or that of another
    // version.
    if (!filled && filled.error().code == ErrorCode::conflict) filled = co_await hydrate(path);
    if (!filled) step = std::unexpected(filled.error());
    work.wanted = false;
  }
  if (!step) spdlog::debug("syncd: {}: {}", log_field(path), log_field(step.error().context));
  if (!step || *step != Step::done) {
    // What was learned of the store is forgotten, so it must be asked again.
    work.remote_file |= at.fetched_file;
    work.remote_directory |= at.fetched_directory;
  }
  co_return step;
}

Engine::Async<void> Engine::gather(Case& at, Work& work) {
  auto local = tree_->observe(at.path);
  if (!local) co_return std::unexpected(local.error());
  at.local = std::move(*local);
  auto base = ledger_->find(at.path);
  if (!base) co_return std::unexpected(base.error());
  at.base = std::move(*base);
  if (auto fetched = co_await fetch_remote(at, work); !fetched) co_return fetched;
  if (auto identified = co_await identify_local(at); !identified) co_return identified;
  at.situation.local = {.known = true, .node = local_node(at)};
  at.situation.base = base_node(at);
  at.situation.remote = {.known = true, .node = remote_node(at)};
  co_return Result<void>();
}

Engine::Async<void> Engine::fetch_remote(Case& at, Work& work) {
  const auto is_echo = [&](const std::string& version) {
    return at.base && !version.empty() && at.base->version == version;
  };
  if (is_echo(work.file_version)) work.remote_file = false;
  if (is_echo(work.directory_version)) work.remote_directory = false;
  // What is parked is not as the base says, so neither key may be presumed.
  if (ledger_->parked().contains(at.path)) {
    work.remote_file |= !at.fetched_file;
    work.remote_directory |= !at.fetched_directory;
  }
  for (const auto kind : {HomeKind::file, HomeKind::directory}) {
    const bool file = kind == HomeKind::file;
    bool& flag = file ? work.remote_file : work.remote_directory;
    if (!flag) continue;
    flag = false;  // a note that comes while we ask sets it again
    auto found = co_await remote_.look(at.path, kind);
    if (!found) {
      flag = true;
      co_return std::unexpected(found.error());
    }
    store_answered();
    (file ? at.fetched_file : at.fetched_directory) = true;
    (file ? at.file : at.directory) = std::move(*found);
  }
  // An upload whose answer never came, found by its operation id: it is what both sides agreed on.
  const RemoteNode* node = at.fetched();
  const bool from_this_run = node && !work.operation.empty() && node->operation == work.operation;
  // Of the run before nobody knows whether what is not here was removed or lost: it comes back.
  const bool from_last_run = node && at.local.kind != Kind::absent &&
                             (work.from_merge || !merged_) && was_ours_before(node->operation);
  if ((from_this_run || from_last_run) &&
      (!at.base || at.base->version != node->version || at.base->etag != node->etag)) {
    BaseRow row = row_of(at.path, *node, Observed{});
    row.stub = at.base && at.base->stub;
    save(row);
    at.base = std::move(row);
    end_operation(work);
    ++uploaded_;
  }
  // The tree may have moved while the store was asked.
  auto local = tree_->observe(at.path);
  if (!local) co_return std::unexpected(local.error());
  at.local = std::move(*local);
  co_return Result<void>();
}

// Equal stamps that were taken well after the last change: nobody wrote since.
bool Engine::is_unchanged(const Case& at) const {
  if (!at.base || at.base->stub || at.base->inode == 0) return false;
  const Stamp& now = at.local.stamp;
  const BaseRow& row = *at.base;
  return static_cast<Kind>(row.kind) == at.local.kind && row.inode == now.inode &&
         row.local_size == now.size && row.local_mtime_ns == now.mtime_ns &&
         row.local_ctime_ns == now.ctime_ns && row.looked_ns - row.local_ctime_ns > racy_ns;
}

Engine::Async<void> Engine::identify_local(Case& at) {
  const bool readable = at.local.kind == Kind::file && !at.local.stub;
  if (at.content && (!readable || at.content->stamp != at.local.stamp)) at.content.reset();
  if (at.content) co_return Result<void>();
  const RemoteNode* remote = at.fetched();
  const bool md5 = (at.base && at.base->hash.empty()) || (remote && remote->hash.empty());
  const Md5 which = md5 ? Md5::compute : Md5::skip;
  if (at.local.kind == Kind::symlink) {
    at.content = identify_text(at.local.target, which);
    at.content->stamp = at.local.stamp;
    co_return Result<void>();
  }
  if (!readable || is_unchanged(at)) co_return Result<void>();
  Result<Content> content = Content{};
  std::function<Result<void>()> work = [&]() -> Result<void> {
    content = identify(*tree_, at.path, which);
    if (!content) return std::unexpected(content.error());
    return {};
  };
  auto done = at.local.stamp.size <= read_inline_bytes ? work() : co_await offload(work);
  if (!done) co_return done;
  at.local.stamp = content->stamp;
  at.content = std::move(*content);
  co_return Result<void>();
}

std::string Engine::link_group(const Case& at) const {
  if (at.base && !at.base->link.empty()) return at.base->link;
  if (at.local.kind != Kind::file || at.local.stamp.links < 2) return {};
  return "l" + short_digest(fmt::format("{} {}", instance_, at.local.stamp.inode));
}

Node Engine::base_node(const Case& at) const {
  if (!at.base) return {};
  const BaseRow& row = *at.base;
  const auto kind = static_cast<Kind>(row.kind);
  return {.kind = kind,
          .content = kind == Kind::directory ? "" : "base",
          .metadata = metadata_token(kind, row.mode, row.mtime_ns, row.xattrs, row.link)};
}

Node Engine::local_node(const Case& at) const {
  const Observed& local = at.local;
  Node node{.kind = local.kind};
  if (node.kind == Kind::absent || node.kind == Kind::other) return node;
  node.metadata = metadata_token(node.kind, local.stamp.mode, local.stamp.mtime_ns,
                                 xattrs_digest(local.xattrs), link_group(at));
  if (node.kind == Kind::directory) return node;
  const bool comparable = at.base && static_cast<Kind>(at.base->kind) == node.kind;
  if (local.stub) {
    const StubOrigin origin = StubOrigin::decode(local.stub_value);
    node.content = comparable && origin.is_of(*at.base) ? "base" : "stub " + local.stub_value;
    return node;
  }
  if (!at.content) {
    node.content = "base";
    return node;
  }
  const bool equal = comparable && proves_equal(at.base->hash, at.base->etag, at.base->size,
                                                *at.content, size_of(local));
  node.content = equal ? "base" : "hash " + at.content->hash;
  return node;
}

bool Engine::holds_directory(const Case& at) const {
  const bool base_directory = at.base && static_cast<Kind>(at.base->kind) == Kind::directory;
  // An implicit directory has no object whose absence would say anything.
  if (base_directory && at.base->implicit) return true;
  return at.fetched_directory ? at.directory.has_value() : base_directory;
}

bool Engine::holds_file(const Case& at) const {
  if (at.fetched_file) return at.file.has_value();
  return at.base && static_cast<Kind>(at.base->kind) != Kind::directory;
}

bool Engine::holds_both(const Case& at) const { return holds_directory(at) && holds_file(at); }

Node Engine::remote_node(const Case& at) const {
  const bool base_file = at.base && static_cast<Kind>(at.base->kind) != Kind::directory;
  const bool directory = holds_directory(at);
  const bool file = holds_file(at);
  if (!directory && !file) return {};
  const bool fetched = directory ? at.fetched_directory && at.directory : at.fetched_file;
  if (!fetched) return base_node(at);
  const RemoteNode& remote = directory ? *at.directory : *at.file;
  Node node{.kind = remote.kind,
            .metadata = metadata_token(remote.kind, remote.mode, remote.mtime_ns,
                                       xattrs_digest(remote.xattrs), remote.link)};
  if (node.kind == Kind::directory) return node;
  if (base_file && static_cast<Kind>(at.base->kind) == remote.kind) {
    const bool version = !remote.version.empty() && remote.version == at.base->version;
    const bool hash = !remote.hash.empty() && remote.hash == at.base->hash;
    const bool etag = is_plain_md5(remote.etag) && remote.etag == at.base->etag;
    if (version || ((hash || etag) && remote.size == at.base->size)) {
      node.content = "base";
      return node;
    }
  }
  if (at.content && remote.kind == at.local.kind &&
      proves_equal(remote.hash, remote.etag, remote.size, *at.content, size_of(at.local))) {
    node.content = local_node(at).content;
    return node;
  }
  // A stub stands for a version, whatever the base has forgotten.
  if (at.local.stub && at.local.stamp.size == remote.size &&
      StubOrigin::decode(at.local.stub_value).is_of(row_of(at.path, remote, {}))) {
    node.content = local_node(at).content;
    return node;
  }
  node.content = "etag " + remote.etag + " " + remote.version;
  return node;
}

// Local and base say the same: the base learns the newest version and the newest stamps.
Step Engine::settle(Case& at) {
  const RemoteNode* node = at.fetched();
  if (at.local.kind == Kind::absent) {
    drop(at.path);
    return Step::done;
  }
  if (node) {
    BaseRow row = row_of(at.path, *node, at.local);
    if (row.hash.empty() && at.content) row.hash = at.content->hash;
    save(std::move(row));
  } else if (at.base && !is_unchanged(at)) {
    BaseRow row = *at.base;
    stamp_row(row, at.local);
    if (row.hash.empty() && at.content) row.hash = at.content->hash;
    save(std::move(row));
  }
  ledger_->unpark(at.path);
  return Step::done;
}

bool Engine::awaits_decision(const HomePath& path) const {
  const auto parked = ledger_->parked().find(path);
  return parked != ledger_->parked().end() &&
         (parked->second == burst_here || parked->second == burst_there);
}

Engine::Async<Step> Engine::act(Action action, Case& at, Work& work) {
  if (holds_both(at)) {
    // Only two answers of the store make that certain; then the directory keeps the name.
    const bool implicit = at.base && at.base->implicit;
    const bool certain = at.fetched_file && (at.fetched_directory || implicit);
    if (certain) co_return co_await push_keeping_remote(at, work);
    work.remote_file |= !at.fetched_file;
    work.remote_directory |= !at.fetched_directory;
    work.file_version.clear();  // asked whatever the notes say
    work.directory_version.clear();
    co_return Step::again;
  }
  switch (action) {
    case Action::settled:
    case Action::adopt:
    case Action::forget:
      co_return settle(at);
    case Action::wait:
      co_return fail(ErrorCode::unavailable, "{}: not known yet", at.path);
    case Action::skip:
      ledger_->park(at.path, "sockets, pipes and devices are not kept");
      co_return Step::done;
    case Action::push:
      co_return co_await push(at, work);
    case Action::push_metadata:
      co_return co_await push_metadata(at, work);
    case Action::push_removal:
      if (awaits_decision(at.path)) co_return Step::done;
      co_return co_await push_removal(at, work);
    case Action::push_keeping_remote:
      co_return co_await push_keeping_remote(at, work);
    case Action::pull:
      co_return co_await pull(at, work, Displaced::as_observed);
    case Action::pull_keeping_local:
      co_return co_await pull(at, work, Displaced::keep_always);
    case Action::pull_metadata:
      co_return co_await pull_metadata(at, work);
    case Action::pull_removal:
      if (awaits_decision(at.path)) co_return Step::done;
      co_return co_await pull_removal(at, work);
  }
  co_return fail(ErrorCode::internal, "no such action");
}

void Engine::save(BaseRow row) {
  auto before = ledger_->find(row.path);
  if (before && *before && (*before)->stub && stubs_ > 0) --stubs_;
  if (row.stub) ++stubs_;
  const bool directory = static_cast<Kind>(row.kind) == Kind::directory;
  const HomePath path = row.path;
  ledger_->put(std::move(row));
  if (directory) unblock(path);
}

void Engine::drop(const HomePath& path) {
  auto before = ledger_->find(path);
  if (before && *before && (*before)->stub && stubs_ > 0) --stubs_;
  ledger_->erase(path);
  ledger_->unpark(path);
  unblock(path);
}

}  // namespace holdfast::syncd

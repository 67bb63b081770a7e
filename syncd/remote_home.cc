#include "syncd/remote_home.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/event.h"
#include "base/task_group.h"

namespace holdfast::syncd {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t part_bytes = 16u << 20;
constexpr std::uint64_t most_parts = 10'000;  // S3's limit
constexpr std::size_t parts_at_once = 4;

std::int64_t to_ns(TimePoint time) { return time.time_since_epoch().count(); }

// Other writers say nothing of modes: what a umask of 022 gives.
std::uint32_t mode_of(Kind kind, std::optional<std::uint32_t> said) {
  switch (kind) {
    case Kind::directory:
      return S_IFDIR | (said ? *said & 07777 : 0755);
    case Kind::symlink:
      return S_IFLNK | 0777;
    default:
      return S_IFREG | (said ? *said & 07777 : 0644);
  }
}

std::uint64_t part_size_for(std::uint64_t total) {
  const std::uint64_t least = (total + most_parts - 1) / most_parts;
  return std::max(part_bytes, (least + (1u << 20) - 1) >> 20 << 20);
}

store::WriteConditions conditions_of(const UploadSpec& spec) {
  return {.if_match = spec.replaces, .if_none_match_any = !spec.replaces};
}

// Shared by the coroutines that send the parts of one upload.
struct PartsJob {
  store::PartRequest request;
  std::uint64_t total = 0, part = 0;
  std::uint32_t next = 0, count = 0;
  std::vector<store::CompletedPart> done;
  std::optional<Error> failure;
};

asio::awaitable<void> send_parts(store::ObjectStore& store, std::shared_ptr<PartsJob> job,
                                 const HomeTree& tree, std::shared_ptr<Fd> file, Stamp stamp,
                                 Offload offload) {
  while (!job->failure && job->next < job->count) {
    const std::uint32_t index = job->next++;
    const std::uint64_t offset = index * job->part;
    const std::uint64_t length = std::min(job->part, job->total - offset);
    store::PartRequest request = job->request;
    request.number = index + 1;
    request.size = length;
    auto reader = make_fenced_reader(tree, file, stamp, offset, length, offload);
    auto sent = co_await store.put_part(request, *reader);
    if (!sent) {
      job->failure = sent.error();
      co_return;
    }
    job->done[index] = {.number = index + 1, .etag = sent->etag, .checksums = {}};
  }
}

}  // namespace

Result<ObjectKey> RemoteHome::key_of(const std::string& path, HomeKind kind) const {
  auto key = s3::key_of(prefix_, s3::HomeName{path, kind});
  if (!key) return std::unexpected(key.error());
  return ObjectKey(std::move(*key));
}

std::optional<s3::HomeName> RemoteHome::name_of(const ObjectKey& key) const {
  return s3::name_of(prefix_, key.value);
}

RemoteNode RemoteHome::node_of(const store::ObjectInfo& info, HomeKind kind) {
  auto attributes = s3::decode_attributes(info.attributes.metadata);
  RemoteNode node;
  const bool link = attributes.mode && S_ISLNK(*attributes.mode);
  node.kind = kind == HomeKind::directory ? Kind::directory : link ? Kind::symlink : Kind::file;
  node.version = info.version.value;
  node.etag = info.etag.value;
  node.sequence = info.sequence;
  node.modified_ns = to_ns(info.modified);
  node.size = info.size;
  node.mtime_ns = to_ns(attributes.mtime.value_or(info.modified));
  node.mode = mode_of(node.kind, attributes.mode);
  node.hash = attributes.hash.value_or("");
  node.link = attributes.link.value_or("");
  node.operation = attributes.operation.value_or("");
  node.xattrs = std::move(attributes.xattrs);
  return node;
}

RemoteHome::Async<std::optional<RemoteNode>> RemoteHome::look(std::string path, HomeKind kind) {
  auto key = key_of(path, kind);
  if (!key) co_return std::unexpected(key.error());
  store::GetRequest request;
  request.bucket = bucket_;
  request.key = *key;
  auto found = co_await store_.head(request);
  if (found) co_return std::optional(node_of(found->info, kind));
  // A missing bucket is a missing answer, not an empty home.
  if (found.error().code == ErrorCode::no_such_key) co_return std::optional<RemoteNode>();
  co_return std::unexpected(found.error());
}

Result<store::ObjectAttributes> RemoteHome::attributes_of(const UploadSpec& spec) const {
  auto metadata = s3::encode_attributes(spec.attributes);
  if (!metadata && !spec.attributes.xattrs.empty()) {
    // Too much for S3's 2 KiB: the bytes of the file matter more than its attributes.
    auto fewer = spec.attributes;
    fewer.xattrs.clear();
    metadata = s3::encode_attributes(fewer);
  }
  if (!metadata) return std::unexpected(metadata.error());
  store::ObjectAttributes attributes;
  attributes.metadata = std::move(*metadata);
  if (spec.kind == HomeKind::directory) attributes.content_type = "application/x-directory";
  return attributes;
}

RemoteNode RemoteHome::written(const UploadSpec& spec, store::PutResult result) const {
  RemoteNode node;
  const auto mode = spec.attributes.mode.value_or(0);
  node.kind = spec.kind == HomeKind::directory ? Kind::directory
              : S_ISLNK(mode)                  ? Kind::symlink
                                               : Kind::file;
  node.version = std::move(result.version.value);
  node.etag = std::move(result.etag.value);
  node.sequence = result.sequence;
  node.modified_ns = to_ns(result.modified);
  node.size = result.size;
  node.mtime_ns = to_ns(spec.attributes.mtime.value_or(result.modified));
  node.mode = mode_of(node.kind, mode);
  node.hash = spec.attributes.hash.value_or("");
  node.link = spec.attributes.link.value_or("");
  node.operation = spec.attributes.operation.value_or("");
  node.xattrs = spec.attributes.xattrs;
  return node;
}

RemoteHome::Async<RemoteNode> RemoteHome::put(UploadSpec spec, BodyReader& body) {
  auto key = key_of(spec.path, spec.kind);
  if (!key) co_return std::unexpected(key.error());
  auto attributes = attributes_of(spec);
  if (!attributes) co_return std::unexpected(attributes.error());
  store::PutRequest request;
  request.bucket = bucket_;
  request.key = *key;
  request.attributes = std::move(*attributes);
  request.conditions = conditions_of(spec);
  request.size = body.size();
  auto done = co_await store_.put(std::move(request), body);
  if (!done) co_return std::unexpected(done.error());
  done->size = body.size().value_or(done->size);
  co_return written(spec, std::move(*done));
}

RemoteHome::Async<RemoteNode> RemoteHome::put_parts(UploadSpec spec, const HomeTree& tree,
                                                    std::shared_ptr<Fd> file, Stamp stamp,
                                                    Offload offload) {
  auto key = key_of(spec.path, spec.kind);
  if (!key) co_return std::unexpected(key.error());
  auto attributes = attributes_of(spec);
  if (!attributes) co_return std::unexpected(attributes.error());
  store::CreateUploadRequest create;
  create.bucket = bucket_;
  create.key = *key;
  create.attributes = std::move(*attributes);
  auto upload = co_await store_.create_upload(std::move(create));
  if (!upload) co_return std::unexpected(upload.error());

  auto job = std::make_shared<PartsJob>();
  job->request.bucket = bucket_;
  job->request.key = *key;
  job->request.upload = *upload;
  job->total = stamp.size;
  job->part = part_size_for(stamp.size);
  job->count = static_cast<std::uint32_t>((stamp.size + job->part - 1) / job->part);
  job->done.resize(job->count);
  TaskGroup senders(strand_);
  for (std::size_t i = 0; i < std::min<std::size_t>(parts_at_once, job->count); ++i) {
    senders.spawn("upload parts", send_parts(store_, job, tree, file, stamp, offload));
  }
  co_await senders.wait_idle();

  auto failure = job->failure;
  if (!failure) {
    auto now = tree.stamp_of(file->get());
    if (!now) failure = now.error();
    if (now && *now != stamp) {
      failure = Error{ErrorCode::conflict, "the file changed while it was read"};
    }
  }
  if (!failure) {
    store::CompleteRequest complete;
    complete.bucket = bucket_;
    complete.key = *key;
    complete.upload = *upload;
    complete.parts = job->done;
    complete.conditions = conditions_of(spec);
    auto done = co_await store_.complete_upload(std::move(complete));
    if (done) {
      done->size = stamp.size;
      co_return written(spec, std::move(*done));
    }
    failure = done.error();
  }
  (void)co_await store_.abort_upload(bucket_, *key, *upload);
  co_return std::unexpected(*failure);
}

RemoteHome::Async<RemoteNode> RemoteHome::copy(CopySource source, UploadSpec spec) {
  auto key = key_of(spec.path, spec.kind);
  if (!key) co_return std::unexpected(key.error());
  auto from = key_of(source.path, HomeKind::file);
  if (!from) co_return std::unexpected(from.error());
  auto attributes = attributes_of(spec);
  if (!attributes) co_return std::unexpected(attributes.error());
  store::CopyRequest request;
  request.source_bucket = bucket_;
  request.source_key = *from;
  if (!source.version.empty()) request.source_version = VersionId(source.version);
  request.source_conditions.if_match = {ETag(source.etag)};
  request.bucket = bucket_;
  request.key = *key;
  request.conditions = conditions_of(spec);
  request.replace = std::move(*attributes);
  auto done = co_await store_.copy(std::move(request));
  if (!done) co_return std::unexpected(done.error());
  co_return written(spec, std::move(*done));
}

RemoteHome::Async<std::string> RemoteHome::remove(std::string path, HomeKind kind, ETag etag) {
  auto key = key_of(path, kind);
  if (!key) co_return std::unexpected(key.error());
  store::DeleteRequest request;
  request.bucket = bucket_;
  request.key = *key;
  request.conditions.if_match = etag;
  auto done = co_await store_.remove(request);
  if (done) co_return done->version.value;
  if (done.error().code == ErrorCode::no_such_key) co_return std::string();
  if (done.error().code != ErrorCode::not_supported) co_return std::unexpected(done.error());
  // An endpoint without conditional deletes: the next best is to look right before.
  auto present = co_await look(path, kind);
  if (!present) co_return std::unexpected(present.error());
  if (!*present) co_return std::string();
  if ((*present)->etag != etag.value) {
    co_return fail(ErrorCode::precondition_failed, "remove {}: it changed in the store", path);
  }
  request.conditions = {};
  auto removed = co_await store_.remove(request);
  if (!removed) co_return std::unexpected(removed.error());
  co_return removed->version.value;
}

RemoteHome::Async<store::GetResult> RemoteHome::read(std::string path, std::string version,
                                                     std::string etag) {
  auto key = key_of(path, HomeKind::file);
  if (!key) co_return std::unexpected(key.error());
  store::GetRequest request;
  request.bucket = bucket_;
  request.key = *key;
  if (!version.empty()) request.version = VersionId(version);
  request.conditions.if_match = {ETag(etag)};
  co_return co_await store_.get(std::move(request));
}

}  // namespace holdfast::syncd

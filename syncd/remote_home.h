// RemoteHome: one home's objects, in the words of the engine. Paths become keys and attributes
// become metadata (s3/home_format.h) here and nowhere else. Every write carries what it expects to
// replace. All calls on the engine's strand. Errors are the store's; a key that cannot be is
// invalid_name.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>

#include "s3/home_format.h"
#include "store/object_store.h"
#include "syncd/content.h"
#include "syncd/planner.h"

namespace holdfast::syncd {

using s3::HomeKind;

// What the store holds under one key of the home.
struct RemoteNode {
  Kind kind = Kind::absent;
  std::string version, etag;
  std::uint64_t sequence = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint32_t mode = 0;  // full st_mode, its type bits those of `kind`
  std::string hash, link, operation;
  std::map<std::string, std::string> xattrs;
};

struct UploadSpec {
  std::string path;
  HomeKind kind = HomeKind::file;
  s3::HomeAttributes attributes;
  std::optional<ETag> replaces;  // nullopt: nothing is there yet
};

struct CopySource {
  std::string path, version, etag;
};

class RemoteHome {
 public:
  template <class T>
  using Async = boost::asio::awaitable<Result<T>>;

  RemoteHome(boost::asio::any_io_executor strand, store::ObjectStore& store, BucketName bucket,
             std::string prefix)
      : strand_(std::move(strand)),
        store_(store),
        bucket_(std::move(bucket)),
        prefix_(std::move(prefix)) {}

  Result<ObjectKey> key_of(const std::string& path, HomeKind kind) const;
  std::optional<s3::HomeName> name_of(const ObjectKey& key) const;
  const BucketName& bucket() const { return bucket_; }
  const std::string& prefix() const { return prefix_; }
  static RemoteNode node_of(const store::ObjectInfo& info, HomeKind kind);

  // nullopt is proof of absence; everything that is not proof is an error.
  Async<std::optional<RemoteNode>> look(std::string path, HomeKind kind);
  Async<RemoteNode> put(UploadSpec spec, BodyReader& body);
  // As parts in parallel, read through fences; committed only after the file was found unchanged.
  Async<RemoteNode> put_parts(UploadSpec spec, const HomeTree& tree, std::shared_ptr<Fd> file,
                              Stamp stamp, Offload offload);
  // Moves no data: the bytes of `source` under the name and attributes of `spec`.
  Async<RemoteNode> copy(CopySource source, UploadSpec spec);
  // Answers the version of the delete marker. Removing what is gone succeeds.
  Async<std::string> remove(std::string path, HomeKind kind, ETag etag);
  Async<store::GetResult> read(std::string path, std::string version, std::string etag);

 private:
  Result<store::ObjectAttributes> attributes_of(const UploadSpec& spec) const;
  RemoteNode written(const UploadSpec& spec, store::PutResult result) const;

  boost::asio::any_io_executor strand_;
  store::ObjectStore& store_;
  BucketName bucket_;
  std::string prefix_;
};

}  // namespace holdfast::syncd

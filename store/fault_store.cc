#include "store/fault_store.h"

#include <algorithm>

#include "base/event.h"

namespace holdfast::store {
namespace {

std::unexpected<Error> lost(const Fault& fault) {
  return fail(fault.code, "injected: the {} was lost",
              fault.kind == Fault::Kind::after ? "answer" : "request");
}

// Gives `left` bytes of the source, then fails; so does a source that ends earlier.
class CutReader final : public BodyReader {
 public:
  CutReader(BodyReader& source, const Fault& fault) : source_(&source), fault_(fault) {}
  CutReader(std::unique_ptr<BodyReader> source, const Fault& fault)
      : owned_(std::move(source)), source_(owned_.get()), fault_(fault) {}

  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    const std::uint64_t left = fault_.cut_after - done_;
    if (left == 0) co_return fail(fault_.code, "injected: the body was cut");
    auto got = co_await source_->read(out.first(std::min<std::uint64_t>(out.size(), left)));
    if (got && *got == 0) co_return fail(fault_.code, "injected: the body was cut at its end");
    if (got) done_ += *got;
    co_return got;
  }
  std::optional<std::uint64_t> size() const override { return source_->size(); }

 private:
  std::unique_ptr<BodyReader> owned_;
  BodyReader* source_;
  Fault fault_;
  std::uint64_t done_ = 0;
};

}  // namespace

Fault SeededFaults::next(Operation operation) {
  // Always as many draws: the sequence does not depend on the rates.
  const std::uint64_t what = random_.below(1000);
  const std::uint64_t late = random_.below(1000);
  const std::uint64_t amount = random_.next_u64();
  Fault fault;
  const bool has_body = operation == Operation::read || operation == Operation::write;
  if (what < rates_.before) {
    fault.kind = Fault::Kind::before;
  } else if (what < rates_.before + rates_.after) {
    fault.kind = Fault::Kind::after;
  } else if (has_body && what < rates_.before + rates_.after + rates_.cut) {
    fault.kind = Fault::Kind::cut;
    fault.cut_after = amount % (rates_.longest_cut + 1);
  }
  if (late < rates_.late) {
    const auto bound = static_cast<std::uint64_t>(rates_.longest.count()) + 1;
    fault.latency = std::chrono::milliseconds(amount % bound);
  }
  return fault;
}

Fault ScriptedFaults::next(Operation operation) {
  const auto found = std::ranges::find(script_, operation, &std::pair<Operation, Fault>::first);
  if (found == script_.end()) return {};
  const Fault fault = found->second;
  script_.erase(found);
  return fault;
}

// An awaitable that is not awaited never starts: dropping it is losing the request.
template <class T>
Async<T> FaultStore::pass(Operation operation, Async<T> request) {
  const Fault fault = plan_.next(operation);
  if (fault.latency.count() > 0) co_await sleep_for(fault.latency);
  if (fault.kind == Fault::Kind::before) co_return lost(fault);
  auto answer = co_await std::move(request);
  if (fault.kind == Fault::Kind::after) co_return lost(fault);
  co_return answer;
}

Async<PutResult> FaultStore::put(PutRequest request, BodyReader& body) {
  const Fault fault = plan_.next(Operation::write);
  if (fault.latency.count() > 0) co_await sleep_for(fault.latency);
  if (fault.kind == Fault::Kind::before) co_return lost(fault);
  if (fault.kind == Fault::Kind::cut) {
    CutReader cut(body, fault);
    co_return co_await inner_.put(std::move(request), cut);
  }
  auto answer = co_await inner_.put(std::move(request), body);
  if (fault.kind == Fault::Kind::after) co_return lost(fault);
  co_return answer;
}

Async<PartInfo> FaultStore::put_part(PartRequest request, BodyReader& body) {
  const Fault fault = plan_.next(Operation::write);
  if (fault.latency.count() > 0) co_await sleep_for(fault.latency);
  if (fault.kind == Fault::Kind::before) co_return lost(fault);
  if (fault.kind == Fault::Kind::cut) {
    CutReader cut(body, fault);
    co_return co_await inner_.put_part(std::move(request), cut);
  }
  auto answer = co_await inner_.put_part(std::move(request), body);
  if (fault.kind == Fault::Kind::after) co_return lost(fault);
  co_return answer;
}

Async<GetResult> FaultStore::get(GetRequest request) {
  const Fault fault = plan_.next(Operation::read);
  if (fault.latency.count() > 0) co_await sleep_for(fault.latency);
  if (fault.kind == Fault::Kind::before) co_return lost(fault);
  auto answer = co_await inner_.get(std::move(request));
  if (fault.kind == Fault::Kind::after) co_return lost(fault);
  if (fault.kind == Fault::Kind::cut && answer) {
    std::unique_ptr<BodyReader> cut =
        std::make_unique<CutReader>(make_reader(std::move(answer->body)), fault);
    answer->body = std::move(cut);
  }
  co_return answer;
}

boost::asio::awaitable<std::vector<Result<DeleteResult>>> FaultStore::remove_many(
    std::vector<DeleteRequest> requests) {
  const Fault fault = plan_.next(Operation::remove);
  const std::size_t count = requests.size();
  if (fault.latency.count() > 0) co_await sleep_for(fault.latency);
  std::vector<Result<DeleteResult>> answers(count, lost(fault));
  if (fault.kind == Fault::Kind::before) co_return answers;
  auto given = co_await inner_.remove_many(std::move(requests));
  if (fault.kind == Fault::Kind::after) co_return answers;
  co_return given;
}

Async<void> FaultStore::create_bucket(BucketName name, bool object_lock) {
  return pass(Operation::bucket, inner_.create_bucket(std::move(name), object_lock));
}
Async<void> FaultStore::delete_bucket(BucketName name) {
  return pass(Operation::bucket, inner_.delete_bucket(std::move(name)));
}
Async<std::vector<BucketInfo>> FaultStore::list_buckets() {
  return pass(Operation::bucket, inner_.list_buckets());
}
Async<BucketInfo> FaultStore::head_bucket(BucketName name) {
  return pass(Operation::bucket, inner_.head_bucket(std::move(name)));
}
Async<void> FaultStore::set_versioning(BucketName name, Versioning versioning) {
  return pass(Operation::bucket, inner_.set_versioning(std::move(name), versioning));
}
Async<std::string> FaultStore::bucket_document(BucketName name, BucketDocument kind) {
  return pass(Operation::bucket, inner_.bucket_document(std::move(name), kind));
}
Async<void> FaultStore::set_bucket_document(BucketName name, BucketDocument kind,
                                            std::string text) {
  return pass(Operation::bucket,
              inner_.set_bucket_document(std::move(name), kind, std::move(text)));
}
Async<GetResult> FaultStore::head(GetRequest request) {
  return pass(Operation::read, inner_.head(std::move(request)));
}
Async<DeleteResult> FaultStore::remove(DeleteRequest request) {
  return pass(Operation::remove, inner_.remove(std::move(request)));
}
Async<PutResult> FaultStore::copy(CopyRequest request) {
  return pass(Operation::write, inner_.copy(std::move(request)));
}
Async<void> FaultStore::set_tags(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                                 std::map<std::string, std::string> tags) {
  return pass(Operation::write, inner_.set_tags(std::move(bucket), std::move(key),
                                                std::move(version), std::move(tags)));
}
Async<void> FaultStore::set_acl(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                                std::string acl) {
  return pass(Operation::write, inner_.set_acl(std::move(bucket), std::move(key),
                                               std::move(version), std::move(acl)));
}
Async<void> FaultStore::set_lock(LockRequest request) {
  return pass(Operation::write, inner_.set_lock(std::move(request)));
}
Async<ListPage> FaultStore::list(ListRequest request) {
  return pass(Operation::list, inner_.list(std::move(request)));
}
Async<ListVersionsPage> FaultStore::list_versions(ListVersionsRequest request) {
  return pass(Operation::list, inner_.list_versions(std::move(request)));
}
Async<UploadId> FaultStore::create_upload(CreateUploadRequest request) {
  return pass(Operation::write, inner_.create_upload(std::move(request)));
}
Async<PartInfo> FaultStore::copy_part(CopyPartRequest request) {
  return pass(Operation::write, inner_.copy_part(std::move(request)));
}
Async<PutResult> FaultStore::complete_upload(CompleteRequest request) {
  return pass(Operation::write, inner_.complete_upload(std::move(request)));
}
Async<void> FaultStore::abort_upload(BucketName bucket, ObjectKey key, UploadId upload) {
  return pass(Operation::write,
              inner_.abort_upload(std::move(bucket), std::move(key), std::move(upload)));
}
Async<ListPartsPage> FaultStore::list_parts(ListPartsRequest request) {
  return pass(Operation::list, inner_.list_parts(std::move(request)));
}
Async<ListUploadsPage> FaultStore::list_uploads(ListUploadsRequest request) {
  return pass(Operation::list, inner_.list_uploads(std::move(request)));
}
Async<ChangesPage> FaultStore::changes(ChangesRequest request) {
  return pass(Operation::changes, inner_.changes(std::move(request)));
}

}  // namespace holdfast::store

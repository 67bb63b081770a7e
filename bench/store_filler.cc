#include "bench/store_filler.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "base/encoding.h"
#include "s3/checksum.h"
#include "store/conditions.h"
#include "store/local_store.h"
#include "store/log_format.h"

namespace holdfast {
namespace {

constexpr std::size_t group_records = 512;
constexpr std::uint64_t feed_reach = 1'000'000;

}  // namespace

BenchRows::BenchRows(const std::string& path, std::uint64_t objects)
    : catalogue_(must(index::Catalogue::open(path, index::Catalogue::Role::unsynced_writer),
                      "open the index")),
      state_(must(catalogue_.state(), "read the index")) {
  state_.feed_after = objects > feed_reach ? state_.sequence + objects - feed_reach : 0;
}

void BenchRows::add(const store::PutVersionOp& op, std::uint64_t sequence,
                    store::LogPosition body) {
  if (pending_ == 0) must(catalogue_.begin(), "begin");
  auto extents = op.extents;
  extents.front().piece.home = store::Piece::Home::segment;
  extents.front().piece.segment = body.segment;
  extents.front().piece.offset = body.offset;
  const index::VersionRow row{
      op.bucket, op.key,  sequence, op.version, false,
      op.etag,   op.size, op.time,  op.meta,    store::encode_extents(extents)};
  must(catalogue_.insert_current(row), "write a row");
  if (sequence > state_.feed_after) {
    must(catalogue_.insert_change(
             {op.bucket, sequence, 0, op.key, op.version, op.etag, op.size, op.time}),
         "write to the feed");
  }
  live_[body.segment] += static_cast<std::int64_t>(op.size);
  bucket_ = op.bucket;
  bytes_ += static_cast<std::int64_t>(op.size);
  state_.row_bytes +=
      static_cast<std::int64_t>(100 + row.key.size() + row.version.size() + row.etag.size() +
                                row.meta.size() + row.extents.size());
  state_.segment = body.segment;
  state_.offset = body.offset + op.size;
  state_.sequence = sequence;
  if (++pending_ == 100'000) commit();
}

void BenchRows::commit() {
  if (pending_ == 0) return;
  for (const auto& [segment, bytes] : std::exchange(live_, {})) {
    must(catalogue_.add_live_bytes(segment, bytes), "count a segment");
  }
  must(catalogue_.add_usage(bucket_, std::exchange(bytes_, 0),
                            static_cast<std::int64_t>(std::exchange(pending_, 0))),
       "count the bucket");
  must(catalogue_.set_state(state_), "write the state");
  must(catalogue_.commit(), "commit");
}

StoreFiller::StoreFiller(const std::string& directory) : directory_(directory) {
  auto catalogue =
      must(index::Catalogue::open(index_path(), index::Catalogue::Role::reader), "open the index");
  const auto state = must(catalogue.state(), "read the index");
  const auto bucket = must(catalogue.find_bucket(bench_bucket.value), "find the bucket");
  if (!bucket) std::exit(1);
  bucket_ = bucket->id;
  sequence_ = state.sequence + 1;
  log_.emplace(must(store::LogWriter::open({directory + "/log", 128u << 20, false},
                                           {state.segment, state.offset}, sequence_),
                    "open the log"));
  body_.assign(bench_body_bytes, 'x');
  op_.bucket = bucket_;
  op_.version = "null";
  op_.etag = to_hex(as_bytes(s3::digest_of(s3::Algorithm::md5, body_)));
  op_.size = bench_body_bytes;
  op_.time = 1'700'000'000'000'000'000;
  store::ObjectMeta meta;
  meta.attributes.content_type = "application/octet-stream";
  meta.checksums.push_back({store::ChecksumAlgorithm::crc64nvme, store::ChecksumType::full_object,
                            to_base64(as_bytes(s3::digest_of(s3::Algorithm::crc64nvme, body_)))});
  op_.meta = store::encode_meta(meta);
  store::Extent extent;
  extent.piece.length = bench_body_bytes;
  extent.piece.checksum = store::checksum_of(body_);
  extent.length = bench_body_bytes;
  op_.extents = {extent};
}

void StoreFiller::object(std::string key, BenchRows* rows) {
  op_.key = std::move(key);
  op_.time += 1000;
  const auto body = append(op_, body_);
  if (rows != nullptr) rows->add(op_, sequence_ - 1, body);
}

void StoreFiller::upload(std::string key, std::string id) {
  constexpr std::uint64_t part_bytes = store::min_part_bytes;
  static const std::string zeros(part_bytes, '\0');
  static const std::uint64_t checksum = store::checksum_of(zeros);
  static const std::string etag = to_hex(as_bytes(s3::digest_of(s3::Algorithm::md5, zeros)));
  append(
      store::CreateUploadOp{bucket_, std::move(key), id, op_.time, store::encode_upload_meta({})},
      {});
  for (std::uint32_t number = 1; number <= bench_part_count; ++number) {
    store::Extent extent;
    extent.piece.home = store::Piece::Home::blob;
    extent.piece.blob = random_.hex(16);
    extent.piece.length = part_bytes;
    extent.piece.checksum = checksum;
    extent.length = part_bytes;
    const std::string folder = directory_ + "/blobs/" + extent.piece.blob.substr(0, 2);
    must(make_directories(folder), "make a folder of blobs");
    const auto file =
        must(open_file(folder + "/" + extent.piece.blob, O_RDWR | O_CREAT | O_EXCL), "make a blob");
    if (::ftruncate(file.get(), static_cast<off_t>(part_bytes)) != 0) std::exit(1);
    append(store::PutPartOp{id, number, etag, part_bytes, op_.time, {}, {extent}}, {});
  }
}

void StoreFiller::flush() {
  if (group_.empty()) return;
  must(log_->append(group_), "write the log");
  group_.clear();
  in_group_ = 0;
}

store::LogPosition StoreFiller::append(const store::LogOp& op, std::string_view body) {
  if (in_group_ == 0) {
    first_ = sequence_;
    must(log_->make_room(first_), "start a segment");
  }
  store::append_record(group_, {sequence_++, first_}, store::encode_op(op), body);
  const store::LogPosition place{log_->end().segment,
                                 log_->end().offset + group_.size() - body.size()};
  if (++in_group_ == group_records) flush();
  return place;
}

}  // namespace holdfast

#include "store/local_relocate.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "store/log_format.h"

namespace holdfast::store {
namespace {

constexpr std::uint32_t lodgers_at_once = 256;

bool is_at(const Piece& piece, std::uint64_t segment, std::uint64_t offset) {
  return piece.home == Piece::Home::segment && piece.segment == segment && piece.offset == offset;
}

class Relocation {
 public:
  Relocation(WriteGroup& group, const OldRecord& record) : group_(group), record_(record) {}

  Result<void> run() {
    auto done = std::visit(*this, record_.op);
    return done && !record_.body.empty() ? move_lodgers() : done;
  }

  Result<void> operator()(const PutVersionOp& op) {
    return move_version(op.bucket, op.key, record_.sequence);
  }
  Result<void> operator()(const RelocateVersionOp& op) {
    return move_version(op.version.bucket, op.version.key, op.target);
  }
  Result<void> operator()(const PutPartOp& op) { return move_part(op.upload, op.number); }

  Result<void> operator()(const CreateUploadOp& op) {
    auto upload = group_.catalogue().find_upload(op.upload);
    if (!upload) return std::unexpected(upload.error());
    return *upload ? append(op) : Result<void>();
  }

  Result<void> operator()(const CreateBucketOp&) { return write_bucket(record_.sequence); }
  Result<void> operator()(const RelocateBucketOp& op) { return write_bucket(op.bucket); }
  Result<void> operator()(const SetVersioningOp& op) { return write_bucket(op.bucket); }

  Result<void> operator()(const SetDocumentOp& op) {
    auto bucket = find_bucket(op.bucket);
    if (!bucket) return std::unexpected(bucket.error());
    if (!*bucket) return {};
    auto text = group_.catalogue().document(op.bucket, std::to_underlying(op.kind));
    if (!text) return std::unexpected(text.error());
    return append(SetDocumentOp{op.bucket, op.kind, text->value_or(std::string())});
  }

  Result<void> operator()(const QuarantineOp& op) { return keep_quarantine(op.blob); }

  // What they removed or changed is of an older segment, or was written again as it is now.
  Result<void> operator()(const DeleteBucketOp&) { return {}; }
  Result<void> operator()(const RemoveVersionOp&) { return {}; }
  Result<void> operator()(const UpdateMetaOp&) { return {}; }
  Result<void> operator()(const AbortUploadOp&) { return {}; }
  Result<void> operator()(const DropSegmentOp&) { return {}; }

 private:
  Result<void> append(const LogOp& op, std::string_view body = {}) {
    auto done = group_.append(op, body);
    if (!done) return std::unexpected(done.error());
    return {};
  }

  Result<std::optional<index::BucketRow>> find_bucket(std::uint64_t id) {
    auto buckets = group_.catalogue().buckets();
    if (!buckets) return std::unexpected(buckets.error());
    const auto found = std::ranges::find(*buckets, id, &index::BucketRow::id);
    if (found == buckets->end()) return std::nullopt;
    return *found;
  }

  Result<void> write_bucket(std::uint64_t id) {
    auto bucket = find_bucket(id);
    if (!bucket) return std::unexpected(bucket.error());
    if (!*bucket) return {};
    const index::BucketRow& row = **bucket;
    return append(RelocateBucketOp{
        row.id, {row.name, row.created, row.object_lock}, static_cast<Versioning>(row.versioning)});
  }

  // The body goes with the first record that needs it; the others then refer to that one.
  struct Moved {
    std::vector<Extent> extents;
    bool brings_body = false, refers = false;
  };
  Result<Moved> moved(std::string_view encoded) const {
    auto extents = decode_extents(encoded);
    if (!extents) return std::unexpected(extents.error());
    Moved out{std::move(*extents)};
    for (auto& [piece, first, length] : out.extents) {
      if (!is_at(piece, record_.segment, record_.body_offset)) continue;
      out.refers = true;
      if (new_home_) {
        piece.segment = new_home_->segment;
        piece.offset = new_home_->body_offset;
      } else {
        piece.home = Piece::Home::own;
        piece.segment = piece.offset = 0;
        out.brings_body = true;
      }
    }
    return out;
  }

  Result<void> append_moved(const LogOp& op, bool brings_body) {
    auto done = append(op, brings_body ? std::string_view(record_.body) : std::string_view());
    if (done && brings_body) new_home_ = group_.last_place();
    return done;
  }

  enum class When { always, if_it_refers };

  Result<void> move_version(std::uint64_t bucket, const std::string& key, std::uint64_t sequence,
                            When when = When::always) {
    auto found = group_.catalogue().find_version(bucket, key, sequence);
    if (!found) return std::unexpected(found.error());
    if (!*found) return {};
    index::VersionRow& row = **found;
    auto to = moved(row.extents);
    if (!to) return std::unexpected(to.error());
    if (when == When::if_it_refers && !to->refers) return {};
    RelocateVersionOp op{sequence,
                         {row.bucket, row.key, row.version, row.delete_marker, row.etag, row.size,
                          row.modified, row.meta, to->extents, std::string()}};
    auto done = append_moved(op, to->brings_body);
    for (const auto& extent : to->extents) {
      if (done && extent.piece.home == Piece::Home::blob) done = keep_quarantine(extent.piece.blob);
    }
    return done;
  }

  Result<void> move_part(const std::string& upload, std::uint32_t number,
                         When when = When::always) {
    auto found = group_.catalogue().find_part(upload, number);
    if (!found) return std::unexpected(found.error());
    if (!*found) return {};
    const index::PartRow& row = **found;
    auto to = moved(row.extents);
    if (!to) return std::unexpected(to.error());
    if (when == When::if_it_refers && !to->refers) return {};
    auto checksums = decode_checksums(row.checksums);
    if (!checksums) return std::unexpected(checksums.error());
    return append_moved(PutPartOp{row.upload, row.number, row.etag, row.size, row.modified,
                                  std::move(*checksums), to->extents},
                        to->brings_body);
  }

  Result<void> move_lodgers() {
    for (;;) {
      auto lodgers =
          group_.catalogue().lodgers(record_.segment, record_.body_offset, lodgers_at_once);
      if (!lodgers) return std::unexpected(lodgers.error());
      if (lodgers->empty()) return {};
      for (const auto& lodger : *lodgers) {
        auto done =
            lodger.upload.empty()
                ? move_version(lodger.bucket, lodger.key, lodger.sequence, When::if_it_refers)
                : move_part(lodger.upload, lodger.number, When::if_it_refers);
        if (done) done = group_.catalogue().erase_lodger(lodger);
        if (!done) return done;
      }
    }
  }

  // A blob's mark lasts as long as the records that tell of it.
  Result<void> keep_quarantine(const std::string& blob) {
    auto row = group_.catalogue().find_blob(blob);
    if (!row) return std::unexpected(row.error());
    return *row && (*row)->damaged ? append(QuarantineOp{blob}) : Result<void>();
  }

  WriteGroup& group_;
  const OldRecord& record_;
  std::optional<RecordPlace> new_home_;
};

Result<bool> has_lodgers(index::Catalogue& catalogue, const OldRecord& record) {
  if (record.body.empty()) return false;
  auto lodgers = catalogue.lodgers(record.segment, record.body_offset, 1);
  if (!lodgers) return std::unexpected(lodgers.error());
  return !lodgers->empty();
}

Result<bool> is_live_version(index::Catalogue& catalogue, std::uint64_t bucket,
                             const std::string& key, std::uint64_t sequence) {
  auto row = catalogue.find_version(bucket, key, sequence);
  if (!row) return std::unexpected(row.error());
  return row->has_value();
}

}  // namespace

Result<OldRecord> to_old_record(const LogRecord& record) {
  auto op = decode_op(record.payload);
  if (!op) return std::unexpected(op.error());
  return OldRecord{
      record.sequence,    record.position.segment,
      record.body_offset, record_header_bytes + record.payload.size() + record.body.size(),
      std::move(*op),     std::string(record.body)};
}

Result<bool> is_of_use(index::Catalogue& catalogue, const OldRecord& record) {
  Result<bool> live = true;
  if (const auto* put = std::get_if<PutVersionOp>(&record.op)) {
    live = is_live_version(catalogue, put->bucket, put->key, record.sequence);
  } else if (const auto* moved = std::get_if<RelocateVersionOp>(&record.op)) {
    live = is_live_version(catalogue, moved->version.bucket, moved->version.key, moved->target);
  } else if (const auto* part = std::get_if<PutPartOp>(&record.op)) {
    auto row = catalogue.find_part(part->upload, part->number);
    if (!row) return std::unexpected(row.error());
    live = row->has_value();
  } else {
    return !std::holds_alternative<RemoveVersionOp>(record.op) &&
           !std::holds_alternative<UpdateMetaOp>(record.op);
  }
  return live && !*live ? has_lodgers(catalogue, record) : live;
}

Result<void> relocate(WriteGroup& group, const OldRecord& record) {
  return Relocation(group, record).run();
}

}  // namespace holdfast::store

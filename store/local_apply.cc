#include "store/local_apply.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "store/conditions.h"
#include "store/quota.h"

namespace holdfast::store {
namespace {

using index::Catalogue;

// About what the record takes in the log beside its body: header, fixed fields and texts.
std::int64_t size_of(const index::VersionRow& row) {
  constexpr std::size_t fixed = 100;
  return static_cast<std::int64_t>(fixed + row.key.size() + row.version.size() + row.etag.size() +
                                   row.meta.size() + row.extents.size());
}
std::int64_t size_of(const index::PartRow& row) {
  constexpr std::size_t fixed = 80;
  return static_cast<std::int64_t>(fixed + row.upload.size() + row.etag.size() +
                                   row.checksums.size() + row.extents.size());
}

class Applier {
 public:
  Applier(Catalogue& catalogue, const RecordPlace& place, ApplyEffects& effects)
      : catalogue_(catalogue), place_(place), effects_(effects) {}

  Result<void> operator()(const CreateBucketOp& op) {
    const auto versioning = op.object_lock ? Versioning::enabled : Versioning::unversioned;
    return catalogue_.put_bucket({place_.sequence, op.name, op.time,
                                  static_cast<int>(std::to_underlying(versioning)),
                                  op.object_lock});
  }

  Result<void> operator()(const DeleteBucketOp& op) {
    effects_.changed_buckets.insert(op.bucket);
    effects_.usage.erase(op.bucket);
    return catalogue_.erase_bucket(op.bucket);
  }

  Result<void> operator()(const SetVersioningOp& op) {
    return catalogue_.set_bucket_versioning(op.bucket, std::to_underlying(op.versioning));
  }

  Result<void> operator()(const SetDocumentOp& op) {
    if (op.kind == BucketDocument::object_lock && !op.text.empty()) {
      if (auto locked = catalogue_.set_bucket_object_lock(op.bucket); !locked) return locked;
    }
    if (op.kind == BucketDocument::quota) {
      if (auto set = catalogue_.set_quota(op.bucket, quota_row(op.text)); !set) return set;
    }
    return catalogue_.set_document(op.bucket, std::to_underlying(op.kind), op.text);
  }

  Result<void> operator()(PutVersionOp& op) {
    effects_.touched_keys.push_back(op.key);
    auto taken_in =
        take_in(op.extents, {.bucket = op.bucket, .sequence = place_.sequence, .key = op.key});
    if (!taken_in) return taken_in;
    const auto extents = placed(std::move(op.extents));
    const index::VersionRow row{
        op.bucket,          std::move(op.key),      place_.sequence, std::move(op.version),
        op.delete_marker,   std::move(op.etag),     op.size,         op.time,
        std::move(op.meta), encode_extents(extents)};
    std::vector<index::PartRow> read;
    auto parts = parts_of(op.upload, read);
    if (!parts) return std::unexpected(parts.error());
    // What a completed upload takes over from its parts is referred to as before.
    const bool taken_over = !op.upload.empty() && consists_of(row, **parts);
    if (!taken_over) refer(extents, +1);
    if (auto gone = make_way(row); !gone) return gone;
    count(row, +1);
    auto put = op.delete_marker ? catalogue_.insert_old(row) : catalogue_.insert_current(row);
    if (!put) return put;
    effects_.row_bytes += size_of(row);
    if (!op.upload.empty()) {
      if (auto gone = drop_upload(op.upload, **parts, taken_over); !gone) return gone;
    }
    return note(row, op.delete_marker ? ChangeKind::delete_marker : ChangeKind::put, op.time);
  }

  Result<void> operator()(const RemoveVersionOp& op) {
    effects_.touched_keys.push_back(op.key);
    auto found = catalogue_.find_version(op.bucket, op.key, op.target);
    if (!found) return std::unexpected(found.error());
    if (!*found && place_.partial_log) return {};
    if (!*found) return fail(ErrorCode::corrupted, "the log removes a version that is not there");
    const index::VersionRow& row = **found;
    auto gone = row.latest ? catalogue_.erase_current(op.bucket, op.key)
                           : catalogue_.erase_old(op.bucket, op.key, op.target);
    count(row, -1);
    if (gone) gone = release(row);
    if (gone) gone = row.latest ? promote_newest(op.bucket, op.key) : promote(op.bucket, op.key);
    if (!gone) return gone;
    return note(row, ChangeKind::version_removed, op.time);
  }

  Result<void> operator()(const UpdateMetaOp& op) {
    effects_.touched_keys.push_back(op.key);
    auto row = catalogue_.find_version(op.bucket, op.key, op.target);
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    effects_.row_bytes +=
        static_cast<std::int64_t>(op.meta.size()) - static_cast<std::int64_t>((*row)->meta.size());
    return catalogue_.set_version_meta(op.bucket, op.key, op.target, op.meta);
  }

  Result<void> operator()(const CreateUploadOp& op) {
    return catalogue_.put_upload({op.upload, op.bucket, op.key, op.time, op.meta});
  }

  Result<void> operator()(const PutPartOp& op) {
    auto extents = placed(op.extents);
    refer(extents, +1);
    auto upload = catalogue_.find_upload(op.upload);
    if (!upload) return std::unexpected(upload.error());
    auto old = catalogue_.find_part(op.upload, op.number);
    if (!old) return std::unexpected(old.error());
    if (*upload) count_bytes((*upload)->bucket, op.size, *old ? (*old)->size : 0);
    if (*old) {
      if (auto gone = release(**old); !gone) return gone;
    }
    const index::PartRow row{op.upload,
                             op.number,
                             op.etag,
                             op.size,
                             op.time,
                             encode_checksums(op.checksums),
                             encode_extents(extents)};
    effects_.row_bytes += size_of(row);
    auto put = catalogue_.put_part(row);
    if (put) put = take_in(op.extents, {.upload = op.upload, .number = op.number});
    return put;
  }

  Result<void> operator()(const AbortUploadOp& op) {
    std::vector<index::PartRow> read;
    auto parts = parts_of(op.upload, read);
    if (!parts) return std::unexpected(parts.error());
    return drop_upload(op.upload, **parts, false);
  }

  Result<void> operator()(const QuarantineOp& op) {
    effects_.damaged_blobs.push_back(op.blob);
    return catalogue_.set_blob_damaged(op.blob);
  }

  Result<void> operator()(const RelocateVersionOp& op) {
    effects_.touched_keys.push_back(op.version.key);
    const PutVersionOp& version = op.version;
    auto known = catalogue_.find_version(version.bucket, version.key, op.target);
    if (!known) return std::unexpected(known.error());
    auto extents = placed(version.extents);
    refer(extents, +1);
    index::VersionRow row{
        version.bucket, version.key,  op.target,    version.version, version.delete_marker,
        version.etag,   version.size, version.time, version.meta,    encode_extents(extents)};
    Result<void> done;
    if (*known) {
      done = release(**known);
      if (done) done = catalogue_.set_version_extents(row.bucket, row.key, op.target, row.extents);
    } else {
      count(row, +1);
      done = insert_in_order(row);
    }
    if (!done) return done;
    effects_.row_bytes += size_of(row);
    return take_in(version.extents, {.bucket = row.bucket, .sequence = op.target, .key = row.key});
  }

  Result<void> operator()(const RelocateBucketOp& op) {
    return catalogue_.put_bucket({op.bucket, op.made.name, op.made.time,
                                  static_cast<int>(std::to_underlying(op.versioning)),
                                  op.made.object_lock});
  }

  Result<void> operator()(const DropSegmentOp& op) {
    effects_.dropped_segment = std::max(effects_.dropped_segment, op.segment);
    effects_.live_bytes.erase(effects_.live_bytes.begin(),
                              effects_.live_bytes.upper_bound(op.segment));
    return catalogue_.erase_segments(op.segment);
  }

  // After the operation.
  Result<void> settle() {
    for (const auto& [blob, sum] : references_) {
      if (sum.change == 0) continue;
      auto count = catalogue_.add_blob_reference({blob, sum.bytes, sum.checksum}, sum.change);
      if (!count) return std::unexpected(count.error());
      if (*count <= 0) effects_.dead_blobs.push_back(blob);
    }
    return {};
  }

 private:
  void count(const index::VersionRow& row, std::int64_t sign) {
    if (row.delete_marker) return;
    UsageDelta& delta = effects_.usage[row.bucket];
    delta.bytes += sign * static_cast<std::int64_t>(row.size);
    delta.objects += sign;
  }
  void count_bytes(std::uint64_t bucket, std::uint64_t added, std::uint64_t taken) {
    effects_.usage[bucket].bytes +=
        static_cast<std::int64_t>(added) - static_cast<std::int64_t>(taken);
  }
  // It was checked before it was logged; one that cannot be read allows nothing.
  static index::QuotaRow quota_row(const std::string& text) {
    if (text.empty()) return {};
    auto quota = parse_quota(text);
    if (!quota) return {0, 0};
    return {quota->bytes, quota->objects};
  }

  std::vector<Extent> placed(std::vector<Extent> extents) const {
    for (auto& extent : extents) {
      if (extent.piece.home != Piece::Home::own) continue;
      extent.piece.home = Piece::Home::segment;
      extent.piece.segment = place_.segment;
      extent.piece.offset = place_.body_offset;
    }
    return extents;
  }

  void refer(const std::vector<Extent>& extents, std::int64_t change) {
    for (const auto& [piece, first, length] : extents) {
      if (piece.home == Piece::Home::segment) {
        effects_.live_bytes[piece.segment] += change * static_cast<std::int64_t>(length);
        continue;
      }
      auto& sum = references_[piece.blob];
      sum.bytes = piece.length;
      sum.checksum = piece.checksum;
      sum.change += change;
    }
  }

  // A version's or a part's row goes, or its record is replaced by another one.
  template <class Row>
  Result<void> release(const Row& row) {
    effects_.row_bytes -= size_of(row);
    auto extents = decode_extents(row.extents);
    if (!extents) return std::unexpected(extents.error());
    refer(*extents, -1);
    return {};
  }

  // Notes where the row's bodies are guests in records of other rows. `extents` as in the log.
  Result<void> take_in(const std::vector<Extent>& extents, index::LodgerRow lodger) {
    for (const auto& extent : extents) {
      if (extent.piece.home != Piece::Home::segment) continue;
      lodger.segment = extent.piece.segment;
      lodger.offset = extent.piece.offset;
      if (auto noted = catalogue_.add_lodger(lodger); !noted) return noted;
    }
    return {};
  }

  // A version that comes later in the log than newer ones of its key: its sequence tells its place.
  Result<void> insert_in_order(const index::VersionRow& row) {
    auto current = catalogue_.find_current(row.bucket, row.key);
    if (!current) return std::unexpected(current.error());
    auto newest = catalogue_.find_newest_old(row.bucket, row.key);
    if (!newest) return std::unexpected(newest.error());
    const bool below_current = *current && (*current)->sequence > row.sequence;
    const bool below_marker = *newest && (*newest)->sequence > row.sequence;
    if (*current && !below_current) {
      if (auto moved = catalogue_.move_current_to_old(row.bucket, row.key); !moved) return moved;
    }
    const bool old = row.delete_marker || below_current || below_marker;
    return old ? catalogue_.insert_old(row) : catalogue_.insert_current(row);
  }

  // The present version becomes an old one; the version "null" is one at most, so that a new one
  // takes the place of the former.
  Result<void> make_way(const index::VersionRow& row) {
    const bool null = row.version == "null";
    auto current = catalogue_.find_current(row.bucket, row.key);
    if (!current) return std::unexpected(current.error());
    if (*current && null && (*current)->version == "null") {
      if (auto gone = catalogue_.erase_current(row.bucket, row.key); !gone) return gone;
      count(**current, -1);
      return release(**current);
    }
    if (*current) {
      if (auto moved = catalogue_.move_current_to_old(row.bucket, row.key); !moved) return moved;
    }
    if (!null || place_.never_versioned) return {};
    auto old = catalogue_.find_old_null(row.bucket, row.key);
    if (!old) return std::unexpected(old.error());
    if (!*old) return {};
    count(**old, -1);
    auto gone = catalogue_.erase_old(row.bucket, row.key, (*old)->sequence);
    return gone ? release(**old) : gone;
  }

  // Where the newest version left is a live one, it is the current one.
  Result<void> promote(std::uint64_t bucket, std::string_view key) {
    auto current = catalogue_.find_current(bucket, key);
    if (!current) return std::unexpected(current.error());
    return *current ? Result<void>() : promote_newest(bucket, key);
  }
  // The same where the key is known to have no current version.
  Result<void> promote_newest(std::uint64_t bucket, std::string_view key) {
    auto newest = catalogue_.find_newest_old(bucket, key);
    if (!newest) return std::unexpected(newest.error());
    if (!*newest || (*newest)->delete_marker) return {};
    return catalogue_.move_old_to_current(bucket, key, (*newest)->sequence);
  }

  // All parts of an upload, read into `read` where the caller has not handed them in. None of "".
  Result<const std::vector<index::PartRow>*> parts_of(std::string_view upload,
                                                      std::vector<index::PartRow>& read) {
    if (upload.empty()) return &read;
    if (place_.parts != nullptr) return place_.parts;
    auto rows = catalogue_.parts(upload, 0, max_part_number);
    if (!rows) return std::unexpected(rows.error());
    read = std::move(*rows);
    return &read;
  }

  static bool consists_of(const index::VersionRow& row, const std::vector<index::PartRow>& parts) {
    std::vector<std::string_view> runs;
    runs.reserve(parts.size());
    for (const auto& part : parts) runs.push_back(part.extents);
    return are_joined(row.extents, runs);
  }

  // `taken_over`: what the parts refer to goes on being referred to.
  Result<void> drop_upload(std::string_view upload, const std::vector<index::PartRow>& parts,
                           bool taken_over) {
    auto open = catalogue_.find_upload(upload);
    if (!open) return std::unexpected(open.error());
    for (const auto& part : parts) {
      if (*open) count_bytes((*open)->bucket, 0, part.size);
      if (taken_over) {
        effects_.row_bytes -= size_of(part);
      } else if (auto gone = release(part); !gone) {
        return gone;
      }
    }
    return catalogue_.erase_upload(upload);
  }

  Result<void> note(const index::VersionRow& row, ChangeKind kind, std::int64_t time) {
    effects_.changed_buckets.insert(row.bucket);
    return catalogue_.insert_change({row.bucket, place_.sequence, std::to_underlying(kind), row.key,
                                     row.version, row.etag, row.size, time});
  }

  struct References {
    std::uint64_t bytes = 0, checksum = 0;
    std::int64_t change = 0;
  };

  Catalogue& catalogue_;
  const RecordPlace& place_;
  ApplyEffects& effects_;
  // Of blobs, summed over the operation: a completed upload takes over the references of its parts
  // and touches no count, and what shares blobs with what it replaces never lets go of them.
  std::unordered_map<std::string, References> references_;
};

}  // namespace

Result<void> apply_op(index::Catalogue& catalogue, LogOp op, const RecordPlace& place,
                      ApplyEffects& effects) {
  Applier applier(catalogue, place, effects);
  auto done = std::visit(applier, op);
  return done ? applier.settle() : done;
}

Result<void> apply_sums(index::Catalogue& catalogue, const ApplyEffects& effects,
                        index::AppliedState& state) {
  state.dropped = std::max(state.dropped, effects.dropped_segment);
  state.row_bytes += effects.row_bytes;
  for (const auto& [segment, change] : effects.live_bytes) {
    if (change == 0) continue;
    if (auto done = catalogue.add_live_bytes(segment, change); !done) return done;
  }
  for (const auto& [bucket, change] : effects.usage) {
    if (change.bytes == 0 && change.objects == 0) continue;
    if (auto done = catalogue.add_usage(bucket, change.bytes, change.objects); !done) return done;
  }
  return {};
}

Result<void> trim_feed(index::Catalogue& catalogue, index::AppliedState& state) {
  constexpr std::uint64_t reach = 1'000'000;
  if (state.sequence <= reach) return {};
  state.feed_after = std::max(state.feed_after, state.sequence - reach);
  return catalogue.trim_changes(state.feed_after);
}

}  // namespace holdfast::store

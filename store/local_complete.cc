#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/log.h"
#include "store/checksum_names.h"
#include "store/conditions.h"
#include "store/local_objects.h"
#include "store/local_rows.h"
#include "store/local_state.h"

namespace holdfast::store {
namespace {

struct StoredPart {
  const index::PartRow& row;
  const std::vector<Checksum>& checksums;
};

// An upload's parts by number.
class Parts {
 public:
  static Result<Parts> load(index::Catalogue& catalogue, const UploadId& upload) {
    auto rows = catalogue.parts(upload.value, 0, max_part_number);
    if (!rows) return std::unexpected(rows.error());
    Parts parts;
    parts.checksums_.reserve(rows->size());
    for (const auto& row : *rows) {
      auto checksums = decode_checksums(row.checksums);
      if (!checksums) return std::unexpected(checksums.error());
      parts.checksums_.push_back(std::move(*checksums));
    }
    parts.rows_ = std::move(*rows);
    return parts;
  }

  // All, in the order of their numbers.
  const std::vector<index::PartRow>& rows() const { return rows_; }

  std::optional<StoredPart> find(std::uint32_t number) const {
    const auto row = std::ranges::lower_bound(rows_, number, {}, &index::PartRow::number);
    if (row == rows_.end() || row->number != number) return std::nullopt;
    return StoredPart{*row, checksums_[static_cast<std::size_t>(row - rows_.begin())]};
  }
  // REQUIRES: check_parts() found it.
  StoredPart at(std::uint32_t number) const { return *find(number); }

 private:
  std::vector<index::PartRow> rows_;
  std::vector<std::vector<Checksum>> checksums_;  // of rows_
};

const Checksum* find_checksum(const std::vector<Checksum>& checksums, ChecksumAlgorithm algorithm) {
  const auto found = std::ranges::find(checksums, algorithm, &Checksum::algorithm);
  return found == checksums.end() ? nullptr : &*found;
}

Result<void> check_part(const CompletedPart& wanted, const Parts& parts) {
  const auto found = parts.find(wanted.number);
  if (!found || found->row.etag != wanted.etag.value) {
    return fail(ErrorCode::invalid_part, "part {} is missing or has another ETag", wanted.number);
  }
  for (const auto& checksum : wanted.checksums) {
    const Checksum* kept = find_checksum(found->checksums, checksum.algorithm);
    if (kept && kept->value != checksum.value) {
      return fail(ErrorCode::invalid_part, "part {} has another checksum", wanted.number);
    }
  }
  return {};
}

Result<void> check_parts(const std::vector<CompletedPart>& wanted, const Parts& parts) {
  if (wanted.empty()) return fail(ErrorCode::malformed, "an upload needs at least one part");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i > 0 && wanted[i].number <= wanted[i - 1].number) {
      return fail(ErrorCode::invalid_part_order, "part {} follows part {}", wanted[i].number,
                  wanted[i - 1].number);
    }
    if (auto same = check_part(wanted[i], parts); !same) return same;
  }
  for (std::size_t i = 0; i + 1 < wanted.size(); ++i) {
    const std::uint64_t size = parts.at(wanted[i].number).row.size;
    if (size >= min_part_bytes) continue;
    return fail(ErrorCode::entity_too_small,
                "part {} has {} bytes, only the last may have less than {}", wanted[i].number, size,
                min_part_bytes);
  }
  return {};
}

// The checksum of the whole from those of the parts, without reading them.
Result<Checksum> combine_checksums(const std::vector<CompletedPart>& wanted, const Parts& parts,
                                   const UploadMeta& meta) {
  const s3::Algorithm algorithm = to_s3(*meta.checksum);
  const bool full =
      s3::can_combine(algorithm) && (meta.checksum_type == ChecksumType::full_object ||
                                     *meta.checksum == ChecksumAlgorithm::crc64nvme);
  std::string digests;
  std::string whole = s3::digest_of(algorithm, "");
  for (const auto& part : wanted) {
    const StoredPart stored = parts.at(part.number);
    const Checksum* checksum = find_checksum(stored.checksums, *meta.checksum);
    auto digest = checksum ? from_base64(checksum->value) : std::nullopt;
    if (!digest || digest->size() != s3::digest_bytes(algorithm)) {
      return fail(ErrorCode::corrupted, "part {} has lost its checksum", part.number);
    }
    if (full) whole = s3::combine(algorithm, whole, *digest, stored.row.size);
    digests += *digest;
  }
  if (!full) whole = s3::digest_of(algorithm, digests);
  return Checksum{*meta.checksum, full ? ChecksumType::full_object : ChecksumType::composite,
                  to_base64(as_bytes(whole))};
}

Result<std::vector<Checksum>> whole_checksums(const CompleteRequest& request, const Parts& parts,
                                              const UploadMeta& meta) {
  if (!meta.checksum) return std::vector<Checksum>();
  auto whole = combine_checksums(request.parts, parts, meta);
  if (!whole) return std::unexpected(whole.error());
  for (const auto& expected : request.expected) {
    if (expected.algorithm != whole->algorithm || expected.value == whole->value) continue;
    return fail(ErrorCode::checksum_mismatch, "the object has the {} {}, not {}",
                s3::api_name(to_s3(expected.algorithm)), whole->value, expected.value);
  }
  return std::vector<Checksum>{std::move(*whole)};
}

Result<NewVersion> assemble(const CompleteRequest& request, const Parts& parts, UploadMeta meta) {
  auto checksums = whole_checksums(request, parts, meta);
  if (!checksums) return std::unexpected(checksums.error());
  NewVersion version;
  std::string digests;
  version.extents.reserve(request.parts.size());
  version.meta.part_sizes.reserve(request.parts.size());
  for (const auto& wanted : request.parts) {
    const StoredPart stored = parts.at(wanted.number);
    const index::PartRow& part = stored.row;
    auto extents = decode_extents(part.extents);
    if (!extents) return std::unexpected(extents.error());
    std::ranges::move(*extents, std::back_inserter(version.extents));
    version.size += part.size;
    version.meta.part_sizes.push_back(part.size);
    digests += from_hex(part.etag).value_or(std::string());
    if (!meta.checksum) continue;
    const Checksum* checksum = find_checksum(stored.checksums, *meta.checksum);
    if (checksum != nullptr) version.meta.part_checksums.push_back(*checksum);
  }
  version.key = request.key;
  const std::string digest = s3::digest_of(s3::Algorithm::md5, digests);
  version.etag = ETag(fmt::format("{}-{}", to_hex(as_bytes(digest)), request.parts.size()));
  version.meta.attributes = std::move(meta.attributes);
  version.meta.checksums = std::move(*checksums);
  version.meta.retention = meta.retention;
  version.meta.upload = request.upload.value;
  version.meta.uploader = std::move(meta.uploader);
  version.meta.acl = std::move(meta.acl);
  version.upload = request.upload.value;
  return version;
}

// A completion that is asked for again, because its first answer was lost, answers the same while
// what it made is the key's latest version.
Result<PutResult> answer_again(WriteGroup& group, const index::BucketRow& bucket,
                               const CompleteRequest& request) {
  auto made = find_object(group.catalogue(), bucket.id, request.key, std::nullopt);
  if (!made || made->info.upload != request.upload) {
    return fail(ErrorCode::no_such_upload, "{} has no upload {}", log_field(request.key.value),
                log_field(request.upload.value));
  }
  ObjectInfo& info = made->info;
  PutResult result{info.etag,     info.version, info.sequence,
                   info.modified, info.size,    std::move(info.checksums)};
  if (result.version.value == "null") result.version = VersionId();
  return result;
}

Result<PutResult> judge_complete(WriteGroup& group, const CompleteRequest& request) {
  auto bucket = group.find_bucket(request.bucket);
  if (!bucket) return std::unexpected(bucket.error());
  auto upload = group.catalogue().find_upload(request.upload.value);
  if (!upload) return std::unexpected(upload.error());
  if (!*upload || (*upload)->bucket != bucket->id || (*upload)->key != request.key.value) {
    return answer_again(group, *bucket, request);
  }
  auto meta = decode_upload_meta((*upload)->meta);
  if (!meta) return std::unexpected(meta.error());
  auto parts = Parts::load(group.catalogue(), request.upload);
  if (!parts) return std::unexpected(parts.error());
  auto checked = check_parts(request.parts, *parts);
  if (checked) {
    checked = check_write_on(group.catalogue(), bucket->id, request.key, request.conditions);
  }
  if (!checked) return std::unexpected(checked.error());
  auto version = assemble(request, *parts, std::move(*meta));
  if (!version) return std::unexpected(version.error());
  // Its bytes are those of its parts, which were counted when they came.
  auto admitted = settle_retention(group, *bucket, version->meta.retention);
  if (admitted) admitted = check_room(group, *bucket, {{.objects = 1}, {}});
  if (!admitted) return std::unexpected(admitted.error());
  return append_version(group, *bucket, std::move(*version), {}, &parts->rows());
}

}  // namespace

Async<PutResult> LocalStore::complete_upload(CompleteRequest request) {
  co_return co_await state_->sequencer->submit(
      [request = std::move(request)](WriteGroup& group) { return judge_complete(group, request); });
}

}  // namespace holdfast::store

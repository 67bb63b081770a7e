#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "s3/names.h"
#include "store/body_intake.h"
#include "store/conditions.h"
#include "store/memory_state.h"

namespace holdfast::store {
namespace {

Result<StoredUpload*> find_upload(StoredBucket& bucket, const ObjectKey& key,
                                  const UploadId& upload) {
  const auto found = bucket.uploads.find({key.value, upload.value});
  if (found == bucket.uploads.end()) {
    return fail(ErrorCode::no_such_upload, "{} has no upload {}", log_field(key.value),
                log_field(upload.value));
  }
  return &found->second;
}

Result<void> check_part_number(std::uint32_t number) {
  if (number >= 1 && number <= max_part_number) return {};
  return fail(ErrorCode::invalid_argument, "part numbers go from 1 to {}, not {}", max_part_number,
              number);
}

std::vector<ChecksumAlgorithm> algorithms_of(const StoredUpload& upload) {
  if (!upload.info.checksum) return {};
  return {*upload.info.checksum};
}

PartInfo keep_part(StoredUpload& upload, std::uint32_t number, TakenBody taken, TimePoint now) {
  PartInfo info{number, ETag(to_hex(as_bytes(taken.md5))), taken.bytes.size(), now,
                std::move(taken.checksums)};
  upload.parts[number] = {info, std::move(taken.md5),
                          std::make_shared<const std::string>(std::move(taken.bytes))};
  return info;
}

Result<void> check_completed_part(const CompletedPart& wanted, const StoredUpload& upload) {
  const auto found = upload.parts.find(wanted.number);
  if (found == upload.parts.end() || found->second.info.etag != wanted.etag) {
    return fail(ErrorCode::invalid_part, "part {} is missing or has another ETag", wanted.number);
  }
  for (const auto& checksum : wanted.checksums) {
    const auto& kept = found->second.info.checksums;
    const auto same = std::ranges::find(kept, checksum.algorithm, &Checksum::algorithm);
    if (same != kept.end() && same->value != checksum.value) {
      return fail(ErrorCode::invalid_part, "part {} has another checksum", wanted.number);
    }
  }
  return {};
}

Result<void> check_parts(const std::vector<CompletedPart>& parts, const StoredUpload& upload) {
  if (parts.empty()) return fail(ErrorCode::malformed, "an upload needs at least one part");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && parts[i].number <= parts[i - 1].number) {
      return fail(ErrorCode::invalid_part_order, "part {} follows part {}", parts[i].number,
                  parts[i - 1].number);
    }
    if (auto same = check_completed_part(parts[i], upload); !same) return same;
  }
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const std::uint64_t size = upload.parts.at(parts[i].number).info.size;
    if (size < min_part_bytes) {
      return fail(ErrorCode::entity_too_small,
                  "part {} has {} bytes, only the last may have less than {}", parts[i].number,
                  size, min_part_bytes);
    }
  }
  return {};
}

// The checksum of the whole from the parts: over their bytes, or over their raw checksums.
Result<std::vector<Checksum>> whole_checksums(const CompleteRequest& request,
                                              const StoredUpload& upload,
                                              const std::string& bytes) {
  if (!upload.info.checksum) return std::vector<Checksum>();
  const bool composite = upload.info.checksum_type == ChecksumType::composite &&
                         *upload.info.checksum != ChecksumAlgorithm::crc64nvme;
  std::string input;
  if (composite) {
    for (const auto& part : request.parts) {
      for (const auto& checksum : upload.parts.at(part.number).info.checksums) {
        if (checksum.algorithm != *upload.info.checksum) continue;
        input += from_base64(checksum.value).value_or(std::string());
      }
    }
  }
  auto taken =
      check_bytes(composite ? std::move(input) : bytes,
                  IntakeRules{.expected = request.expected, .compute = {*upload.info.checksum}});
  if (!taken) return std::unexpected(taken.error());
  for (auto& checksum : taken->checksums) {
    checksum.type = composite ? ChecksumType::composite : ChecksumType::full_object;
  }
  return std::move(taken->checksums);
}

Result<StoredVersion> assemble(const CompleteRequest& request, const StoredUpload& upload) {
  StoredVersion version;
  std::string bytes;
  std::string digests;
  for (const auto& wanted : request.parts) {
    const StoredPart& part = upload.parts.at(wanted.number);
    bytes += *part.bytes;
    digests += part.md5;
    version.info.part_sizes.push_back(part.info.size);
    for (const auto& checksum : part.info.checksums) {
      if (checksum.algorithm == upload.info.checksum) {
        version.info.part_checksums.push_back(checksum);
      }
    }
  }
  auto checksums = whole_checksums(request, upload, bytes);
  if (!checksums) return std::unexpected(checksums.error());
  const auto digest = check_bytes(std::move(digests), IntakeRules{});
  version.info.key = request.key;
  version.info.etag =
      ETag(fmt::format("{}-{}", to_hex(as_bytes(digest->md5)), request.parts.size()));
  version.info.size = bytes.size();
  version.info.attributes = upload.attributes;
  version.info.checksums = std::move(*checksums);
  version.info.retention = upload.retention;
  version.info.upload = request.upload;
  version.info.uploader = upload.info.uploader;
  version.info.acl = upload.acl;
  version.bytes = std::make_shared<const std::string>(std::move(bytes));
  return version;
}

}  // namespace

Async<UploadId> MemoryStore::create_upload(CreateUploadRequest request) {
  if (auto valid = s3::validate_key(request.key.value); !valid)
    co_return std::unexpected(valid.error());
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto lockable = check_retention(**bucket, request.retention);
  if (!lockable) co_return std::unexpected(lockable.error());
  // Byte order of upload ids is the order of their start, so that paging by either is the same.
  const UploadId id(fmt::format("{:016x}{}", ++state_->sequence, state_->random.hex(8)));
  StoredUpload upload;
  upload.info = {request.key,           id,
                 state_->clock.now(),   request.checksum,
                 request.checksum_type, std::move(request.uploader)};
  upload.attributes = std::move(request.attributes);
  upload.retention = request.retention;
  upload.acl = std::move(request.acl);
  (*bucket)->uploads.emplace(std::pair(request.key.value, id.value), std::move(upload));
  co_return id;
}

Async<PartInfo> MemoryStore::put_part(PartRequest request, BodyReader& body) {
  if (auto valid = check_part_number(request.number); !valid) {
    co_return std::unexpected(valid.error());
  }
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto upload = find_upload(**bucket, request.key, request.upload);
  if (!upload) co_return std::unexpected(upload.error());
  auto taken = co_await take_body(
      body, IntakeRules{request.size, request.md5, request.expected, algorithms_of(**upload)});
  if (!taken) co_return std::unexpected(taken.error());
  // The upload may have been completed or aborted meanwhile.
  bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  upload = find_upload(**bucket, request.key, request.upload);
  if (!upload) co_return std::unexpected(upload.error());
  if (auto room = check_room(**bucket, {{.bytes = taken->bytes.size()}, {}}); !room) {
    co_return std::unexpected(room.error());
  }
  co_return keep_part(**upload, request.number, std::move(*taken), state_->clock.now());
}

Async<PartInfo> MemoryStore::copy_part(CopyPartRequest request) {
  if (auto valid = check_part_number(request.number); !valid) {
    co_return std::unexpected(valid.error());
  }
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto upload = find_upload(**bucket, request.key, request.upload);
  if (!upload) co_return std::unexpected(upload.error());
  auto source =
      state_->find_version(request.source_bucket, request.source_key, request.source_version);
  if (!source) co_return std::unexpected(source.error());
  const ObjectInfo& info = (*source)->info;
  auto readable = check_copy_source(request.source_conditions, info);
  if (!readable) co_return std::unexpected(readable.error());
  if (request.range && request.range->last.value_or(0) >= std::max<std::uint64_t>(1, info.size)) {
    co_return fail(ErrorCode::invalid_range, "the range reaches beyond the source's {} bytes",
                   info.size);
  }
  auto window = resolve_window(request.range, std::nullopt, info);
  if (!window) co_return std::unexpected(window.error());
  auto taken = check_bytes((*source)->bytes->substr(window->first, window->length),
                           IntakeRules{.compute = algorithms_of(**upload)});
  if (!taken) co_return std::unexpected(taken.error());
  if (auto room = check_room(**bucket, {{.bytes = taken->bytes.size()}, {}}); !room) {
    co_return std::unexpected(room.error());
  }
  co_return keep_part(**upload, request.number, std::move(*taken), state_->clock.now());
}

Async<PutResult> MemoryStore::complete_upload(CompleteRequest request) {
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto upload = find_upload(**bucket, request.key, request.upload);
  if (!upload) {
    const StoredVersion* made = current_version(**bucket, request.key);
    if (made != nullptr && made->info.upload == request.upload) {
      co_return to_put_result(made->info);
    }
    co_return std::unexpected(upload.error());
  }
  if (auto checked = check_parts(request.parts, **upload); !checked) {
    co_return std::unexpected(checked.error());
  }
  const StoredVersion* current = current_version(**bucket, request.key);
  auto held = check_write(request.conditions, current ? &current->info : nullptr, request.key);
  if (!held) co_return std::unexpected(held.error());
  auto version = assemble(request, **upload);
  if (!version) co_return std::unexpected(version.error());
  auto admitted = settle_retention(**bucket, version->info.retention, state_->clock.now());
  if (admitted) admitted = check_room(**bucket, {{.objects = 1}, {}});
  if (!admitted) co_return std::unexpected(admitted.error());
  (*bucket)->uploads.erase({request.key.value, request.upload.value});
  co_return to_put_result(state_->commit(**bucket, std::move(*version)));
}

Async<void> MemoryStore::abort_upload(BucketName bucket, ObjectKey key, UploadId upload) {
  auto in = state_->find(bucket);
  if (!in) co_return std::unexpected(in.error());
  if (auto found = find_upload(**in, key, upload); !found) co_return std::unexpected(found.error());
  (*in)->uploads.erase({key.value, upload.value});
  co_return Result<void>();
}

Async<ListPartsPage> MemoryStore::list_parts(ListPartsRequest request) {
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto upload = find_upload(**bucket, request.key, request.upload);
  if (!upload) co_return std::unexpected(upload.error());
  ListPartsPage page;
  page.upload = (*upload)->info;
  const auto& parts = (*upload)->parts;
  for (auto at = parts.upper_bound(request.part_marker); at != parts.end(); ++at) {
    if (page.parts.size() >= request.max_parts) {
      page.truncated = request.max_parts > 0;
      break;
    }
    page.parts.push_back(at->second.info);
  }
  co_return page;
}

}  // namespace holdfast::store

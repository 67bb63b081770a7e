#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "s3/checksum.h"
#include "s3/messages.h"
#include "s3/results.h"
#include "store/s3_client.h"
#include "store/s3_store.h"

namespace holdfast::store {
namespace {

// XML 1.0 carries neither control characters nor bytes that are no UTF-8; such keys go one by one.
// Four-byte sequences and the last plane-0 characters are left out too: rare, and simpler so.
bool fits_xml(std::string_view key) {
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto byte = static_cast<unsigned char>(key[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    if (byte < 0x80) continue;
    const std::size_t more = byte >= 0xc2 && byte < 0xe0 ? 1 : byte >= 0xe1 && byte < 0xed ? 2 : 0;
    if (more == 0 || i + more >= key.size()) return false;
    for (std::size_t j = 0; j < more; ++j) {
      if ((static_cast<unsigned char>(key[++i]) & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

bool goes_in_a_batch(const DeleteRequest& request) {
  return fits_xml(request.key.value) && !request.if_latest;
}

using Answers = std::vector<Result<DeleteResult>>;
using Batch = std::vector<std::size_t>;  // indices of the requests

S3Call delete_call(const std::vector<DeleteRequest>& requests, const Batch& batch) {
  s3::DeleteObjects document;
  for (const std::size_t i : batch) {
    s3::DeleteEntry entry{requests[i].key.value, std::nullopt, std::nullopt};
    if (requests[i].version) entry.version = requests[i].version->value;
    if (requests[i].conditions.if_match) entry.etag = requests[i].conditions.if_match->value;
    document.entries.push_back(std::move(entry));
  }
  S3Call call{.method = "POST", .bucket = requests[batch.front()].bucket};
  call.query.emplace_back("delete", "");
  call.body = s3::write_delete_objects(document);
  const auto digest = s3::digest_of(s3::Algorithm::md5, call.body);
  call.headers.emplace_back("content-md5", to_base64(as_bytes(digest)));
  if (requests[batch.front()].bypass_governance) {
    call.headers.emplace_back("x-amz-bypass-governance-retention", "true");
  }
  return call;
}

Result<DeleteResult> to_result(const s3::DeletedEntry& entry) {
  if (!entry.error_code.empty()) {
    return fail(s3::to_error_code(entry.error_code, 400), "remove {}: {}", log_field(entry.key),
                log_field(entry.error_code + ": " + entry.error_message));
  }
  DeleteResult result;
  result.delete_marker = entry.delete_marker;
  result.version = VersionId(entry.version.value_or(entry.marker_version));
  return result;
}

// Answers come in any order and name key and version.
void place(const std::vector<DeleteRequest>& requests, const Batch& batch,
           const Result<std::vector<s3::DeletedEntry>>& parsed, Answers& answers) {
  if (!parsed) {
    for (const std::size_t i : batch) answers[i] = std::unexpected(parsed.error());
    return;
  }
  std::multimap<std::pair<std::string, std::string>, const s3::DeletedEntry*> by_name;
  for (const auto& entry : *parsed) {
    by_name.emplace(std::pair(entry.key, entry.version.value_or("")), &entry);
  }
  for (const std::size_t i : batch) {
    const auto version = requests[i].version.value_or(VersionId());
    const auto found = by_name.find({requests[i].key.value, version.value});
    if (found != by_name.end()) answers[i] = to_result(*found->second);
  }
}

// Requests of one bucket and one treatment of governance, which one DeleteObjects can carry.
std::vector<Batch> batches_of(const std::vector<DeleteRequest>& requests) {
  std::map<std::pair<BucketName, bool>, Batch> groups;
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!goes_in_a_batch(requests[i])) continue;
    groups[{requests[i].bucket, requests[i].bypass_governance}].push_back(i);
  }
  for (auto& [name, batch] : groups) batches.push_back(std::move(batch));
  return batches;
}

}  // namespace

boost::asio::awaitable<Answers> S3Store::remove_many(std::vector<DeleteRequest> requests) {
  Answers answers(requests.size(),
                  fail(ErrorCode::malformed, "the store's answer leaves this key out"));
  if (requests.size() > 1000) {
    answers.assign(requests.size(),
                   fail(ErrorCode::malformed, "at most 1000 keys are removed at once"));
    co_return answers;
  }
  for (const Batch& batch : batches_of(requests)) {
    auto answer = co_await client_->ask(delete_call(requests, batch));
    if (answer) {
      place(requests, batch, s3::parse_delete_result(answer->text), answers);
    } else {
      for (const std::size_t i : batch) answers[i] = std::unexpected(answer.error());
    }
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!goes_in_a_batch(requests[i])) answers[i] = co_await remove(requests[i]);
  }
  co_return answers;
}

}  // namespace holdfast::store

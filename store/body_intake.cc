#include "store/body_intake.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/encoding.h"
#include "s3/checksum.h"
#include "store/checksum_names.h"

namespace holdfast::store {
namespace {

// Hashes a body as it comes and judges it at its end.
class Intake {
 public:
  explicit Intake(const IntakeRules& rules) : rules_(rules), md5_(s3::Algorithm::md5) {
    for (const auto& expected : rules.expected) add(expected.algorithm);
    for (const auto algorithm : rules.compute) add(algorithm);
  }

  void update(std::string_view data) {
    md5_.update(data);
    for (auto& [algorithm, hasher] : hashers_) hasher.update(data);
    size_ += data.size();
  }

  Result<void> finish(TakenBody& out) {
    if (rules_.size && size_ != *rules_.size) {
      return fail(ErrorCode::incomplete_body, "{} bytes were declared, {} came", *rules_.size,
                  size_);
    }
    out.md5 = md5_.digest();
    if (rules_.md5 && out.md5 != *rules_.md5) {
      return fail(ErrorCode::bad_digest, "the body has another MD5 than Content-MD5 says");
    }
    for (const auto& [algorithm, hasher] : hashers_) {
      out.checksums.push_back({algorithm, ChecksumType::full_object, hasher.base64()});
    }
    for (const auto& expected : rules_.expected) {
      const auto own = std::ranges::find(out.checksums, expected.algorithm, &Checksum::algorithm);
      if (own->value != expected.value) {
        return fail(ErrorCode::checksum_mismatch, "the body has the {} {}, not {}",
                    s3::api_name(to_s3(expected.algorithm)), own->value, expected.value);
      }
    }
    return {};
  }

  std::uint64_t size() const { return size_; }

 private:
  void add(ChecksumAlgorithm algorithm) {
    for (const auto& [known, hasher] : hashers_) {
      if (known == algorithm) return;
    }
    hashers_.emplace_back(algorithm, s3::Hasher(to_s3(algorithm)));
  }

  const IntakeRules& rules_;
  s3::Hasher md5_;
  std::vector<std::pair<ChecksumAlgorithm, s3::Hasher>> hashers_;
  std::uint64_t size_ = 0;
};

}  // namespace

Async<TakenBody> take_body(BodyReader& body, IntakeRules rules) {
  constexpr std::size_t step = 64u << 10;
  const std::uint64_t most = std::min(rules.limit, rules.size.value_or(rules.limit));
  Intake intake(rules);
  TakenBody taken;
  for (;;) {
    const std::size_t before = taken.bytes.size();
    taken.bytes.resize(before + step);
    auto got = co_await body.read(std::as_writable_bytes(std::span(taken.bytes)).subspan(before));
    if (!got) co_return std::unexpected(got.error());
    taken.bytes.resize(before + *got);
    if (*got == 0) break;
    intake.update(std::string_view(taken.bytes).substr(before));
    if (intake.size() <= most) continue;
    if (rules.size) {
      co_return fail(ErrorCode::incomplete_body, "more than the declared {} bytes came",
                     *rules.size);
    }
    co_return fail(ErrorCode::entity_too_large, "the body is over {} bytes", rules.limit);
  }
  if (auto judged = intake.finish(taken); !judged) co_return std::unexpected(judged.error());
  co_return taken;
}

Result<TakenBody> check_bytes(std::string bytes, const IntakeRules& rules) {
  Intake intake(rules);
  intake.update(bytes);
  TakenBody taken;
  if (auto judged = intake.finish(taken); !judged) return std::unexpected(judged.error());
  taken.bytes = std::move(bytes);
  return taken;
}

}  // namespace holdfast::store

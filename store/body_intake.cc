#include "store/body_intake.h"

#include <span>
#include <utility>

#include "store/body_digest.h"

namespace holdfast::store {
namespace {

Result<TakenBody> finish(BodyDigest& digest, std::string bytes) {
  if (auto judged = digest.judge(); !judged) return std::unexpected(judged.error());
  return TakenBody{std::move(bytes), digest.md5(), digest.checksums()};
}

}  // namespace

Async<TakenBody> take_body(BodyReader& body, IntakeRules rules) {
  constexpr std::size_t step = 64u << 10;
  BodyDigest digest(std::move(rules));
  std::string bytes;
  for (;;) {
    const std::size_t before = bytes.size();
    bytes.resize(before + step);
    auto got = co_await body.read(std::as_writable_bytes(std::span(bytes)).subspan(before));
    if (!got) co_return std::unexpected(got.error());
    bytes.resize(before + *got);
    if (*got == 0) break;
    digest.update(std::string_view(bytes).substr(before));
    if (auto grown = digest.check_growth(digest.size()); !grown) {
      co_return std::unexpected(grown.error());
    }
  }
  co_return finish(digest, std::move(bytes));
}

Result<TakenBody> check_bytes(std::string bytes, const IntakeRules& rules) {
  BodyDigest digest(rules);
  digest.update(bytes);
  return finish(digest, std::move(bytes));
}

}  // namespace holdfast::store

#include "gateway/notifying_store.h"

namespace holdfast::gateway {

store::Async<void> NotifyingStore::set_bucket_document(BucketName name, store::BucketDocument kind,
                                                       std::string text) {
  if (kind != store::BucketDocument::notification) {
    co_return co_await inner_.set_bucket_document(std::move(name), kind, std::move(text));
  }
  if (!text.empty()) {
    auto rules = webhooks_.check(text);
    if (!rules) co_return std::unexpected(rules.error());
    // First where it begins: a write that follows the answer is told whatever happens.
    auto ready = co_await webhooks_.prepare(name, std::move(*rules));
    if (!ready) co_return ready;
  }
  auto done = co_await inner_.set_bucket_document(name, kind, std::move(text));
  if (done) co_await webhooks_.reload(std::move(name));
  co_return done;
}

}  // namespace holdfast::gateway

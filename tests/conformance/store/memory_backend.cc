#include "base/random.h"
#include "store/memory_store.h"
#include "store_conformance.h"

namespace holdfast::store {
namespace {

class OpenMemory final : public OpenStore {
 public:
  explicit OpenMemory(boost::asio::io_context& io)
      : random_(1), store_(io.get_executor(), clock_, random_) {}
  ObjectStore& store() override { return store_; }

 private:
  SystemClock clock_;
  SeededRandom random_;
  MemoryStore store_;
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance,
                         testing::Values(Backend{
                             "memory",
                             [](boost::asio::io_context& io) -> std::unique_ptr<OpenStore> {
                               return std::make_unique<OpenMemory>(io);
                             }}),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace holdfast::store

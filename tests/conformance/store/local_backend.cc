#include <cstdlib>
#include <filesystem>

#include "base/random.h"
#include "store/local_store.h"
#include "store_conformance.h"

namespace holdfast::store {
namespace {

class OpenLocal final : public OpenStore {
 public:
  OpenLocal() {
    std::string name = testing::TempDir() + "holdfast-conformance-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
    auto store = LocalStore::open({.directory = directory_, .sync = false}, clock_, random_);
    if (!store) throw std::runtime_error(store.error().context);
    store_ = std::move(*store);
  }
  ~OpenLocal() override {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  ObjectStore& store() override { return *store_; }

 private:
  std::string directory_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<LocalStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Local, StoreConformance,
                         testing::Values(Backend{
                             "local",
                             [](boost::asio::io_context&) -> std::unique_ptr<OpenStore> {
                               return std::make_unique<OpenLocal>();
                             }}),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace holdfast::store

#include <cstdlib>
#include <filesystem>

#include "base/fd.h"
#include "base/random.h"
#include "store/local_store.h"
#include "store/root_keys.h"
#include "store_conformance.h"

namespace holdfast::store {
namespace {

class OpenLocal final : public OpenStore {
 public:
  enum class Bodies { clear, encrypted };

  explicit OpenLocal(Bodies bodies) {
    std::string name = testing::TempDir() + "holdfast-conformance-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
    std::shared_ptr<const RootKeys> keys;
    if (bodies == Bodies::encrypted) keys = make_keys();
    auto store = LocalStore::open(
        {.directory = directory_ + "/store", .sync = false, .root_keys = keys}, clock_, random_);
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
  std::shared_ptr<const RootKeys> make_keys() {
    const std::string path = directory_ + "/key";
    auto keys = replace_file(path, random_.hex(32))
                    ? RootKeys::load({path, {}, {}}, directory_ + "/store")
                    : std::unexpected(Error{ErrorCode::io, "no key file"});
    if (!keys) throw std::runtime_error(keys.error().context);
    return *keys;
  }

  std::string directory_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<LocalStore> store_;
};

template <OpenLocal::Bodies bodies>
std::unique_ptr<OpenStore> open_local(boost::asio::io_context&) {
  return std::make_unique<OpenLocal>(bodies);
}

INSTANTIATE_TEST_SUITE_P(Local, StoreConformance,
                         testing::Values(Backend{"local", open_local<OpenLocal::Bodies::clear>},
                                         Backend{"encrypted",
                                                 open_local<OpenLocal::Bodies::encrypted>}),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace holdfast::store

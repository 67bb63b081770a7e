// The local store against a model of a few lines: maps of what should be there. RapidCheck prints
// the seed and the shrunk steps of a failure; RC_PARAMS=seed=… runs it again.
#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <deque>
#include <map>

#include "tests/unit/store/local_fixture.h"
#include "tests/unit/store/root_key_fixture.h"

namespace holdfast::store {
namespace {

const std::vector<std::string> keys = {
    "a", "a/", "a/b", "a/b/c", "a0", "b", std::string("b\xff"), "b/\xc3\xa4", "c//d"};

struct ModelVersion {
  VersionId id;
  std::string body;
  bool marker = false;
};
struct Model {
  Versioning versioning = Versioning::unversioned;
  std::map<std::string, std::deque<ModelVersion>> keys;  // newest first

  void add(const std::string& key, ModelVersion version) {
    auto& versions = keys[key];
    if (version.id.value == "null") {
      std::erase_if(versions, [](const auto& old) { return old.id.value == "null"; });
    }
    versions.push_front(std::move(version));
  }
  void drop(const std::string& key, const VersionId& id) {
    auto& versions = keys[key];
    std::erase_if(versions, [&](const auto& old) { return old.id == id; });
    if (versions.empty()) keys.erase(key);
  }
  const ModelVersion* current(const std::string& key) const {
    const auto found = keys.find(key);
    if (found == keys.end() || found->second.front().marker) return nullptr;
    return &found->second.front();
  }
};

class ModelRun : public LocalStoreTest {
 public:
  void TestBody() override {}

  enum class Bodies { clear, encrypted };

  explicit ModelRun(Bodies bodies) {
    if (bodies == Bodies::encrypted) root_keys_ = folder_.fresh(random);
  }

  void start() {
    open(small());
    make_bucket("data");
  }

  void step() {
    switch (*rc::gen::inRange(0, 13)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return put_one();
      case 4:
      case 5:
        return remove_latest();
      case 6:
        return remove_version();
      case 7:
        return copy_one();
      case 8:
        return upload_one();
      case 9:
        return change_versioning();
      case 10:
        return conditional_put();
      case 11:
        return compact();
      default:
        return reopen();
    }
  }

  void check() {
    for (const auto& key : keys) {
      const ModelVersion* wanted = model.current(key);
      auto text = get("data", key);
      RC_ASSERT(text.has_value() == (wanted != nullptr));
      if (wanted) RC_ASSERT(*text == wanted->body);
    }
    check_listing("", "");
    check_listing("", "/");
    check_listing("a", "/");
    check_listing("a/b", "");
    check_versions();
    // Each blob has an owner: what nothing refers to is gone.
    std::size_t most = 0;
    for (const auto& [key, versions] : model.keys) {
      for (const auto& version : versions) most += version.body.size() > 64 ? 1 : 0;
    }
    RC_ASSERT(count_blobs_if_any() <= most * 2);
    if (model.keys.empty()) RC_ASSERT(count_blobs_if_any() == 0u);
  }

  void reopen_whole() {
    store.reset();
    auto rebuilt = LocalStore::rebuild_index(small(), clock, random);
    RC_ASSERT(rebuilt.has_value());
    open(small());
  }

 private:
  LocalStoreOptions small() const {
    auto wanted = options();
    wanted.segment_bytes = 4096;
    wanted.inline_bytes = 64;
    wanted.root_keys = root_keys_;
    return wanted;
  }
  std::size_t count_blobs_if_any() const {
    return std::filesystem::exists(options().directory + "/blobs") ? count_blobs() : 0;
  }
  std::string pick_key() const { return *rc::gen::elementOf(keys); }
  std::string make_body() const {
    return pattern_text(*rc::gen::element<std::size_t>(0, 1, 60, 64, 65, 3000),
                        *rc::gen::inRange(0u, 1000u));
  }
  VersionId stored_id(const VersionId& answered) const {
    return model.versioning == Versioning::enabled ? answered : VersionId("null");
  }

  void put_one() {
    const std::string key = pick_key();
    const std::string body = make_body();
    auto done = put("data", key, body);
    RC_ASSERT(done.has_value());
    RC_ASSERT(done->version.empty() == (model.versioning != Versioning::enabled));
    model.add(key, {stored_id(done->version), body});
  }

  void conditional_put() {
    const std::string key = pick_key();
    const std::string body = make_body();
    auto done = put("data", key, body, {.if_none_match_any = true});
    RC_ASSERT(done.has_value() == (model.current(key) == nullptr));
    if (done) model.add(key, {stored_id(done->version), body});
  }

  void remove_latest() {
    const std::string key = pick_key();
    auto done = remove("data", key);
    RC_ASSERT(done.has_value());
    if (model.versioning == Versioning::unversioned) {
      model.drop(key, VersionId("null"));
    } else {
      RC_ASSERT(done->delete_marker);
      model.add(key, {done->version, "", true});
    }
  }

  void remove_version() {
    if (model.keys.empty()) return;
    const auto at = *rc::gen::inRange<std::size_t>(0, model.keys.size());
    const auto& [key, versions] = *std::next(model.keys.begin(), static_cast<std::ptrdiff_t>(at));
    const auto which = *rc::gen::inRange<std::size_t>(0, versions.size());
    const std::string name = key;
    const VersionId id = versions[which].id;
    RC_ASSERT(remove("data", name, id).has_value());
    model.drop(name, id);
  }

  void copy_one() {
    CopyRequest request;
    request.source_bucket = request.bucket = BucketName("data");
    request.source_key = ObjectKey(pick_key());
    request.key = ObjectKey(pick_key());
    const ModelVersion* source = model.current(request.source_key.value);
    auto done = run(store->copy(request));
    RC_ASSERT(done.has_value() == (source != nullptr));
    if (!done) return;
    const std::string body = source->body;
    model.add(request.key.value, {stored_id(done->version), body});
  }

  void upload_one() {
    CreateUploadRequest create;
    create.bucket = BucketName("data");
    create.key = ObjectKey(pick_key());
    auto upload = run(store->create_upload(create));
    RC_ASSERT(upload.has_value());
    PartRequest part{.bucket = create.bucket, .key = create.key, .upload = *upload};
    part.number = 7;
    std::string body;
    PartInfo info;
    for (int tries = *rc::gen::inRange(1, 3); tries > 0; --tries) {
      body = make_body();
      auto reader = make_string_reader(body);
      auto done = run(store->put_part(part, *reader));
      RC_ASSERT(done.has_value());
      info = *done;
    }
    if (*rc::gen::inRange(0, 3) == 0) {
      RC_ASSERT(run(store->abort_upload(create.bucket, create.key, *upload)).has_value());
      return;
    }
    CompleteRequest complete{.bucket = create.bucket, .key = create.key, .upload = *upload};
    complete.parts.push_back({info.number, info.etag, {}});
    auto done = run(store->complete_upload(complete));
    RC_ASSERT(done.has_value());
    model.add(create.key.value, {stored_id(done->version), body});
  }

  void change_versioning() {
    const auto wanted = *rc::gen::element(Versioning::enabled, Versioning::suspended);
    RC_ASSERT(run(store->set_versioning(BucketName("data"), wanted)).has_value());
    model.versioning = wanted;
  }

  void compact() {
    CompactRules rules{.garbage_share = -1, .garbage_bytes = 0, .bytes_per_second = 0, .go_on = {}};
    RC_ASSERT(run(store->compact(rules, {})).has_value());
  }

  void reopen() { open(small()); }

  void check_listing(const std::string& prefix, const std::string& delimiter) {
    std::vector<std::string> found;
    std::vector<std::string> prefixes;
    ListRequest request{.bucket = BucketName("data"), .prefix = prefix, .delimiter = delimiter};
    request.max_keys = 2;
    for (int pages = 0;; ++pages) {
      RC_ASSERT(pages < 20);
      auto page = run(store->list(request));
      RC_ASSERT(page.has_value());
      for (const auto& object : page->objects) found.push_back(object.key.value);
      for (const auto& common : page->common_prefixes) prefixes.push_back(common);
      if (!page->truncated) break;
      request.start_after = page->next;
    }
    std::vector<std::string> wanted;
    std::vector<std::string> wanted_prefixes;
    for (const auto& [key, versions] : model.keys) {
      if (versions.front().marker || !key.starts_with(prefix)) continue;
      const auto cut = delimiter.empty() ? std::string::npos : key.find(delimiter, prefix.size());
      if (cut == std::string::npos) {
        wanted.push_back(key);
      } else if (wanted_prefixes.empty() || wanted_prefixes.back() != key.substr(0, cut + 1)) {
        wanted_prefixes.push_back(key.substr(0, cut + 1));
      }
    }
    RC_ASSERT(found == wanted);
    RC_ASSERT(prefixes == wanted_prefixes);
  }

  void check_versions() {
    std::vector<std::string> found;
    ListVersionsRequest request{.bucket = BucketName("data")};
    request.max_keys = 3;
    for (int pages = 0;; ++pages) {
      RC_ASSERT(pages < 200);
      auto page = run(store->list_versions(request));
      RC_ASSERT(page.has_value());
      for (const auto& version : page->versions) {
        found.push_back(fmt::format("{} {} {} {}", version.key.value, version.version.value,
                                    version.delete_marker, version.latest));
      }
      if (!page->truncated) break;
      request.key_marker = page->next_key;
      request.version_marker = page->next_version;
    }
    std::vector<std::string> wanted;
    for (const auto& [key, versions] : model.keys) {
      for (std::size_t i = 0; i < versions.size(); ++i) {
        wanted.push_back(
            fmt::format("{} {} {} {}", key, versions[i].id.value, versions[i].marker, i == 0));
      }
    }
    RC_ASSERT(found == wanted);
  }

  RootKeyFolder folder_;
  std::shared_ptr<const RootKeys> root_keys_;
  Model model;
};

bool agrees(ModelRun::Bodies bodies) {
  return rc::check([bodies] {
    ModelRun run_(bodies);
    run_.start();
    const int steps = *rc::gen::inRange(1, 60);
    for (int i = 0; i < steps; ++i) run_.step();
    run_.check();
    run_.reopen_whole();
    run_.check();
  });
}

TEST(LocalStoreModel, AgreesWithMapsThroughAnySteps) {
  EXPECT_TRUE(agrees(ModelRun::Bodies::clear));
}

TEST(LocalStoreModel, AgreesWithMapsThroughAnyStepsWhenItEncrypts) {
  EXPECT_TRUE(agrees(ModelRun::Bodies::encrypted));
}

}  // namespace
}  // namespace holdfast::store

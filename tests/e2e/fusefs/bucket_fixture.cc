#include "tests/e2e/fusefs/bucket_fixture.h"

#include <stdlib.h>

#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>

namespace holdfast::fusefs::testing {

namespace asio = boost::asio;

store::Async<store::AccessPage> FakeAccess::access(std::uint64_t after_epoch,
                                                   std::chrono::milliseconds wait) {
  if (epoch_ == after_epoch && wait.count() > 0) co_await changed_.wait(wait);
  co_return store::AccessPage{epoch_, PrincipalName("alice"), visible_};
}

void FakeAccess::set(std::vector<store::VisibleEntry> visible) {
  visible_ = std::move(visible);
  ++epoch_;
  changed_.notify();
}

store::Fault Switch::next(store::Operation operation) {
  if (operation == store::Operation::read) ++reads;
  if (!down) return {};
  return {.kind = store::Fault::Kind::before, .code = ErrorCode::unavailable};
}

namespace {

asio::awaitable<void> put_object(store::ObjectStore& store, std::string bucket, std::string key,
                                 std::string content) {
  store::PutRequest request;
  request.bucket = BucketName(bucket);
  request.key = ObjectKey(key);
  const auto body = make_string_reader(std::move(content));
  const auto put = co_await store.put(std::move(request), *body);
  EXPECT_TRUE(put) << put.error().context;
}

asio::awaitable<std::optional<std::string>> get_object(store::ObjectStore& store,
                                                       std::string bucket, std::string key) {
  store::GetRequest request;
  request.bucket = BucketName(bucket);
  request.key = ObjectKey(key);
  auto got = co_await store.get(std::move(request));
  if (!got) co_return std::nullopt;
  const auto reader = make_reader(std::move(got->body));
  auto text = co_await read_all(*reader, 1u << 30);
  EXPECT_TRUE(text);
  co_return *text;
}

asio::awaitable<std::vector<std::string>> list_keys(store::ObjectStore& store, std::string bucket) {
  store::ListRequest request;
  request.bucket = BucketName(bucket);
  const auto page = co_await store.list(std::move(request));
  std::vector<std::string> keys;
  for (const auto& object : page->objects) keys.push_back(object.key.value);
  co_return keys;
}

asio::awaitable<void> create_bucket(store::ObjectStore& store, std::string name) {
  const auto made = co_await store.create_bucket(BucketName(name), false);
  EXPECT_TRUE(made);
}

}  // namespace

BucketMount::BucketMount() : thread_([this] { context.run(); }) {
  std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-view-XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  directory = pattern;
  std::filesystem::permissions(directory, std::filesystem::perms(0755));
  mount_point = directory + "/buckets";
  std::filesystem::create_directory(directory + "/staging");
  memory = std::make_unique<store::MemoryStore>(context.get_executor(), clock, random);
  store = std::make_unique<store::FaultStore>(*memory, network);
  access = std::make_unique<FakeAccess>(context.get_executor());
  run(create_bucket(*memory, "research"));
  run(create_bucket(*memory, "finance"));
  BucketOptions options{.staging = directory + "/staging",
                        .rescued = directory + "/rescued",
                        .uid = 4242,
                        .gid = 4242};
  options.cache_seconds = 0.2;
  files = std::make_shared<BucketFs>(context.get_executor(), options, *store, *access, clock);
  auto mounted = Session::mount({.mount_point = mount_point, .name = "test"}, files, [] {});
  EXPECT_TRUE(mounted) << mounted.error().context;
  session = std::move(*mounted);
  grant({{BucketName("research"), "", store::AccessLevel::write, {}}});
  run(files->start());
}

BucketMount::~BucketMount() {
  EXPECT_TRUE(session->unmount(std::chrono::seconds(5)));
  run(files->stop());
  session.reset();
  context.stop();
  thread_.join();
  files.reset();
  std::filesystem::remove_all(directory);
}

void BucketMount::grant(std::vector<store::VisibleEntry> visible) {
  std::promise<void> done;
  asio::post(context, [&] {
    access->set(std::move(visible));
    done.set_value();
  });
  done.get_future().wait();
}

void BucketMount::put(const std::string& bucket, const std::string& key,
                      const std::string& content) {
  run(put_object(*memory, bucket, key, content));
}

std::optional<std::string> BucketMount::get(const std::string& bucket, const std::string& key) {
  return run(get_object(*memory, bucket, key));
}

std::vector<std::string> BucketMount::keys(const std::string& bucket) {
  return run(list_keys(*memory, bucket));
}

}  // namespace holdfast::fusefs::testing

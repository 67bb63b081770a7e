// Which direct URLs the endpoint takes as they are meant: asked by doing, as upstream_probe.cc
// does.
#include <boost/asio/this_coro.hpp>

#include "base/log.h"
#include "net/http_client.h"
#include "s3/headers.h"
#include "s3/results.h"
#include "store/direct_urls.h"
#include "store/history.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;

constexpr std::string_view text = "holdfast";
constexpr std::chrono::seconds probe_timeout{10};

class Probe {
 public:
  Probe(asio::any_io_executor executor, const std::string& ca_file, DirectUrls& urls,
        ObjectStore& store, BucketName bucket)
      : http_(std::move(executor),
              {.max_connections = 1, .ca_file = ca_file, .reach = net::Reach::not_link_local}),
        urls_(urls),
        store_(store),
        bucket_(std::move(bucket)) {}

  // `source`: what a header that was not signed might copy, by the endpoint's name of it.
  Async<DirectAbilities> run(std::string source) {
    DirectAbilities can;
    auto body = make_string_reader(std::string(text));
    PutRequest put{.bucket = bucket_, .key = object_};
    put.size = text.size();
    auto kept = co_await store_.put(std::move(put), *body);
    if (!kept) co_return std::unexpected(kept.error());
    auto reader = co_await urls_.to_read();
    if (!reader) co_return std::unexpected(reader.error());
    const std::string read = urls_.url({"GET", bucket_, object_}, *reader);
    auto answer = co_await ask("GET", read, {}, {});
    if (!answer) co_return std::unexpected(answer.error());
    can.reads = answer->status == 200 && answer->text == text && co_await refuses_more(read);

    CreateUploadRequest create{.bucket = bucket_, .key = upload_};
    auto id = co_await store_.create_upload(std::move(create));
    if (!id) co_return std::unexpected(id.error());
    can.parts = co_await sends(*id, std::move(source));
    (void)co_await store_.abort_upload(bucket_, upload_, *id);
    co_return can;
  }

  // Every version of what was written.
  Async<void> clean() {
    auto versions = co_await history(store_, bucket_, object_, 100);
    if (!versions) co_return std::unexpected(versions.error());
    std::vector<DeleteRequest> removals;
    for (const auto& version : *versions) {
      removals.push_back({.bucket = bucket_, .key = object_, .version = version.version});
    }
    for (const auto& answer : co_await store_.remove_many(std::move(removals))) {
      if (!answer) co_return std::unexpected(answer.error());
    }
    co_return Result<void>();
  }

  static std::string source_of(const BucketName& theirs) {
    return s3::encode_copy_source({theirs.value, std::string(object_name), std::nullopt});
  }

 private:
  struct Answer {
    unsigned status = 0;
    std::string text;
  };

  Async<Answer> ask(std::string method, std::string url, std::string source, std::string sent) {
    net::ClientRequest request;
    request.method = std::move(method);
    request.url = std::move(url);
    if (!source.empty()) request.headers.add("x-amz-copy-source", source);
    request.connect_timeout = request.head_timeout = request.stall_timeout = probe_timeout;
    auto body = make_string_reader(sent);
    if (request.method == "PUT") {
      request.body = body.get();
      request.body_size = sent.size();
    }
    auto response = co_await http_.send(std::move(request));
    if (!response) co_return std::unexpected(response.error());
    Answer answer{response->status, {}};
    if (response->body) answer.text = (co_await read_all(*response->body, 64u << 10)).value_or("");
    co_return answer;
  }
  asio::awaitable<bool> sends(UploadId id, std::string source) {
    auto sender = co_await urls_.to_send(bucket_, upload_);
    if (!sender) {
      spdlog::warn("store: {}", sender.error().context);
      co_return false;
    }
    const std::string part = urls_.url(
        {"PUT", bucket_, upload_, {{"partNumber", "1"}, {"uploadId", id.value}}}, *sender);
    co_return co_await takes(part, std::string(text)) && co_await refuses_copy(part, source);
  }
  asio::awaitable<bool> takes(std::string url, std::string sent) {
    const auto answer = co_await ask("PUT", std::move(url), {}, std::move(sent));
    co_return answer.has_value() && answer->status == 200;
  }
  // Only a plain refusal counts: silence and other complaints prove nothing. MinIO's is a 400.
  asio::awaitable<bool> refuses_copy(std::string url, std::string source) {
    const auto answer = co_await ask("PUT", std::move(url), std::move(source), {});
    if (!answer) co_return false;
    if (answer->status == 403) co_return true;
    const auto document = s3::parse_error(answer->text);
    co_return answer->status == 400 && document && document->code == "AccessDenied";
  }
  asio::awaitable<bool> refuses_more(std::string url) {
    const auto answer = co_await ask("GET", url + "&versionId=null", {}, {});
    co_return answer.has_value() && answer->status == 403;
  }

  static constexpr std::string_view object_name = ".holdfast-probe";

  net::HttpClient http_;
  DirectUrls& urls_;
  ObjectStore& store_;
  BucketName bucket_;
  ObjectKey object_{std::string(object_name)};
  ObjectKey upload_{".holdfast-probe-parts"};
};

}  // namespace

asio::awaitable<void> DirectUrls::probe(ObjectStore& store, BucketName bucket) {
  spdlog::info("store: asking {} which direct URLs it takes; it has {} s for each answer", hosts(),
               probe_timeout.count());
  Probe probe(co_await asio::this_coro::executor, options_.ca_file, *this, store, bucket);
  auto can = co_await probe.run(Probe::source_of(options_.names.theirs(bucket)));
  auto cleaned = co_await probe.clean();
  if (!cleaned) spdlog::warn("store: the probe of direct URLs: {}", cleaned.error().context);
  if (!can) {
    spdlog::warn("store: no direct URLs, all bytes go through this server: {}",
                 can.error().context);
    co_return;
  }
  abilities_ = *can;
  if (!can->reads) {
    spdlog::warn("store: {} does not take presigned URLs as it should: downloads are not direct",
                 hosts());
  }
  if (!can->parts) {
    spdlog::warn(
        "store: {} obeys headers that a presigned URL did not sign, or takes no parts by one: "
        "uploads in parts are not direct",
        hosts());
  }
  spdlog::info("store: direct URLs of {} s at {}: downloads {}, parts {}", lifetime().count(),
               hosts(), can->reads ? "yes" : "no", can->parts ? "yes" : "no");
}

}  // namespace holdfast::store

// What a direct URL says and what it does not: the signature is checked as an endpoint checks it.
#include "store/direct_urls.h"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <boost/asio/use_future.hpp>
#include <sstream>

#include "s3/sigv4.h"
#include "store_test.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

class DirectUrlsTest : public StoreTest {
 protected:
  static DirectOptions options() {
    DirectOptions options{.names = {"hf-", {{"mapped", "elsewhere"}}}};
    options.endpoint = "https://s3.example.org";
    options.region = "eu-1";
    return options;
  }
  std::unique_ptr<DirectUrls> open(DirectOptions options) {
    auto urls = DirectUrls::open(std::move(options), credentials_, clock_);
    EXPECT_EQ(outcome(urls), "ok");
    return std::move(urls).value();
  }
  std::string sign(DirectUrls& urls, const DirectCall& call) {
    return urls.url(call, run(urls.to_read()).value());
  }

  struct Parts {
    std::string host, path, query;
  };
  static Parts parts_of(const std::string& url) {
    const auto host = url.find("://") + 3, slash = url.find('/', host), mark = url.find('?');
    return {url.substr(host, slash - host), url.substr(slash, mark - slash), url.substr(mark + 1)};
  }
  // What an endpoint that knows the secret says to a request.
  std::string verdict(const std::string& method, const Parts& parts, TimePoint now) {
    const std::vector<s3::HeaderView> headers = {{"host", parts.host}};
    const s3::SigningRequest request{method, parts.path, parts.query, headers};
    const auto parsed = s3::parse_authorization(request);
    if (!parsed) return "not parsed";
    EXPECT_EQ(parsed->access_key, "AKUP");
    EXPECT_EQ(parsed->signed_headers, std::vector<std::string>{"host"});
    const auto good = s3::verify(*parsed, "secret", request, {.now = now, .region = "eu-1"});
    return good ? "ok" : std::string(s3::describe(good.error().error).code);
  }

  FixedCredentials credentials_{{"AKUP", "secret", ""}};
};

TEST_F(DirectUrlsTest, NamesTheEndpointsBucketAndTheKey) {
  const auto urls = open(options());
  EXPECT_TRUE(sign(*urls, {"GET", BucketName("research"), ObjectKey("a b/ü+%2F")})
                  .starts_with("https://s3.example.org/hf-research/a%20b/%C3%BC%2B%252F?"));
  EXPECT_TRUE(sign(*urls, {"GET", BucketName("mapped"), ObjectKey("k")})
                  .starts_with("https://s3.example.org/elsewhere/k?"));
  auto by_host = options();
  by_host.path_style = false;
  EXPECT_TRUE(sign(*open(by_host), {"GET", BucketName("research"), ObjectKey("k")})
                  .starts_with("https://hf-research.s3.example.org/k?"));
  EXPECT_EQ(open(by_host)->hosts(), "https://*.s3.example.org");
}

TEST_F(DirectUrlsTest, IsGoodForOneMethodKeyAndQueryOnly) {
  const auto urls = open(options());
  const DirectCall call{
      "PUT", BucketName("research"), ObjectKey("big"), {{"partNumber", "2"}, {"uploadId", "u/1"}}};
  const auto parts = parts_of(sign(*urls, call));
  const auto now = clock_.now();
  EXPECT_EQ(verdict("PUT", parts, now), "ok");
  EXPECT_EQ(verdict("GET", parts, now), "SignatureDoesNotMatch");
  EXPECT_EQ(verdict("PUT", {parts.host, "/hf-research/other", parts.query}, now),
            "SignatureDoesNotMatch");
  EXPECT_EQ(verdict("PUT", {parts.host, "/research/big", parts.query}, now),
            "SignatureDoesNotMatch");
  EXPECT_EQ(verdict("PUT", {"other.example.org", parts.path, parts.query}, now),
            "SignatureDoesNotMatch");
  EXPECT_EQ(verdict("PUT", {parts.host, parts.path, parts.query + "&acl"}, now),
            "SignatureDoesNotMatch");
  std::string third = parts.query;
  third.replace(third.find("partNumber=2"), 12, "partNumber=3");
  EXPECT_EQ(verdict("PUT", {parts.host, parts.path, third}, now), "SignatureDoesNotMatch");
}

TEST_F(DirectUrlsTest, EndsAfterItsLifetime) {
  auto shorter = options();
  shorter.lifetime = 120s;
  const auto parts =
      parts_of(sign(*open(shorter), {"GET", BucketName("research"), ObjectKey("k")}));
  EXPECT_NE(parts.query.find("X-Amz-Expires=120&"), std::string::npos);
  EXPECT_EQ(verdict("GET", parts, clock_.now() + 119s), "ok");
  EXPECT_EQ(verdict("GET", parts, clock_.now() + 121s), "AccessDenied");
}

TEST_F(DirectUrlsTest, CarriesATokenButNoSecret) {
  FixedCredentials temporary{{"AKUP", "secret", "token-1"}};
  auto urls = DirectUrls::open(options(), temporary, clock_);
  ASSERT_EQ(outcome(urls), "ok");
  const auto url = sign(**urls, {"GET", BucketName("research"), ObjectKey("k")});
  EXPECT_NE(url.find("X-Amz-Security-Token=token-1"), std::string::npos);
  EXPECT_EQ(url.find("secret"), std::string::npos);
}

TEST_F(DirectUrlsTest, IsRefusedWhereNobodyReachesItAndBeyondItsBounds) {
  const auto refused = [this](const std::string& endpoint, std::chrono::seconds lifetime) {
    auto wanted = options();
    wanted.endpoint = endpoint;
    wanted.lifetime = lifetime;
    return outcome(DirectUrls::open(std::move(wanted), credentials_, clock_));
  };
  EXPECT_EQ(refused("unix:/run/s3.sock", 300s), "invalid argument");
  EXPECT_EQ(refused("s3.example.org", 300s), "invalid argument");
  EXPECT_EQ(refused("http://s3.example.org", 0s), "invalid argument");
  EXPECT_EQ(refused("http://s3.example.org", 901s), "invalid argument");
  EXPECT_EQ(refused("http://s3.example.org", 900s), "ok");
}

TEST_F(DirectUrlsTest, CanNothingBeforeItWasTried) {
  const auto can = open(options())->abilities();
  EXPECT_FALSE(can.reads);
  EXPECT_FALSE(can.parts);
}

// A start waits for the answer, so who watches it has to know for what and for how long.
TEST_F(DirectUrlsTest, SaysWhomItAsksBeforeItWaits) {
  std::ostringstream said;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(said)));
  auto nobody = options();
  nobody.endpoint = "http://127.0.0.1:1";
  const auto urls = open(nobody);
  run([](DirectUrls& tried, ObjectStore& at, BucketName in) -> boost::asio::awaitable<bool> {
    co_await tried.probe(at, std::move(in));
    co_return true;
  }(*urls, memory_, bucket_));
  spdlog::set_default_logger(before);
  const auto asked = said.str().find("asking http://127.0.0.1:1 ");
  ASSERT_NE(asked, std::string::npos) << said.str();
  EXPECT_LT(said.str().find("10 s for each answer", asked), said.str().find("no direct URLs"))
      << said.str();
  EXPECT_FALSE(urls->abilities().reads);
}

}  // namespace
}  // namespace holdfast::store

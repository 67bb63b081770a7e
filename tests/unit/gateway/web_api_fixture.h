// A whole WebApi over a MemoryStore with the bucket "research", called without a listener.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/publisher.h"
#include "control/sessions.h"
#include "gateway/web_api.h"
#include "store/memory_store.h"
#include "tests/unit/control/fixtures.h"

namespace holdfast::gateway {

class WebApiTest : public control::testing::RegistryTest {
 protected:
  WebApiTest() {
    EXPECT_TRUE(publisher.attach(*registry));
    sessions = std::move(*control::Sessions::open(*registry, clock, random));
    EXPECT_TRUE(run(store.create_bucket(bucket, false)));
  }

  // Once the store holds what the test wants.
  void begin_serving(store::DirectUrls* direct = nullptr) {
    EXPECT_TRUE(run(rules.load()));
    api.emplace(WebApiParts{.store = store,
                            .registry = *registry,
                            .sessions = *sessions,
                            .policy = publisher,
                            .tools = nullptr,
                            .pool = pool,
                            .clock = clock,
                            .homes = {},
                            .rules = &rules,
                            .direct = direct},
                WebApiOptions{});
  }

  template <class T>
  T run(boost::asio::awaitable<T> task) {
    std::optional<T> answer;
    boost::asio::co_spawn(context, std::move(task), [&](const std::exception_ptr&, T value) {
      answer.emplace(std::move(value));
    });
    context.restart();
    context.run();
    return std::move(answer).value();
  }
  Result<ApiAnswer> call(Caller caller, std::vector<std::string> path, boost::json::object body) {
    return run(api->call({.method = "POST",
                          .path = std::move(path),
                          .query = {},
                          .body = std::move(body),
                          .caller = std::move(caller)}));
  }
  // About one object of the bucket.
  Result<ApiAnswer> post(Caller caller, std::vector<std::string> path, const std::string& key,
                         boost::json::object body) {
    body["bucket"] = bucket.value;
    body["key"] = key;
    return call(std::move(caller), std::move(path), std::move(body));
  }
  // Answers its id.
  Result<std::string> begin_upload(const std::string& who, const std::string& key) {
    auto begun = post({.actor = control::testing::as(who)}, {"uploads"}, key, {{"size", 10}});
    if (!begun) return std::unexpected(begun.error());
    return std::string(begun->body.at("upload_id").as_string());
  }

  boost::asio::io_context context;
  control::PolicyPublisher publisher{clock};
  std::unique_ptr<control::Sessions> sessions;
  BlockingPool pool{1};
  store::MemoryStore store{context.get_executor(), clock, random};
  BucketName bucket{"research"};
  BucketRulesBook rules{store, PublicAccessBlock()};
  std::optional<WebApi> api;
};

}  // namespace holdfast::gateway

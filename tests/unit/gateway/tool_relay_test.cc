#include "gateway/tool_relay.h"

#include <gtest/gtest.h>

#include <string>

#include "s3_fixture.h"

namespace holdfast::gateway {
namespace {

TEST(ToolRelay, AToolLearnsWhoCallsFromUsAndNeverFromTheClient) {
  net::RequestHead head;
  head.method = "GET";
  head.target = "/lab";
  head.headers.add("Host", "jupyter-alice.localhost:7080");
  for (const char* name :
       {"X-Forwarded-User", "x-forwarded-for", "X-Forwarded-Host", "X_Forwarded_Email", "Forwarded",
        "X-Real-IP", "Remote-User", "Remote_User", "X-Auth-Request-Email", "X-Holdfast-User"}) {
    head.headers.add(name, "mallory");
  }
  head.headers.add("Cookie", "a=1; __Host-holdfast-tool=secret; b=2");
  head.headers.add("X-Custom", "kept");
  const MemoryExchange exchange(std::move(head), "");
  const auto passed = head_for_tool(exchange, {.user = "alice"});
  for (const auto& header : passed.headers.items()) {
    EXPECT_NE(header.value, "mallory") << header.name;
    EXPECT_EQ(header.value.find("secret"), std::string::npos) << header.name;
  }
  EXPECT_EQ(passed.headers.get("X-Forwarded-User"), "alice");
  EXPECT_EQ(passed.headers.get("X-Custom"), "kept");
}

}  // namespace
}  // namespace holdfast::gateway

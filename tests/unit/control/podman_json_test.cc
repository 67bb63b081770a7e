#include "control/podman_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "control/bridge.h"
#include "control/kernel_log.h"
#include "control/tool_spec.h"

namespace holdfast::control {
namespace {

namespace json = boost::json;

ContainerSpec spec() {
  SpecInputs inputs;
  inputs.record = {.id = {PrincipalName("alice"), "jupyter"}, .generation = 4};
  inputs.tool_template = {.name = "jupyter",
                          .command = {"tool", "--dir={home}", "--origin={origin}", "{port}{port}"},
                          .environment = {{"WHO", "{user}@{host}"}},
                          .port = 8888};
  inputs.uid = 20001;
  inputs.mounts = {"/m/home", "/m/buckets"};
  inputs.key = {.id = AccessKeyId("AK1"), .secret = "s3cret"};
  inputs.homes_bucket = BucketName("homes");
  inputs.instance_id = "abc";
  return build_spec(inputs, {.s3_endpoint = "http://10.0.0.1:7070",
                             .public_domain = "example.org:7080",
                             .hidden_paths = {"/var/lib/holdfast", "/tmp/x"}});
}

}  // namespace

TEST(ToolSpec, TemplatesAreFilledAndKeysGivenInTheUsualVariables) {
  const auto made = spec();
  EXPECT_EQ(made.name, "holdfast-abc-jupyter-alice");
  EXPECT_EQ(made.command, (std::vector<std::string>{
                              "tool", "--dir=/home/alice",
                              "--origin=http://jupyter-alice.example.org:7080", "88888888"}));
  EXPECT_EQ(made.environment.at("WHO"), "alice@jupyter-alice.example.org:7080");
  EXPECT_EQ(made.environment.at("AWS_ACCESS_KEY_ID"), "AK1");
  EXPECT_EQ(made.environment.at("AWS_SECRET_ACCESS_KEY"), "s3cret");
  EXPECT_EQ(made.environment.at("AWS_ENDPOINT_URL"), "http://10.0.0.1:7070");
  EXPECT_EQ(made.environment.at("S3_BUCKET"), "homes");
  EXPECT_EQ(made.environment.at("S3_PREFIX"), "alice/");
}

TEST(PodmanJson, TheContainerIsConfined) {
  const auto body = json::parse(create_body(
      spec(), {.instance_id = "abc", .network = "net", .limits = {.open_files = 20000}}));
  const auto& object = body.as_object();
  EXPECT_EQ(object.at("user").as_string(), "20001:20001");
  EXPECT_EQ(object.at("cap_drop").as_array().at(0).as_string(), "ALL");
  EXPECT_TRUE(object.at("no_new_privileges").as_bool());
  EXPECT_TRUE(object.at("rootfs_overlay").as_bool());
  EXPECT_EQ(object.at("resource_limits").at("pids").at("limit").to_number<int>(), 512);
  EXPECT_EQ(object.at("labels").at("io.holdfast.generation").as_string(), "4");
  EXPECT_EQ(object.at("r_limits").as_array().size(), 1u) << "an unknown limit is left alone";
  bool hidden = false;
  for (const auto& mount : object.at("mounts").as_array()) {
    const auto& destination = mount.at("destination").as_string();
    hidden = hidden || destination == "/var/lib/holdfast";
    EXPECT_NE(destination, "/tmp/x") << "/tmp is empty anyway";
    if (mount.at("type").as_string() == "tmpfs") {
      EXPECT_NE(json::serialize(mount.at("options")).find("notmpcopyup"), std::string::npos);
    }
  }
  EXPECT_TRUE(hidden);
}

TEST(PodmanJson, LogFramesBecomeLines) {
  using namespace std::string_literals;
  EXPECT_EQ(read_log_frames("\1\0\0\0\0\0\0\2a\n\2\0\0\0\0\0\0\1b"s), "a\nb\n");
  EXPECT_EQ(read_log_frames("\1\0\0\0\0\0\0\xff"s
                            "cut"s),
            "cut\n");
  EXPECT_EQ(read_log_frames(""), "");
  EXPECT_EQ(read_log_frames("plain"), "");
}

TEST(PodmanJson, WhatCannotBeReadIsAnErrorNotACrash) {
  for (const auto* body : {"", "{}", "[]", "[{}]", "{\"State\":3}", "null"}) {
    EXPECT_FALSE(read_inspection(body)) << body;
    EXPECT_FALSE(read_subnet(body)) << body;
    EXPECT_FALSE(error_message(body).size() > 600);
  }
  EXPECT_FALSE(read_names("[{}]"));
}

TEST(Bridge, TheHostTakesTheFirstAddress) {
  EXPECT_EQ(first_host_of("10.89.3.0/24")->address, "10.89.3.1");
  EXPECT_EQ(first_host_of("10.89.3.77/16")->address, "10.89.0.1");
  for (const auto* bad : {"", "10.89.0.0", "10.89.0.0/33", "x/24", "10.89.0.0/"}) {
    EXPECT_FALSE(first_host_of(bad)) << bad;
  }
}

TEST(Bridge, ToolsGetTheOtherAddresses) {
  const auto range = container_range_of("10.89.3.0/24");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, "10.89.3.2");
  EXPECT_EQ(range->last, "10.89.3.254");
  const auto body = network_body("n", "b", "abc", ToolTemplate::Network::gateway_only,
                                 Leases{"10.89.3.0/24", range->first, range->last});
  EXPECT_NE(body.find("\"start_ip\":\"10.89.3.2\""), std::string::npos) << body;
  EXPECT_NE(body.find("\"internal\":true"), std::string::npos) << body;
  EXPECT_EQ(*read_subnet(body), "10.89.3.0/24");
}

TEST(KernelLog, AMemoryKillIsRecognisedByTheContainersId) {
  const std::string_view record =
      "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/libpod_parent/libpod-abc123,task=x";
  EXPECT_TRUE(is_memory_kill_of(record, "abc123"));
  EXPECT_FALSE(is_memory_kill_of(record, "abc124"));
  EXPECT_FALSE(is_memory_kill_of(record, ""));
  EXPECT_FALSE(is_memory_kill_of("6,1,2,-;something abc123", "abc123"));
}

}  // namespace holdfast::control

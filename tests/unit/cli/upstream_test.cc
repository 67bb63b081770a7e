#include "cli/upstream.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

TEST(UpstreamOptions, RuleOutAddressesWhereMetadataServicesAnswer) {
  UpstreamConfig config;
  config.endpoint = "http://rgw.example.org";
  EXPECT_EQ(upstream_options(config).s3.reach, net::Reach::not_link_local);
}

}  // namespace
}  // namespace holdfast::cli

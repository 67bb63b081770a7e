#include "gateway/s3_cors.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::gateway {
namespace {

constexpr std::string_view document = R"(<CORSConfiguration><CORSRule>
  <AllowedOrigin>https://*.example</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
  <AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>
  <MaxAgeSeconds>30</MaxAgeSeconds></CORSRule></CORSConfiguration>)";

net::RequestHead preflight(std::string_view origin, std::string_view method,
                           std::string_view headers) {
  net::RequestHead request;
  request.method = "OPTIONS";
  request.headers.add("Origin", origin);
  request.headers.add("Access-Control-Request-Method", method);
  request.headers.add("Access-Control-Request-Headers", headers);
  return request;
}

bool allowed(const std::vector<CorsRule>& rules, const net::RequestHead& request) {
  const auto question = cors_question(request);
  return question && find_rule(rules, *question) != nullptr;
}

TEST(S3Cors, OriginMethodAndEveryHeaderMustFit) {
  const auto rules = parse_cors(document).value();
  EXPECT_TRUE(allowed(rules, preflight("https://a.example", "PUT", "x-amz-date, X-Amz-Meta-a")));
  EXPECT_FALSE(allowed(rules, preflight("https://example", "PUT", "")));
  EXPECT_FALSE(allowed(rules, preflight("https://a.example.evil", "PUT", "")));
  EXPECT_FALSE(allowed(rules, preflight("http://a.example", "PUT", "")));
  EXPECT_FALSE(allowed(rules, preflight("https://a.example", "DELETE", "")));
  EXPECT_FALSE(allowed(rules, preflight("https://a.example", "PUT", "x-amz-date, cookie")));
}

TEST(S3Cors, AnAnswerNamesTheOriginAndNeverAllowsCredentials) {
  const auto rules = parse_cors(document).value();
  const auto request = preflight("https://a.example", "PUT", "x-amz-date");
  const auto question = *cors_question(request);
  net::Headers headers;
  add_preflight_headers(headers, rules.front(), question);
  EXPECT_EQ(headers.get("Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(headers.get("Access-Control-Allow-Headers"), "x-amz-date");
  EXPECT_EQ(headers.get("Access-Control-Max-Age"), "30");
  EXPECT_NE(headers.get("Vary").find("Origin"), std::string_view::npos);
  EXPECT_FALSE(headers.has("Access-Control-Allow-Credentials"));
}

TEST(S3Cors, AnAnswerThatIsNoPreflightNamesOriginMethodsAndWhatIsExposed) {
  const auto rules = parse_cors(document).value();
  net::RequestHead request;
  request.method = "PUT";
  request.headers.add("Origin", "https://a.example");
  const auto question = *cors_question(request);
  ASSERT_NE(find_rule(rules, question), nullptr);
  net::Headers headers;
  add_cors_headers(headers, rules.front(), question);
  EXPECT_EQ(headers.get("Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(headers.get("Access-Control-Allow-Methods"), "PUT");
  EXPECT_EQ(headers.get("Access-Control-Expose-Headers"), "ETag");
  EXPECT_NE(headers.get("Vary").find("Origin"), std::string_view::npos);
  EXPECT_FALSE(headers.has("Access-Control-Allow-Headers"));
}

TEST(S3Cors, APreflightNamesItsMethodsOnce) {
  const auto rules = parse_cors(document).value();
  const auto request = preflight("https://a.example", "PUT", "");
  net::Headers headers;
  add_preflight_headers(headers, rules.front(), *cors_question(request));
  const auto named = std::ranges::count_if(headers.items(), [](const auto& header) {
    return header.name == "Access-Control-Allow-Methods";
  });
  EXPECT_EQ(named, 1);
}

TEST(S3Cors, WhatAPlainRequestSaysItWouldDoIsWhatIsAskedAbout) {
  const auto rules = parse_cors(document).value();
  auto request = preflight("https://a.example", "PUT", "");
  request.method = "GET";
  EXPECT_TRUE(allowed(rules, request));
  request = preflight("https://a.example", "DELETE", "");
  request.method = "PUT";
  EXPECT_FALSE(allowed(rules, request));
}

TEST(S3Cors, ARuleForAnyoneAnswersWithAStarNotTheOrigin) {
  const auto rules = parse_cors(
                         "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
                         "<AllowedMethod>GET</AllowedMethod></CORSRule>"
                         "</CORSConfiguration>")
                         .value();
  net::RequestHead request;
  request.method = "GET";
  request.headers.add("Origin", "https://a.example");
  net::Headers headers;
  add_cors_headers(headers, rules.front(), *cors_question(request));
  EXPECT_EQ(headers.get("Access-Control-Allow-Origin"), "*");
}

TEST(S3Cors, BrokenDocumentsAreRefused) {
  EXPECT_FALSE(parse_cors("<CORSConfiguration/>"));
  EXPECT_FALSE(parse_cors("<Other/>"));
  EXPECT_FALSE(
      parse_cors("<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>"
                 "</CORSRule></CORSConfiguration>"));
  EXPECT_FALSE(
      parse_cors("<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
                 "<AllowedMethod>TRACE</AllowedMethod></CORSRule></CORSConfiguration>"));
  EXPECT_FALSE(
      parse_cors("<CORSConfiguration><CORSRule><AllowedOrigin>*.*</AllowedOrigin>"
                 "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"));
  EXPECT_FALSE(
      parse_cors("<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
                 "<AllowedMethod>GET</AllowedMethod><ExposeHeader>a\r\nb</ExposeHeader>"
                 "</CORSRule></CORSConfiguration>"));
}

}  // namespace
}  // namespace holdfast::gateway

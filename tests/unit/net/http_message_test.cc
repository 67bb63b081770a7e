// The fields of a head: order, look-ups without case, and how long what they hand out stays valid.
#include "net/http_message.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::net {
namespace {

std::string text_of(const Headers& headers) {
  std::string text;
  for (const auto& [name, value] : headers.items()) {
    text.append(name).append("=").append(value).append(";");
  }
  return text;
}

TEST(Headers, KeepOrderAndCaseAndAreFoundWithoutIt) {
  Headers headers;
  headers.add("X-Second", "2");
  headers.add("host", "h");
  headers.add("x-second", "3");
  headers.add("Empty", "");
  EXPECT_EQ(text_of(headers), "X-Second=2;host=h;x-second=3;Empty=;");
  EXPECT_EQ(headers.get("HOST"), "h");
  EXPECT_TRUE(headers.has("empty"));
  EXPECT_EQ(headers.all("X-SECOND"), (std::vector<std::string_view>{"2", "3"}));
  headers.set("x-SECOND", "only");
  EXPECT_EQ(text_of(headers), "X-Second=only;host=h;Empty=;");
  headers.remove("Host");
  EXPECT_EQ(text_of(headers), "X-Second=only;Empty=;");
}

TEST(Headers, WhatTheyHandedOutStaysWhateverIsAdded) {
  Headers headers;
  headers.add("first", "short");
  const auto first = headers.get("first");
  const std::string long_value(3000, 'v');
  for (int i = 0; i < 100; ++i) headers.add("name-" + std::to_string(i), long_value);
  headers.set("first", "another");
  EXPECT_EQ(first, "short");
  EXPECT_EQ(headers.get("first"), "another");
  EXPECT_EQ(headers.get("name-99"), long_value);
}

TEST(Headers, ACopyIsItsOwn) {
  Headers copy;
  copy.add("of", "before");
  {
    Headers headers;
    headers.add("name", std::string(100, 'a'));
    copy = headers;
    headers.set("name", "changed");
    Headers moved = std::move(headers);
    EXPECT_EQ(moved.get("name"), "changed");
    moved = Headers();
    EXPECT_TRUE(moved.items().empty());
  }
  EXPECT_EQ(copy.get("name"), std::string(100, 'a'));
  EXPECT_FALSE(copy.has("of"));
  const Headers& same = copy;
  copy = same;
  EXPECT_EQ(copy.get("name"), std::string(100, 'a'));
  EXPECT_EQ(text_of(Headers(Headers())), "");
}

TEST(Headers, GoOnAfterTheyWereMovedFrom) {
  Headers headers;
  headers.add("name", std::string(600, 'a'));
  Headers taken = std::move(headers);
  headers = Headers();
  headers.add("name", "b");
  EXPECT_EQ(taken.get("name"), std::string(600, 'a'));
  EXPECT_EQ(headers.get("name"), "b");
}

}  // namespace
}  // namespace holdfast::net

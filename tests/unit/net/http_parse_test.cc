#include "net/http_parse.h"

#include <gtest/gtest.h>

namespace holdfast::net {
namespace {

struct Shape {
  const char* name;
  std::string head;
  unsigned status;  // 0: accepted
};

// The way of a head through the server: the scanner finds its end, the parser reads it.
unsigned judge(const std::string& head) {
  HeadScanner scanner;
  auto end = scanner.scan(head);
  if (!end) return end.error().status;
  if (!*end) return 1;
  auto parsed = parse_request_head(std::string_view(head).substr(0, **end));
  return parsed ? 0 : parsed.error().status;
}

std::string with(std::string_view fields) {
  return "PUT /a HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n\r\n";
}

TEST(ParseRequestHead, RefusesShapesThatTwoReadersCouldReadDifferently) {
  const std::vector<Shape> shapes = {
      {"plain", with("Content-Length: 3"), 0},
      {"chunked", with("Transfer-Encoding: chunked"), 0},
      {"chunked in capitals", with("transfer-encoding: CHUNKED"), 0},
      {"length and chunked", with("Content-Length: 3\r\nTransfer-Encoding: chunked"), 400},
      {"chunked and length", with("Transfer-Encoding: chunked\r\nContent-Length: 3"), 400},
      {"chunked, identity", with("Transfer-Encoding: chunked, identity"), 400},
      {"identity", with("Transfer-Encoding: identity"), 400},
      {"gzip, chunked", with("Transfer-Encoding: gzip, chunked"), 400},
      {"chunked twice in one", with("Transfer-Encoding: chunked, chunked"), 400},
      {"chunked twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400},
      {"xchunked", with("Transfer-Encoding: xchunked"), 400},
      {"chunked with vertical tab",
       with("Transfer-Encoding: \x0b"
            "chunked"),
       400},
      {"empty coding", with("Transfer-Encoding:"), 400},
      {"name with space", with("Transfer-Encoding : chunked"), 400},
      {"length twice, equal", with("Content-Length: 3\r\nContent-Length: 3"), 400},
      {"length twice, unequal", with("Content-Length: 3\r\nContent-Length: 4"), 400},
      {"length list", with("Content-Length: 3, 3"), 400},
      {"length signed", with("Content-Length: +3"), 400},
      {"length negative", with("Content-Length: -3"), 400},
      {"length hexadecimal", with("Content-Length: 0x3"), 400},
      {"length empty", with("Content-Length:"), 400},
      {"length with inner space", with("Content-Length: 3 3"), 400},
      {"length over 64 bits", with("Content-Length: 18446744073709551617"), 400},
      {"host twice", with("Host: g"), 400},
      {"host with path", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
      {"host with user", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400},
      {"host missing", "GET / HTTP/1.1\r\nA: b\r\n\r\n", 400},
      {"host missing in 1.0", "GET / HTTP/1.0\r\n\r\n", 0},
      {"host of IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
      {"chunked in 1.0", "PUT / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"bare LF after request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
      {"bare LF after a field", "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", 400},
      {"bare LF as the end", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
      {"bare CR in a value", with("A: b\rc"), 400},
      {"NUL in a value", with(std::string_view("A: b\0c", 6)), 400},
      {"DEL in a value", with("A: b\x7f"), 400},
      {"folded line", with("A: b\r\n c"), 400},
      {"folded line with tab", with("A: b\r\n\tc"), 400},
      {"field before any", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
      {"no colon", with("Abc"), 400},
      {"empty name", with(": b"), 400},
      {"name not a token", with("A b: c"), 400},
      {"name with NUL", with(std::string_view("A\0: c", 5)), 400},
      {"empty line first", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"space in target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"tab in request line", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"trailing space", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
      {"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"raw byte in target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"HTTP/0.9", "GET /\r\n\r\n", 400},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
      {"lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
      {"absolute target", "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", 0},
      {"absolute target, other host", "GET http://g/a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"authority target", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"star for OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 0},
      {"star for GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"unknown expectation", with("Expect: tea"), 417},
      {"long target", "GET /" + std::string(max_target_bytes, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n",
       414},
      {"large head", with("A: " + std::string(max_head_bytes, 'a')), 431},
  };
  for (const auto& shape : shapes) EXPECT_EQ(judge(shape.head), shape.status) << shape.name;
}

TEST(ParseRequestHead, RefusesMoreThanAHundredHeaders) {
  std::string fields = "A: b";
  for (int i = 2; i <= 99; ++i) fields += "\r\nA: b";
  EXPECT_EQ(judge(with(fields)), 0u);
  EXPECT_EQ(judge(with(fields + "\r\nA: b")), 431u);
}

TEST(ParseRequestHead, KeepsTargetAndHeadersAsSent) {
  auto parsed = parse_request_head(
      "GET /a%2Fb//c/../d?x=%20&y HTTP/1.1\r\nhOst: Example:80\r\nX-A:  b c \t\r\nx-a: d\r\n\r\n");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->head.target, "/a%2Fb//c/../d?x=%20&y");
  EXPECT_EQ(parsed->head.path(), "/a%2Fb//c/../d");
  EXPECT_EQ(parsed->head.query(), "x=%20&y");
  EXPECT_EQ(parsed->head.host(), "Example:80");
  const auto& items = parsed->head.headers.items();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0].name, "hOst");
  EXPECT_EQ(items[1].value, "b c");
  EXPECT_EQ(parsed->head.headers.all("X-A").size(), 2u);
}

TEST(ParseRequestHead, KnowsWhetherTheConnectionStays) {
  const auto keeps = [](std::string_view version, std::string_view field) {
    auto parsed = parse_request_head("GET / " + std::string(version) + "\r\nHost: h\r\n" +
                                     std::string(field) + "\r\n");
    return parsed && parsed->keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: x , CLOSE\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

TEST(ParseRequestHead, SurvivesEveryCutAndEveryFlippedByte) {
  const std::string head =
      "PUT http://h/a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  for (std::size_t i = 0; i <= head.size(); ++i) {
    const auto cut = parse_request_head(std::string_view(head).substr(0, i));
    EXPECT_EQ(cut.has_value(), i == head.size());
  }
  for (std::size_t i = 0; i < head.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string bent = head;
      bent[i] = static_cast<char>(value);
      (void)judge(bent);
    }
  }
}

TEST(HeadScanner, FindsTheEndHoweverTheBytesArrive) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string bytes = head + "GET /next";
  for (std::size_t step = 1; step < bytes.size(); ++step) {
    HeadScanner scanner;
    std::optional<std::size_t> found;
    for (std::size_t have = step; !found; have = std::min(have + step, bytes.size())) {
      auto end = scanner.scan(std::string_view(bytes).substr(0, have));
      ASSERT_TRUE(end);
      found = *end;
    }
    EXPECT_EQ(*found, head.size());
  }
}

TEST(ParseResponseHead, ReadsStatusFramingAndConnection) {
  const auto parse = [](std::string_view head, std::string_view method = "GET") {
    return parse_response_head(head, method);
  };
  auto sized = parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  ASSERT_TRUE(sized);
  EXPECT_EQ(sized->status, 200u);
  EXPECT_EQ(sized->framing.length, 5u);
  EXPECT_TRUE(sized->keep_alive);
  auto open = parse("HTTP/1.1 200\r\n\r\n");
  ASSERT_TRUE(open);
  EXPECT_EQ(open->framing.kind, Framing::Kind::until_close);
  EXPECT_FALSE(open->keep_alive);
  auto head = parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->framing.kind, Framing::Kind::none);
  EXPECT_EQ(parse("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n")->framing.kind,
            Framing::Kind::none);
  EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"));
  EXPECT_FALSE(parse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  EXPECT_FALSE(parse("HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n"));
  EXPECT_FALSE(parse("HTTP/1.1 2x0 OK\r\n\r\n"));
  EXPECT_FALSE(parse("HTTP/1.1 2000 OK\r\n\r\n"));
  EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"));
}

TEST(Headers, SetReplacesEveryOneOfAName) {
  Headers headers;
  headers.add("A", "1");
  headers.add("b", "2");
  headers.add("a", "3");
  headers.set("A", "4");
  ASSERT_EQ(headers.items().size(), 2u);
  EXPECT_EQ(headers.get("a"), "4");
  headers.remove("B");
  EXPECT_FALSE(headers.has("b"));
}

}  // namespace
}  // namespace holdfast::net

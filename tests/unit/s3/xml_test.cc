#include "s3/xml.h"

#include <gtest/gtest.h>

namespace holdfast::s3 {
namespace {

TEST(XmlReader, ReadsElementsTextAndCharacterReferences) {
  const auto root = read_xml(
      "<?xml version=\"1.0\"?><n:A xmlns:n=\"x\"><B>1 &amp; &#x1;<![CDATA[<]]></B>"
      "<C> </C><D a=\"v\"/></n:A>\n",
      "A");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->value("B"), "1 & \x01<");
  EXPECT_EQ(root->value("C"), " ");
  EXPECT_EQ(root->child("D")->attributes[0].second, "v");
  EXPECT_EQ(root->child("E"), nullptr);
}

TEST(XmlReader, RefusesDocumentTypesAndEntities) {
  EXPECT_FALSE(read_xml("<!DOCTYPE A><A/>", "A"));
  EXPECT_FALSE(read_xml("<!DOCTYPE A [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><A>&x;</A>", "A"));
  std::string laughs = "<!DOCTYPE A [<!ENTITY l0 \"ha\">";
  for (int i = 1; i < 10; ++i) {
    laughs += "<!ENTITY l" + std::to_string(i) + " \"";
    for (int j = 0; j < 10; ++j) laughs += "&l" + std::to_string(i - 1) + ";";
    laughs += "\">";
  }
  EXPECT_FALSE(read_xml(laughs + "]><A>&l9;</A>", "A"));
  // Without a declaration an entity is text, never a file.
  EXPECT_EQ(read_xml("<A>&x;</A>", "A")->text, "&x;");
}

TEST(XmlReader, RefusesDepthSizeAndTooManyNodes) {
  const auto nested = [](std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += "<a>";
    for (std::size_t i = 0; i < depth; ++i) text += "</a>";
    return text;
  };
  EXPECT_TRUE(read_xml(nested(16), "a"));
  EXPECT_FALSE(read_xml(nested(17), "a"));
  EXPECT_FALSE(read_xml(nested(100'000), "a"));
  EXPECT_FALSE(read_xml("<a>" + std::string(1 << 20, 'x') + "</a>", "a"));
  std::string many = "<a>";
  for (int i = 0; i < 200; ++i) many += "<b/>";
  EXPECT_FALSE(read_xml(many + "</a>", "a", {.nodes = 100}));
}

TEST(XmlReader, RefusesWhatIsNotOneWellFormedDocument) {
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("text"), std::string_view("<A>"),
        std::string_view("<A></B>"), std::string_view("<A/><A/>"), std::string_view("<A/>junk"),
        std::string_view("<B/>"), std::string_view("<A b=c/>"), std::string_view("<A>\0</A>", 8)}) {
    EXPECT_FALSE(read_xml(bad, "A")) << bad;
  }
}

TEST(XmlWriter, EscapesWhatMarkupAndControlsWouldBreak) {
  XmlWriter xml;
  xml.open("R");
  const std::string text = "a<b>&\"'\r\n\t\x01\x1f\x7f ü 😀";
  xml.element("T", text);
  const std::string out = xml.finish();
  EXPECT_NE(out.find("a&lt;b&gt;&amp;&quot;'&#xD;&#xA;&#x9;&#x1;&#x1F;"), std::string::npos);
  EXPECT_EQ(read_xml(out, "R")->value("T"), text);
}

TEST(XmlWriter, BytesThatAreNoUtf8BecomeReplacementCharacters) {
  for (const std::string_view bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                     "\xe2\x82", "\xef\xbf\xbf", "\x80"}) {
    XmlWriter xml;
    xml.element("T", bad);
    const std::string out = xml.finish();
    EXPECT_EQ(out.find(bad), std::string::npos);
    EXPECT_NE(out.find("\xef\xbf\xbd"), std::string::npos);
  }
}

}  // namespace
}  // namespace holdfast::s3

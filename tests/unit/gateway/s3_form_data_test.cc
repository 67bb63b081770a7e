#include "gateway/s3_form_data.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <cstring>

namespace holdfast::gateway {
namespace {

// Answers at most `piece` bytes a read, so that marks fall across reads.
class Pieces final : public BodyReader {
 public:
  Pieces(std::string data, std::size_t piece) : data_(std::move(data)), piece_(piece) {}
  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    const std::size_t count = std::min({piece_, out.size(), data_.size() - at_});
    std::memcpy(out.data(), data_.data() + at_, count);
    at_ += count;
    co_return count;
  }
  std::optional<std::uint64_t> size() const override { return std::nullopt; }

 private:
  std::string data_;
  std::size_t piece_, at_ = 0;
};

template <class T>
T wait(boost::asio::awaitable<T> task) {
  boost::asio::io_context context;
  auto future = boost::asio::co_spawn(context, std::move(task), boost::asio::use_future);
  context.run();
  return future.get();
}

std::string field(std::string_view name, std::string_view value) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" +
         std::string(value) + "\r\n";
}
std::string file(std::string_view data) {
  return "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.txt\"\r\n"
         "Content-Type: text/x\r\n\r\n" +
         std::string(data) + "\r\n--B";
}

TEST(S3FormData, FieldsAndFileComeWholeWhereverReadsCutThem) {
  const std::string data = "line\r\n--\r\n-B\r\n--A\r\n" + std::string(300'000, 'x') + "\r\n";
  const std::string body = field("Key", "k") + field("empty", "") + file(data) + "--\r\n";
  for (std::size_t piece : {1, 2, 3, 7, 4096, 1'000'000}) {
    if (piece < 7 && data.size() > 100'000) continue;  // the small pieces are tried below
    Pieces source(body, piece);
    FormData form(source, "B");
    ASSERT_TRUE(wait(form.read_fields()));
    EXPECT_EQ(*s3::find_field(form.fields(), "key"), "k");
    EXPECT_EQ(*s3::find_field(form.fields(), "empty"), "");
    EXPECT_EQ(form.file_name(), "a b.txt");
    auto reader = form.file();
    EXPECT_EQ(wait(read_all(*reader, 1u << 20)).value(), data) << piece;
  }
  Pieces source(field("key", "k") + file("tiny\r\n-") + "--\r\n", 1);
  FormData form(source, "B");
  ASSERT_TRUE(wait(form.read_fields()));
  auto reader = form.file();
  EXPECT_EQ(wait(read_all(*reader, 100)).value(), "tiny\r\n-");
}

TEST(S3FormData, AFileThatNeverEndsIsIncomplete) {
  Pieces source(field("key", "k") + "--B\r\nContent-Disposition: form-data; name=file\r\n\r\nabc",
                5);
  FormData form(source, "B");
  ASSERT_TRUE(wait(form.read_fields()));
  auto reader = form.file();
  EXPECT_EQ(wait(read_all(*reader, 100)).error().code, ErrorCode::incomplete_body);
}

TEST(S3FormData, BrokenFormsAreRefused) {
  const auto code = [](std::string body) {
    Pieces source(std::move(body), 1000);
    FormData form(source, "B");
    auto read = wait(form.read_fields());
    return read ? ErrorCode::internal : read.error().code;
  };
  EXPECT_EQ(code(""), ErrorCode::malformed);
  EXPECT_EQ(code(field("a", "1") + "--B--\r\n"), ErrorCode::malformed);
  EXPECT_EQ(code(field("a", "1") + field("A", "2") + file("")), ErrorCode::malformed);
  EXPECT_EQ(code("--B\r\nno header\r\n\r\nx\r\n--B--"), ErrorCode::malformed);
  EXPECT_EQ(code(field("a", std::string(21'000, 'x')) + file("")), ErrorCode::entity_too_large);
  std::string many;
  for (int i = 0; i < 30; ++i) many += field("f" + std::to_string(i), std::string(1'000, 'x'));
  EXPECT_EQ(code(many + file("")), ErrorCode::entity_too_large);
}

TEST(S3FormData, OnlyFormsHaveABoundary) {
  EXPECT_EQ(form_boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(form_boundary("Multipart/Form-Data; charset=x; boundary=\"a b\""), "a b");
  EXPECT_FALSE(form_boundary("multipart/mixed; boundary=abc"));
  EXPECT_FALSE(form_boundary("multipart/form-data"));
  EXPECT_FALSE(form_boundary("multipart/form-data; boundary=" + std::string(71, 'b')));
}

}  // namespace
}  // namespace holdfast::gateway

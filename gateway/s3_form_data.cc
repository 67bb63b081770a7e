#include "gateway/s3_form_data.h"

#include <algorithm>
#include <cstring>

#include "s3/names.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t fields_limit = 20u << 10;
constexpr std::size_t head_limit = 4u << 10;
constexpr std::size_t chunk_bytes = 128u << 10;

// The value of `name` among ";"-separated parameters, quotes removed.
std::optional<std::string> parameter(std::string_view text, std::string_view name) {
  std::size_t at = text.find(';');
  while (at != std::string_view::npos) {
    text.remove_prefix(at + 1);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const bool wanted = s3::equal_ascii_case(s3::trim_spaces(text.substr(0, equals)), name);
    text = text.substr(equals + 1);
    std::string value;
    if (!text.empty() && text.front() == '"') {
      std::size_t i = 1;
      for (; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '"') ++i;
        value.push_back(text[i]);
      }
      if (i >= text.size()) return std::nullopt;
      text.remove_prefix(i + 1);
      at = text.find(';');
    } else {
      at = text.find(';');
      value = s3::trim_spaces(text.substr(0, at));
    }
    if (wanted) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> form_boundary(std::string_view content_type) {
  const std::string_view type = s3::trim_spaces(content_type.substr(0, content_type.find(';')));
  if (!s3::equal_ascii_case(type, "multipart/form-data")) return std::nullopt;
  auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) return std::nullopt;
  return boundary;
}

// Hands out the buffer up to the delimiter; keeps back what could be its beginning.
class FormData::FileReader final : public BodyReader {
 public:
  explicit FileReader(FormData& form) : form_(form) {}

  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (ended_) co_return std::size_t{0};
    for (;;) {
      const std::size_t found = form_.buffer_.find(form_.delimiter_);
      std::size_t ready = found;
      if (found == std::string::npos) {
        const std::size_t keep = form_.delimiter_.size() - 1;
        ready = form_.buffer_.size() > keep ? form_.buffer_.size() - keep : 0;
      } else if (found == 0) {
        ended_ = true;
        co_return std::size_t{0};
      }
      if (ready > 0) {
        const std::size_t count = std::min(ready, out.size());
        std::memcpy(out.data(), form_.buffer_.data(), count);
        form_.buffer_.erase(0, count);
        co_return count;
      }
      auto more = co_await form_.fill();
      if (!more) co_return std::unexpected(more.error());
      if (!*more) co_return fail(ErrorCode::incomplete_body, "The form ends within the file.");
    }
  }
  std::optional<std::uint64_t> size() const override { return std::nullopt; }

 private:
  FormData& form_;
  bool ended_ = false;
};

FormData::FormData(BodyReader& source, std::string boundary)
    : source_(source), delimiter_("\r\n--" + std::move(boundary)), buffer_("\r\n") {}

boost::asio::awaitable<Result<bool>> FormData::fill() {
  const std::size_t old = buffer_.size();
  buffer_.resize(old + chunk_bytes);
  auto count = co_await source_.read(std::as_writable_bytes(std::span(buffer_)).subspan(old));
  buffer_.resize(old + count.value_or(0));
  if (!count) co_return std::unexpected(count.error());
  co_return *count > 0;
}

boost::asio::awaitable<Result<std::string>> FormData::take_until(std::string_view mark,
                                                                 std::size_t limit) {
  std::size_t from = 0;
  for (;;) {
    const std::size_t at = buffer_.find(mark, from);
    if (std::min(at, buffer_.size()) > limit) {
      co_return fail(ErrorCode::entity_too_large, "The form's fields are larger than 20 KiB.");
    }
    if (at != std::string::npos) {
      std::string taken = buffer_.substr(0, at);
      buffer_.erase(0, at + mark.size());
      co_return taken;
    }
    from = buffer_.size() > mark.size() ? buffer_.size() - mark.size() : 0;
    auto more = co_await fill();
    if (!more) co_return std::unexpected(more.error());
    if (!*more) co_return fail(ErrorCode::malformed, "The form ends too early.");
  }
}

boost::asio::awaitable<Result<bool>> FormData::next_part() {
  while (buffer_.size() < 2) {
    auto more = co_await fill();
    if (!more) co_return std::unexpected(more.error());
    if (!*more) co_return fail(ErrorCode::malformed, "The form ends too early.");
  }
  if (buffer_.starts_with("--")) co_return false;
  auto rest = co_await take_until("\r\n", 128);  // transport padding
  if (!rest) co_return std::unexpected(rest.error());
  if (!s3::trim_spaces(*rest).empty())
    co_return fail(ErrorCode::malformed, "The form's boundary is broken.");
  co_return true;
}

Result<FormData::PartHead> FormData::parse_head(std::string_view text) {
  PartHead head;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 2, text.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      return fail(ErrorCode::malformed, "A form header is broken.");
    const std::string_view name = s3::trim_spaces(line.substr(0, colon));
    const std::string_view value = s3::trim_spaces(line.substr(colon + 1));
    if (s3::equal_ascii_case(name, "content-disposition")) {
      head.name = s3::ascii_lower(parameter(value, "name").value_or(""));
      head.file_name = parameter(value, "filename").value_or("");
    } else if (s3::equal_ascii_case(name, "content-type")) {
      head.content_type = value;
    }
  }
  if (head.name.empty()) return fail(ErrorCode::malformed, "A form part has no name.");
  head.is_file = head.name == "file";
  return head;
}

boost::asio::awaitable<Result<void>> FormData::read_fields() {
  // Whatever stands before the first boundary is preamble; ours starts with the CRLF put in front.
  auto preamble = co_await take_until(delimiter_, head_limit);
  if (!preamble) co_return std::unexpected(preamble.error());
  for (;;) {
    auto part = co_await next_part();
    if (!part) co_return std::unexpected(part.error());
    if (!*part) co_return fail(ErrorCode::malformed, "The form holds no file.");
    auto head_text = co_await take_until("\r\n\r\n", head_limit);
    if (!head_text) co_return std::unexpected(head_text.error());
    auto head = parse_head(*head_text);
    if (!head) co_return std::unexpected(head.error());
    if (head->is_file) {
      file_name_ = std::move(head->file_name);
      file_content_type_ = std::move(head->content_type);
      co_return Result<void>();
    }
    auto value = co_await take_until(delimiter_, fields_limit);
    if (!value) co_return std::unexpected(value.error());
    field_bytes_ += head->name.size() + value->size();
    if (field_bytes_ > fields_limit) {
      co_return fail(ErrorCode::entity_too_large, "The form's fields are larger than 20 KiB.");
    }
    if (s3::find_field(fields_, head->name) != nullptr) {
      co_return fail(ErrorCode::malformed, "A form field is given twice.");
    }
    fields_.emplace_back(std::move(head->name), std::move(*value));
  }
}

std::unique_ptr<BodyReader> FormData::file() { return std::make_unique<FileReader>(*this); }

}  // namespace holdfast::gateway

// Browser uploads: the multipart form and the policy in it. The form arrives in pieces; how it was
// cut does not matter. Input: a byte that says how to cut, then the form (boundary "B").
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>

#include "base/encoding.h"
#include "gateway/s3_form_data.h"
#include "s3/post_policy.h"
#include "tests/fuzz/targets/fuzz_input.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;

class PieceReader final : public BodyReader {
 public:
  PieceReader(std::string_view bytes, std::size_t step) : bytes_(bytes), step_(step) {}
  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    const auto n = std::min({out.size(), bytes_.size(), step_});
    std::memcpy(out.data(), bytes_.data(), n);
    bytes_.remove_prefix(n);
    co_return n;
  }
  std::optional<std::uint64_t> size() const override { return std::nullopt; }

 private:
  std::string_view bytes_;
  std::size_t step_;
};

struct Outcome {
  bool fields_read = false, file_read = false;
  s3::PostFields fields;
  std::string file;

  bool operator==(const Outcome&) const = default;
};

asio::awaitable<void> read(std::string_view form, std::size_t step, Outcome& out) {
  PieceReader source(form, step);
  gateway::FormData data(source, "B");
  auto read = co_await data.read_fields();
  if (!read) co_return;
  out.fields_read = true;
  out.fields = data.fields();
  auto file = data.file();
  auto bytes = co_await read_all(*file, 1u << 20);
  out.file_read = bytes.has_value();
  if (bytes) out.file = *std::move(bytes);
}

Outcome outcome(std::string_view form, std::size_t step) {
  asio::io_context context;
  Outcome out;
  bool ended = false;
  asio::co_spawn(context, read(form, step, out), [&](std::exception_ptr error) {
    FUZZ_CHECK(!error);
    ended = true;
  });
  context.run();
  FUZZ_CHECK(ended);
  return out;
}

void check_policy(std::string_view json, const s3::PostFields& fields) {
  const TimePoint now{std::chrono::seconds(1'700'000'000)};
  auto policy = s3::parse_post_policy(to_base64(as_bytes(json)));
  if (policy) {
    (void)s3::check_post_policy(*policy, fields, "bucket", now);
    for (const std::uint64_t bytes : {0, 1000}) (void)s3::check_post_length(*policy, bytes, true);
    FUZZ_CHECK(!s3::check_post_policy(*policy, fields, "bucket", TimePoint::max()));
  }
  (void)s3::parse_post_policy(json);
  auto parsed = s3::parse_post_authorization(fields);
  if (parsed && *parsed)
    FUZZ_CHECK(!s3::verify_post(**parsed, "no input knows it: 77e2", fields, {.now = now}));
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  fuzz::Input input(data, size);
  const std::size_t step = 1 + size / (1 + input.byte() % 16);  // few pieces: each costs a buffer
  const auto once = outcome(input.rest(), size + 1);
  FUZZ_CHECK(outcome(input.rest(), step) == once);
  check_policy(input.rest(), once.fields);
  if (const auto* policy = s3::find_field(once.fields, "policy"))
    check_policy(*policy, once.fields);
  (void)gateway::form_boundary(input.rest());
  return 0;
}

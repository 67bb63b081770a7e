// Values of headers, queries and targets: ranges, entity tags, copy sources, tags, names.
#include "gateway/s3_target.h"
#include "s3/headers.h"
#include "s3/names.h"
#include "tests/fuzz/targets/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto range = s3::parse_range(text)) {
    FUZZ_CHECK(range->first.has_value() != range->suffix.has_value());
    FUZZ_CHECK(range->first || !range->last);
    if (range->first && range->last) FUZZ_CHECK(*range->first <= *range->last);
  }
  if (auto range = s3::parse_copy_range(text)) FUZZ_CHECK(range->first && range->last);
  (void)s3::parse_etags(text);
  (void)s3::unquote_etag(s3::quote_etag(text));
  if (auto source = s3::parse_copy_source(text)) {
    auto again = s3::parse_copy_source(s3::encode_copy_source(*source));
    FUZZ_CHECK(again && again->bucket == source->bucket && again->key == source->key);
    FUZZ_CHECK(again->version == source->version);
  }
  if (auto tags = s3::parse_tagging_header(text)) {
    auto again = s3::parse_tagging_header(s3::encode_tagging_header(*tags));
    FUZZ_CHECK(again && *again == *tags);
  }
  FUZZ_CHECK(s3::percent_decode(s3::uri_encode(text)) == text);
  if (auto query = s3::parse_query(text)) {
    FUZZ_CHECK(s3::parse_query(s3::encode_query(*query)) == query);
  }
  (void)s3::validate_bucket_name(text);
  if (text.empty() || text.find('\0') != std::string_view::npos)
    FUZZ_CHECK(!s3::validate_key(text));

  fuzz::Input input(data, size);
  net::RequestHead head;
  head.method = "GET";
  head.headers.add("Host", std::string(input.line()));
  head.target = std::string(input.rest());
  auto target = gateway::parse_target(head, {.domains = {"localhost", "s3.test"}});
  if (target && !target->bucket.empty()) FUZZ_CHECK(s3::validate_bucket_name(target->bucket.value));
  if (target && !target->key.empty()) FUZZ_CHECK(s3::validate_key(target->key.value));
  return 0;
}

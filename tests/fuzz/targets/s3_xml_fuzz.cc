// XML of requests and answers: bounded, and what was read is what is written again.
#include "gateway/s3_cors.h"
#include "s3/listings.h"
#include "s3/messages.h"
#include "s3/results.h"
#include "s3/xml.h"
#include "tests/fuzz/targets/fuzz_input.h"

namespace holdfast {
namespace {

std::size_t nodes_of(const s3::XmlNode& node, std::size_t depth) {
  FUZZ_CHECK(depth <= s3::XmlLimits{}.depth + 1);
  std::size_t count = 1;
  for (const auto& child : node.children) count += nodes_of(child, depth + 1);
  return count;
}

void check_requests(std::string_view body) {
  if (auto parsed = s3::parse_delete_objects(body)) {
    FUZZ_CHECK(!parsed->entries.empty() && parsed->entries.size() <= 1000);
  }
  if (auto parts = s3::parse_complete_upload(body)) {
    FUZZ_CHECK(!parts->empty() && parts->size() <= 10'000);
    for (const auto& part : *parts) FUZZ_CHECK(part.number >= 1 && part.number <= 10'000);
    auto again = s3::parse_complete_upload(s3::write_complete_upload(*parts));
    FUZZ_CHECK(again && again->size() == parts->size());
  }
  if (auto tags = s3::parse_tagging(body)) {
    FUZZ_CHECK(s3::validate_tags(*tags));
    (void)s3::write_tagging(*tags);
  }
  if (auto status = s3::parse_versioning(body)) {
    auto again = s3::parse_versioning(s3::write_versioning(*status));
    FUZZ_CHECK(again && *again == *status);
  }
  if (auto hold = s3::parse_legal_hold(body)) {
    FUZZ_CHECK(s3::parse_legal_hold(s3::write_legal_hold(*hold)).value_or(!*hold) == *hold);
  }
  (void)s3::parse_create_bucket(body);
  (void)s3::parse_retention(body);
  (void)s3::check_document(body, "LifecycleConfiguration");
  (void)gateway::parse_cors(body);
}

void check_answers(std::string_view body) {
  (void)s3::parse_initiate_upload(body);
  (void)s3::parse_complete_result(body);
  (void)s3::parse_copy_result(body);
  (void)s3::parse_delete_result(body);
  (void)s3::parse_error(body);
  (void)s3::parse_list_buckets(body);
  (void)s3::parse_list(body);
  (void)s3::parse_list_versions(body);
  (void)s3::parse_list_parts(body);
  (void)s3::parse_list_uploads(body);
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (auto root = s3::read_xml(body, {})) {
    FUZZ_CHECK(nodes_of(*root, 1) <= s3::XmlLimits{}.nodes);
  }
  check_requests(body);
  check_answers(body);
  s3::XmlWriter writer;
  writer.open_root("Root");
  writer.element("Text", body);
  FUZZ_CHECK(s3::read_xml(writer.finish(), "Root", {.bytes = 64u << 20}));
  return 0;
}

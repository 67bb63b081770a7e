// SigV4 in headers and in presigned URLs: nobody gets in without the secret, and what we sign we
// accept. Input: method, path, query, then "name: value" lines.
#include <chrono>
#include <vector>

#include "s3/sigv4.h"
#include "tests/fuzz/targets/fuzz_input.h"

namespace holdfast {
namespace {

bool mentions_credentials(const s3::SigningRequest& request) {
  for (const auto& [name, value] : request.headers) {
    const auto lower = s3::ascii_lower(name);
    if (lower == "authorization" || lower == "date" || lower.starts_with("x-amz-")) return true;
  }
  const auto lower = s3::ascii_lower(request.query);
  return lower.find("x-amz-") != std::string::npos || lower.find('%') != std::string::npos ||
         lower.find("signature") != std::string::npos ||
         lower.find("awsaccess") != std::string::npos;
}

void never_lets_in(const s3::SigningRequest& request, TimePoint now) {
  auto parsed = s3::parse_authorization(request);
  if (!parsed) return;
  if (parsed->kind == s3::AuthKind::anonymous) {
    (void)s3::unsigned_request(*parsed);
    return;
  }
  FUZZ_CHECK(parsed->kind == s3::AuthKind::header || parsed->kind == s3::AuthKind::presigned);
  FUZZ_CHECK(!parsed->access_key.empty());
  const auto verified = s3::verify(*parsed, "a secret that no input can know: 8f1b", request,
                                   {.now = parsed->timestamp});
  FUZZ_CHECK(!verified);
  (void)s3::verify(*parsed, "", request, {.now = now, .region = "us-east-1"});
}

void accepts_its_own(s3::SigningRequest request, TimePoint now) {
  const s3::Credentials credentials{"AKIDEXAMPLE", "secret", {}};
  std::vector<s3::HeaderView> headers{{"host", "h:7070"}};
  for (const auto& header : request.headers) {
    if (!s3::equal_ascii_case(header.name, "host")) headers.push_back(header);
  }
  request.headers = headers;
  const auto added = s3::sign_headers(request, credentials, {.now = now});
  auto with = headers;
  for (const auto& [name, value] : added.headers) with.push_back({name, value});
  const s3::SigningRequest sent{request.method, request.path, request.query, with};
  auto parsed = s3::parse_authorization(sent);
  FUZZ_CHECK(parsed);
  FUZZ_CHECK(parsed->kind == s3::AuthKind::header);
  FUZZ_CHECK(s3::verify(*parsed, "secret", sent, {.now = now}));
  FUZZ_CHECK(!s3::verify(*parsed, "Secret", sent, {.now = now}));
  FUZZ_CHECK(!s3::verify(*parsed, "secret", sent, {.now = now + std::chrono::hours(1)}));
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  fuzz::Input input(data, size);
  s3::SigningRequest request;
  request.method = input.line();
  request.path = input.line();
  request.query = input.line();
  std::vector<s3::HeaderView> headers;
  while (!input.empty() && headers.size() < 100) {
    const auto line = input.line();
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    headers.push_back({line.substr(0, colon), s3::trim_spaces(line.substr(colon + 1))});
  }
  request.headers = headers;
  const TimePoint now{std::chrono::seconds(1'700'000'000)};
  never_lets_in(request, now);
  const bool decodable = s3::percent_decode(request.path) && s3::parse_query(request.query);
  if (decodable && !mentions_credentials(request) && headers.empty()) accepts_its_own(request, now);
  (void)s3::payload_mode(request.query);
  (void)s3::parse_credential(request.path);
  return 0;
}

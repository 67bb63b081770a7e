#include "gateway/web_sign.h"

#include <vector>

#include "s3/sigv4.h"

namespace holdfast::gateway {

std::string signed_url(const WebApiOptions& options, const control::KeyRecord& key,
                       const UrlRequest& request, TimePoint now) {
  const std::string_view endpoint = options.s3_endpoint;
  const auto scheme_end = endpoint.find("://");
  const std::string_view host = endpoint.substr(scheme_end + 3);
  const std::string path = fmt::format("/{}/{}", request.bucket.value,
                                       s3::uri_encode(request.key.value, s3::Slash::keep));
  const std::string query = s3::encode_query(request.query);
  std::vector<s3::HeaderView> headers = {{"host", host}};
  for (const auto& [name, value] : request.headers) headers.push_back({name, value});
  const s3::SigningRequest signing{request.method, path, query, headers};
  const s3::Credentials credentials{key.id.value, key.secret, key.session_token};
  const s3::SignOptions sign{
      .now = now, .region = options.region, .payload_hash = std::string(s3::unsigned_payload)};
  return fmt::format("{}{}?{}", endpoint, path,
                     s3::presign_query(signing, credentials, sign, options.url_lifetime));
}

std::string attachment_disposition(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    plain += byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\' ? '_' : c;
  }
  return fmt::format("attachment; filename=\"{}\"; filename*=UTF-8''{}", plain,
                     s3::uri_encode(name));
}

}  // namespace holdfast::gateway

// Sets a libcurl easy handle up for one ClientRequest. Net's own.
#pragma once

#include <memory>

#include "base/error.h"
#include "net/curl_api.h"
#include "net/http_client.h"

namespace holdfast::net {

struct EasyFree {
  void operator()(CURL* easy) const { curl().easy_cleanup(easy); }
};
struct ListFree {
  void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};
using EasyHandle = std::unique_ptr<CURL, EasyFree>;
using HeaderList = std::unique_ptr<curl_slist, ListFree>;

// The headers must outlive the transfer. malformed when one is unfit to be sent.
Result<HeaderList> make_header_list(const ClientRequest& request);
// Everything but the callbacks.
Result<void> set_request(CURL* easy, const ClientRequest& request, const ClientOptions& options,
                         curl_slist* headers);
// Whether the request carries bytes to upload.
bool uploads(const ClientRequest& request);
Error error_from_curl(CURLcode code, const char* detail, std::string_view url);

}  // namespace holdfast::net

// Which way the bytes of a console's signed URL go: through this gateway, or past it, to the
// endpoint behind it (store/direct_urls.h). Past it only where nobody would judge again when the
// URL is used: not where a bucket policy may look at the request, nor by a drop grant, nor beyond
// the end of a grant. Whole PUTs never, for the change feed would miss them; parts may, since their
// upload is completed here. Internal to gateway/.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "gateway/web_api.h"
#include "gateway/web_sign.h"
#include "s3/sigv4.h"

namespace holdfast::gateway {

enum class Transfer : std::uint8_t { read, whole_put, part };

struct WayQuestion {
  Transfer transfer = Transfer::read;
  control::Action action = control::Action::read_object;
  BucketName bucket;
  ObjectKey key;
};

// Where the URLs of one answer lead, and whose key signs them.
struct Way {
  store::DirectUrls* direct = nullptr;  // null: to this gateway
  s3::Credentials upstream;             // of `direct`
  control::KeyRecord key;               // of this gateway
  std::int64_t grant = 0;               // that a direct way rests on; 0: none
};

// REQUIRES: the caller was judged for this.
boost::asio::awaitable<Result<Way>> choose_way(WebApi& api, const ApiRequest& request,
                                               WayQuestion question);

std::string url_by(WebApi& api, const Way& way, const UrlRequest& request);

// "direct" and "seconds" of the answer that holds the URLs.
void add_way(boost::json::object& answer, WebApi& api, const Way& way);
// A direct URL is used unseen: that it was given is an event of its own.
void audit_way(WebApi& api, const Caller& caller, const Way& way, const WayQuestion& question,
               boost::json::object detail);

}  // namespace holdfast::gateway

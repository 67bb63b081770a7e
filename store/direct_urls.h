// DirectUrls: presigned URLs that name the endpoint behind a gateway itself, so that bytes pass the
// gateway by. Each is for one method, bucket, key and query, for `lifetime`; whoever asks for one
// has judged the caller, for nobody judges again when it is used. What an endpoint was not seen to
// do right is not used: probe() says what is. Thread-safe.
// AWS S3, "Authenticating Requests: Using Query Parameters".
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "s3/names.h"
#include "store/credentials.h"
#include "store/s3_address.h"
#include "store/sts_client.h"
#include "store/upstream_names.h"

namespace holdfast::store {

struct DirectOptions {
  std::string endpoint;  // as those who use the URLs reach it: http:// or https://
  std::string region = "us-east-1";
  bool path_style = true;
  std::string ca_file;                 // for the probe; empty: the system's
  std::chrono::seconds lifetime{300};  // at most max_direct_lifetime
  bool lend_writes = false;            // credentials that are lent to people may write, too
  UpstreamNames names;
};

// A removed grant does not end a URL that was given.
inline constexpr std::chrono::seconds max_direct_lifetime{15 * 60};

struct DirectCall {
  std::string method;  // "GET", "PUT"
  BucketName bucket;   // by our name
  ObjectKey key;
  s3::QueryParameters query{};
};

// What was seen to work at the endpoint, and to do no more than it says.
struct DirectAbilities {
  bool reads = false;
  // Also: refuses a part's URL with headers that were not signed. With x-amz-copy-source the part
  // would be filled from whatever the gateway's own credentials can read.
  bool parts = false;
};

class DirectUrls {
 public:
  // `credentials`, `clock` and `sts` (null: none) outlive it. invalid_argument: the endpoint is no
  // URL, or the lifetime is not within its bounds.
  static Result<std::unique_ptr<DirectUrls>> open(DirectOptions options,
                                                  CredentialsProvider& credentials,
                                                  const Clock& clock, StsClient* sts = nullptr);

  // Finds out the abilities with a write and an upload in parts to keys of its own in the bucket,
  // and removes them again. Before traffic; until then there are none. An endpoint that cannot be
  // reached by its address has none either: logged, no error.
  boost::asio::awaitable<void> probe(ObjectStore& store, BucketName bucket);
  DirectAbilities abilities() const { return abilities_; }

  // The key pair that signs a URL to read by: the gateway's own.
  Async<s3::Credentials> to_read() { return credentials_.credentials(); }
  // … and the URLs of an upload's parts. With STS it can do no more than put this key, whatever
  // headers are added to it: not_supported for keys that a session policy cannot name.
  Async<s3::Credentials> to_send(BucketName bucket, ObjectKey key);
  std::string url(const DirectCall& call, const s3::Credentials& credentials) const;

  // Whether a page of this origin may PUT there and see the ETag, by the endpoint's own CORS rules.
  // Asked by a preflight, remembered for a minute.
  boost::asio::awaitable<bool> admits_origin(BucketName bucket, std::string origin);

  // Where its URLs lead, as a Content-Security-Policy names it: "https://s3.example.org", or
  // "https://*.s3.example.org" where the host names the bucket.
  std::string hosts() const {
    return address_.scheme + (address_.path_style ? "" : "*.") + address_.host;
  }
  std::chrono::seconds lifetime() const { return options_.lifetime; }
  const DirectOptions& options() const { return options_; }
  StsClient* sts() { return sts_; }

 private:
  struct Seen {
    bool admitted = false;
    MonotonicTime until{};
  };
  DirectUrls(DirectOptions options, S3Address address, CredentialsProvider& credentials,
             const Clock& clock, StsClient* sts);

  DirectOptions options_;
  S3Address address_;
  CredentialsProvider& credentials_;
  const Clock& clock_;
  StsClient* sts_;
  DirectAbilities abilities_;
  std::mutex mutex_;
  std::unordered_map<std::string, Seen> origins_;  // by bucket and origin
};

}  // namespace holdfast::store

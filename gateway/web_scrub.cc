// The scrub of the store in the JSON API.
#include "gateway/web_request.h"
#include "gateway/web_routes.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;

Result<void> may_scrub(WebApi& api, const Caller& caller) {
  if (auto ok = require_admin(caller); !ok) return ok;
  if (api.parts().scrub.report) return {};
  return fail(ErrorCode::not_supported,
              "another endpoint keeps the objects of this server: scrub them there");
}

}  // namespace

JsonAnswer get_scrub(WebApi& api, ApiRequest request) {
  if (auto ok = may_scrub(api, request.caller); !ok) co_return std::unexpected(ok.error());
  co_return api.parts().scrub.report();
}

JsonAnswer post_scrub(WebApi& api, ApiRequest request) {
  if (auto ok = may_scrub(api, request.caller); !ok) co_return std::unexpected(ok.error());
  std::optional<std::uint64_t> rate;
  if (request.body.contains("bytes_per_second")) {
    auto given = number_field(request.body, "bytes_per_second");
    if (!given) co_return std::unexpected(given.error());
    rate = *given;
  }
  const std::uint64_t pass = api.parts().scrub.start(rate);
  api.parts().registry.audit().record({.actor = request.caller.actor.principal,
                                       .action = "scrub.start",
                                       .target = "store",
                                       .request_id = request.caller.actor.request_id,
                                       .source = request.caller.actor.source,
                                       .detail = {}});
  co_return json::object{{"pass", pass}};
}

json::value scrub_summary(WebApi& api) {
  if (!api.parts().scrub.report) return nullptr;
  json::object report = api.parts().scrub.report();
  for (const char* name : {"present", "last"}) {
    if (report.at(name).is_object()) report.at(name).as_object().erase("damage");
  }
  return report;
}

}  // namespace holdfast::gateway

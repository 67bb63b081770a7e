// The routes of the JSON API by topic: free functions that web_api.cc dispatches to. Each judges
// its caller before it touches anything. Internal to gateway/.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include "gateway/web_api.h"

namespace holdfast::gateway {

using JsonAnswer = boost::asio::awaitable<Result<boost::json::value>>;
using Route = JsonAnswer (*)(WebApi& api, ApiRequest request);

// --- web_files.cc
JsonAnswer get_places(WebApi& api, ApiRequest request);
JsonAnswer get_files(WebApi& api, ApiRequest request);
JsonAnswer post_files_sign(WebApi& api, ApiRequest request);
JsonAnswer post_delete(WebApi& api, ApiRequest request);
JsonAnswer post_rename(WebApi& api, ApiRequest request);
JsonAnswer post_folders(WebApi& api, ApiRequest request);

// --- web_uploads.cc
JsonAnswer post_uploads(WebApi& api, ApiRequest request);
JsonAnswer post_uploads_sign(WebApi& api, ApiRequest request);
JsonAnswer post_uploads_parts(WebApi& api, ApiRequest request);
JsonAnswer post_uploads_complete(WebApi& api, ApiRequest request);
JsonAnswer post_uploads_abort(WebApi& api, ApiRequest request);

// --- web_credentials.cc
JsonAnswer post_credentials(WebApi& api, ApiRequest request);

// --- web_history.cc
JsonAnswer get_history(WebApi& api, ApiRequest request);
JsonAnswer get_deleted(WebApi& api, ApiRequest request);
JsonAnswer post_restore(WebApi& api, ApiRequest request);

// --- web_homes.cc
JsonAnswer get_parked(WebApi& api, ApiRequest request);
JsonAnswer post_parked(WebApi& api, ApiRequest request);

// --- web_tools.cc
JsonAnswer get_tools(WebApi& api, ApiRequest request);
JsonAnswer post_tool(WebApi& api, ApiRequest request);  // /tools/{template}/{start|stop|restart}
JsonAnswer get_tool_logs(WebApi& api, ApiRequest request);
JsonAnswer get_templates(WebApi& api, ApiRequest request);
JsonAnswer post_templates(WebApi& api, ApiRequest request);

// --- web_people.cc
JsonAnswer get_session(WebApi& api, ApiRequest request);
JsonAnswer get_users(WebApi& api, ApiRequest request);
JsonAnswer post_users(WebApi& api, ApiRequest request);
JsonAnswer delete_user(WebApi& api, ApiRequest request);
JsonAnswer post_user(WebApi& api, ApiRequest request);  // /users/{name}/{disable|enable|link}
JsonAnswer get_keys(WebApi& api, ApiRequest request);
JsonAnswer post_keys(WebApi& api, ApiRequest request);
JsonAnswer delete_key(WebApi& api, ApiRequest request);

// --- web_admin.cc
JsonAnswer get_buckets(WebApi& api, ApiRequest request);
JsonAnswer post_buckets(WebApi& api, ApiRequest request);
JsonAnswer delete_bucket(WebApi& api, ApiRequest request);
JsonAnswer get_quota(WebApi& api, ApiRequest request);
JsonAnswer post_quota(WebApi& api, ApiRequest request);
JsonAnswer get_grants(WebApi& api, ApiRequest request);
JsonAnswer post_grants(WebApi& api, ApiRequest request);
JsonAnswer delete_grant(WebApi& api, ApiRequest request);
JsonAnswer get_audit(WebApi& api, ApiRequest request);
JsonAnswer get_audit_verify(WebApi& api, ApiRequest request);
JsonAnswer get_status(WebApi& api, ApiRequest request);

// --- web_scrub.cc
JsonAnswer get_scrub(WebApi& api, ApiRequest request);
JsonAnswer post_scrub(WebApi& api, ApiRequest request);
// For GET /status: the report without the lists of what is damaged.
boost::json::value scrub_summary(WebApi& api);

}  // namespace holdfast::gateway

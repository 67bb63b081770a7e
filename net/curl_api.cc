#include "net/curl_api.h"

#include <dlfcn.h>

#include <string>

namespace holdfast::net {
namespace {

// The name that Debian's libcurl4 has had since 2005; the package depends on it (cmake/).
constexpr const char* library = "libcurl.so.4";

struct Loaded {
  CurlApi api;
  std::string failure;  // empty: it is there

  template <class Function>
  void find(void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
    if (function == nullptr && failure.empty()) {
      failure = std::string(library) + " has no " + name;
    }
  }
};

void find_all(void* handle, Loaded& loaded) {
  CurlApi& api = loaded.api;
  loaded.find(handle, "curl_global_init", api.global_init);
  loaded.find(handle, "curl_easy_init", api.easy_init);
  loaded.find(handle, "curl_easy_cleanup", api.easy_cleanup);
  loaded.find(handle, "curl_easy_setopt", api.easy_setopt);
  loaded.find(handle, "curl_easy_getinfo", api.easy_getinfo);
  loaded.find(handle, "curl_easy_pause", api.easy_pause);
  loaded.find(handle, "curl_easy_strerror", api.easy_strerror);
  loaded.find(handle, "curl_multi_init", api.multi_init);
  loaded.find(handle, "curl_multi_cleanup", api.multi_cleanup);
  loaded.find(handle, "curl_multi_setopt", api.multi_setopt);
  loaded.find(handle, "curl_multi_add_handle", api.multi_add_handle);
  loaded.find(handle, "curl_multi_remove_handle", api.multi_remove_handle);
  loaded.find(handle, "curl_multi_socket_action", api.multi_socket_action);
  loaded.find(handle, "curl_multi_info_read", api.multi_info_read);
  loaded.find(handle, "curl_multi_strerror", api.multi_strerror);
  loaded.find(handle, "curl_slist_append", api.slist_append);
  loaded.find(handle, "curl_slist_free_all", api.slist_free_all);
}

Loaded load() {
  Loaded loaded;
  // Stays loaded until the process ends.
  void* const handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    loaded.failure = reason != nullptr ? reason : library;
    return loaded;
  }
  find_all(handle, loaded);
  // libcurl wants this once a process, before the first handle.
  if (loaded.failure.empty() && loaded.api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    loaded.failure = "libcurl does not start";
  }
  return loaded;
}

// Written once, before anybody reads it.
const Loaded& loaded() {
  static const Loaded once = load();
  return once;
}

}  // namespace

Result<void> load_curl() {
  if (loaded().failure.empty()) return {};
  return fail(ErrorCode::unavailable, "HTTP requests need libcurl, install libcurl4: {}",
              loaded().failure);
}

const CurlApi& curl() {
  HOLDFAST_CHECK(loaded().failure.empty());
  return loaded().api;
}

}  // namespace holdfast::net

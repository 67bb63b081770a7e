// The part of libcurl that net calls, loaded at the first request that needs it. libcurl brings
// some 25 shared libraries along (LDAP, Kerberos, GnuTLS …), 4 MiB of resident pages that a server
// without an upstream store, a key set or webhooks never uses. Its headers give types and constants
// only; nothing here is linked. Any thread. Net's own.
#pragma once

#include <curl/curl.h>

#include "base/error.h"

namespace holdfast::net {

// By the names of libcurl's functions without "curl_".
struct CurlApi {
  decltype(&::curl_global_init) global_init = nullptr;
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&::curl_easy_pause) easy_pause = nullptr;
  decltype(&::curl_easy_strerror) easy_strerror = nullptr;
  decltype(&::curl_multi_init) multi_init = nullptr;
  decltype(&::curl_multi_cleanup) multi_cleanup = nullptr;
  decltype(&::curl_multi_setopt) multi_setopt = nullptr;
  decltype(&::curl_multi_add_handle) multi_add_handle = nullptr;
  decltype(&::curl_multi_remove_handle) multi_remove_handle = nullptr;
  decltype(&::curl_multi_socket_action) multi_socket_action = nullptr;
  decltype(&::curl_multi_info_read) multi_info_read = nullptr;
  decltype(&::curl_multi_strerror) multi_strerror = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;
};

// Loads and starts libcurl once a process. unavailable: it is not there, or too old.
Result<void> load_curl();
// REQUIRES: load_curl() has succeeded.
const CurlApi& curl();

}  // namespace holdfast::net

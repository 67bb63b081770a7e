// A client of its own for each task, on a pool thread, beside a server that a test may start.
#pragma once

#include <string>

#include "net/http_client.h"
#include "tests/unit/net/net_fixture.h"

namespace holdfast::net {

class ClientTest : public ServerTest {
 protected:
  // Runs `task(client, url)` with a client of its own on a pool thread.
  using Task = asio::awaitable<void> (*)(HttpClient&, std::string url);
  void with_client(Task task, ClientOptions options = {}) {
    run(pool_, [](Task t, ClientOptions o, std::string u) -> asio::awaitable<void> {
      HttpClient client(co_await asio::this_coro::executor, o);
      co_await t(client, u);
    }(task, options, server_ ? url("") : ""));
  }
};

}  // namespace holdfast::net

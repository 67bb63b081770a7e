// A listening unix socket under the acceptor type of the server. Net's own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "base/error.h"

namespace holdfast::net {

// Binds `path` with mode 0600, so that the kernel lets only its owner and root connect (unix(7)).
// A socket file that nobody listens on any more is replaced; conflict when somebody does.
// Asio's TCP types only pass the descriptor to accept, recv and send, which are the same here.
Result<boost::asio::ip::tcp::acceptor> open_unix_acceptor(boost::asio::io_context& context,
                                                          const std::string& path);

}  // namespace holdfast::net

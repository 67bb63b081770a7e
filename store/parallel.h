// for_each_index(): runs work for 0 … count-1 with a bound on how many are under way. The executor
// of the caller must not run handlers in parallel (a strand or a context of one thread).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>

namespace holdfast::store {

// `work` must give a fresh awaitable for each index and outlive the call's end only if cancelled:
// it is kept alive by the tasks.
boost::asio::awaitable<void> for_each_index(
    std::size_t count, std::size_t limit,
    std::function<boost::asio::awaitable<void>(std::size_t)> work);

}  // namespace holdfast::store

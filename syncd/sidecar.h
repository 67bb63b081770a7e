// Sidecar: keeps a plain directory and its objects equal where no mount is possible (`holdfast
// sync`): inotify and rescans feed the same engine that a mount does. Nothing is a stub here; all
// is downloaded. All calls on the executor given.
//
//   Sidecar sidecar(strand, config, store, clock, random);
//   co_await sidecar.start();  …  co_await sidecar.drain(30s);  co_await sidecar.stop();
// or, for --once:  co_await sidecar.run_once(limit);
#pragma once

#include <memory>

#include "syncd/home_engine.h"

namespace holdfast::syncd {

class Sidecar {
 public:
  // config.stubs is ignored; `exclude` applies to both directions.
  Sidecar(boost::asio::any_io_executor strand, HomeConfig config, store::ObjectStore& store,
          Clock& clock, Random& random);
  ~Sidecar();

  // Watches first, then compares, so that no change falls between.
  boost::asio::awaitable<Result<void>> start();
  // Makes both sides equal once, without watching. timed_out when work is left at `limit`;
  // unavailable when the store did not answer.
  boost::asio::awaitable<Result<void>> run_once(std::chrono::milliseconds limit);
  boost::asio::awaitable<Result<void>> drain(std::chrono::milliseconds limit);
  boost::asio::awaitable<void> stop();
  HomeStatus status() const;  // any thread
  HomeEngine& engine();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::syncd

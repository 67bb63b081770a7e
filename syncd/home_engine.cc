#include "syncd/home_engine.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "syncd/engine.h"

namespace holdfast::syncd {

namespace asio = boost::asio;

HomeEngine::HomeEngine(asio::any_io_executor strand, HomeConfig config, store::ObjectStore& store,
                       Clock& clock, Random& random, TreeObserver* observer)
    : engine_(std::make_shared<Engine>(std::move(strand), std::move(config), store, clock, random,
                                       observer)) {}

HomeEngine::~HomeEngine() { engine_->abandon(); }

asio::awaitable<Result<void>> HomeEngine::start() {
  auto engine = engine_;
  co_return co_await asio::co_spawn(engine->strand(), engine->start(), asio::use_awaitable);
}

void HomeEngine::changed(HomePath path) {
  engine_->post([engine = engine_.get(), path = std::move(path)] { engine->note_local(path); });
}

void HomeEngine::renamed(HomePath from, HomePath to) {
  engine_->post([engine = engine_.get(), from = std::move(from), to = std::move(to)] {
    engine->note_rename(from, to);
  });
}

void HomeEngine::opened_for_write(const HomePath& path) { engine_->writer_opened(path); }

void HomeEngine::closed_for_write(HomePath path) {
  engine_->writer_closed(path);
  changed(std::move(path));
}

ContentGate::Hold HomeEngine::hold_content(std::uint64_t inode) {
  return engine_->hold_content(inode);
}

void HomeEngine::ensure_local(HomePath path, std::function<void(Result<void>)> done) {
  engine_->post([engine = engine_.get(), path = std::move(path), done = std::move(done)] {
    engine->want_content(path, done);
  });
}

void HomeEngine::wait_uploaded(HomePath path, std::function<void(Result<void>)> done) {
  engine_->post([engine = engine_.get(), path = std::move(path), done = std::move(done)] {
    engine->want_upload(path, done);
  });
}

HomeStatus HomeEngine::status() const { return engine_->status(); }

void HomeEngine::decide_parked(HomePath path, ParkedDecision decision) {
  engine_->post([engine = engine_.get(), path = std::move(path), decision] {
    engine->decide_parked(path, decision);
  });
}

void HomeEngine::rescan(HomePath directory) {
  engine_->post([engine = engine_.get(), directory = std::move(directory)] {
    engine->rescan(directory, ScanMode::rescan);
  });
}

void HomeEngine::poke() {
  engine_->post([engine = engine_.get()] { engine->pump(); });
}

asio::awaitable<Result<void>> HomeEngine::drain(std::chrono::milliseconds limit) {
  auto engine = engine_;
  co_return co_await asio::co_spawn(engine->strand(), engine->drain(limit), asio::use_awaitable);
}

asio::awaitable<void> HomeEngine::stop() {
  auto engine = engine_;
  co_await asio::co_spawn(engine->strand(), engine->stop(), asio::use_awaitable);
}

}  // namespace holdfast::syncd

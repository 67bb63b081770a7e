// A home, its store and its engine in one thread, for tests of syncd. Conditions are awaited, never
// slept for.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "store/fault_store.h"
#include "store/memory_store.h"
#include "syncd/home_engine.h"

namespace holdfast::syncd {

class HomeWorld {
 public:
  explicit HomeWorld(const std::string& name = "home");
  ~HomeWorld();

  // --- The engine.
  Result<void> start();
  void stop();   // clean
  void crash();  // as kill -9 does: nothing is said to anybody
  // Until the engine has nothing to do and stays so; false when that takes over `limit`.
  bool settle(std::chrono::milliseconds limit = std::chrono::seconds(20));
  bool wait_for(const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(20));
  HomeStatus status() { return engine->status(); }

  // --- The tree, as a program in the home changes it, with the mount's word to the engine.
  std::string full(const std::string& path) const { return tree + "/" + path; }
  void write(const std::string& path, const std::string& content);
  void make_directory(const std::string& path);
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& path);       // recursively
  std::string read(const std::string& path);  // fills a stub first
  bool exists(const std::string& path) const;
  std::vector<std::string> names(const std::string& path = "") const;
  void say(const std::string& path) {
    if (engine) engine->changed(path);
  }

  // --- The store, as another client changes it.
  void put(const std::string& path, const std::string& content,
           std::map<std::string, std::string> metadata = {});
  void erase(const std::string& path);
  std::optional<std::string> object(const std::string& path);  // content of the current version
  std::optional<store::ObjectInfo> info(const std::string& path);
  std::size_t versions(const std::string& path);  // delete markers included

  template <class T>
  T run(boost::asio::awaitable<T> task) {
    std::optional<T> answer;
    boost::asio::co_spawn(*context, std::move(task), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      answer = std::move(value);
    });
    while (!answer) {
      context->restart();
      context->run_one();
    }
    return std::move(*answer);
  }

  SystemClock clock;
  SeededRandom random{1};
  std::string root, tree;
  HomeConfig config;
  boost::asio::io_context store_context;  // never run: the store waits for nothing
  std::unique_ptr<store::MemoryStore> memory;
  store::ScriptedFaults faults;
  std::unique_ptr<store::FaultStore> store;
  std::unique_ptr<boost::asio::io_context> context;
  std::unique_ptr<HomeEngine> engine;
};

}  // namespace holdfast::syncd

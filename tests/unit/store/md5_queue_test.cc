#include "store/md5_queue.h"

#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>
#include <deque>
#include <future>
#include <thread>

#include "base/random.h"
#include "s3/checksum.h"
#include "tests/unit/base/run.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;

struct Stream {
  s3::Md5 md5;
  std::string text;
};

asio::awaitable<void> feed(Md5Queue* queue, std::shared_ptr<Stream> stream, std::size_t piece) {
  std::string_view left = stream->text;
  while (!left.empty()) {
    co_await queue->update(stream->md5, left.substr(0, piece), stream);
    left.remove_prefix(std::min(piece, left.size()));
  }
}

TEST(Md5Queue, ManyBodiesOfManyThreadsGetTheirOwnDigests) {
  std::deque<asio::io_context> contexts(3);  // outlives the pool, whose threads post to it
  BlockingPool pool(4);
  Md5Queue queue(pool, 2);
  std::vector<std::shared_ptr<Stream>> streams;
  SeededRandom random(3);
  for (std::size_t i = 0; i < 60; ++i) {
    auto stream = std::make_shared<Stream>();
    stream->text.resize(random.below(400'000));
    random.fill(std::as_writable_bytes(std::span(stream->text)));
    asio::co_spawn(contexts[i % contexts.size()], feed(&queue, stream, 1 + random.below(200'000)),
                   asio::detached);
    streams.push_back(std::move(stream));
  }
  std::vector<std::thread> threads;
  for (auto& context : contexts) threads.emplace_back([&context] { context.run(); });
  for (auto& thread : threads) thread.join();
  pool.join();
  for (const auto& stream : streams) {
    EXPECT_EQ(stream->md5.digest(), s3::digest_of(s3::Algorithm::md5, stream->text));
    EXPECT_EQ(stream.use_count(), 1);
  }
}

TEST(Md5Queue, ABodyThatComesWhileAnotherIsLongUnderWayDoesNotWaitForItsEnd) {
  asio::io_context context;
  BlockingPool pool(2);
  Md5Queue queue(pool, 1);
  auto slow = std::make_shared<Stream>(s3::Md5(), std::string(256u << 20, 's'));
  auto quick = std::make_shared<Stream>(s3::Md5(), std::string(100'000, 'q'));
  bool slow_ended = false, slow_ended_first = true;
  asio::co_spawn(context, feed(&queue, slow, slow->text.size()),
                 [&](std::exception_ptr) { slow_ended = true; });
  asio::co_spawn(context, feed(&queue, quick, quick->text.size()),
                 [&](std::exception_ptr) { slow_ended_first = slow_ended; });
  context.run();
  pool.join();
  EXPECT_FALSE(slow_ended_first);
}

TEST(Md5Queue, HoldsWhatItWorksOnUntilItIsDone) {
  BlockingPool pool(1);
  Md5Queue queue(pool, 1);
  std::promise<void> go;
  pool.post([held = go.get_future().share()] { held.wait(); });
  auto stream = std::make_shared<Stream>(s3::Md5(), std::string(1u << 20, 'x'));
  const std::weak_ptr<Stream> watched = stream;
  {
    asio::io_context context;
    Stream* const body = stream.get();
    asio::co_spawn(
        context,
        [](Md5Queue* to, Stream* of, std::shared_ptr<Stream> owner) -> asio::awaitable<void> {
          co_await to->update(of->md5, of->text, std::move(owner));
        }(&queue, body, std::move(stream)),
        asio::detached);
    context.poll();
    EXPECT_FALSE(watched.expired());
    go.set_value();
    pool.join();  // before the context goes: the answer is posted to it
  }
  EXPECT_TRUE(watched.expired());
}

TEST(Md5Queue, NothingIsTakenAtOnce) {
  BlockingPool pool(1);
  Md5Queue queue(pool, 1);
  s3::Md5 md5;
  asio::io_context context;
  test::run(context, queue.update(md5, {}, nullptr));
  EXPECT_EQ(md5.digest(), s3::digest_of(s3::Algorithm::md5, ""));
}

}  // namespace
}  // namespace holdfast::store

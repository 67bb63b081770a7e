// The service behind the real server on loopback.
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "net/io_pool.h"
#include "s3_fixture.h"

namespace holdfast::gateway {
namespace {

using boost::asio::ip::tcp;

// Policy and store live on the pool's one thread; the test talks to them by posting.
class S3Server : public S3Fixture {
 protected:
  S3Server() : shared_store_(pool_.at(0).get_executor(), clock_, random_) {
    served_.emplace(shared_store_, policy_, audit_, clock_, random_, options_);
    auto server = net::HttpServer::listen(
        pool_, {}, [this](net::Exchange& exchange) { return served_->handle(exchange); });
    EXPECT_TRUE(server) << server.error().context;
    server_ = std::move(*server);
  }
  ~S3Server() override {
    on_pool(server_->stop(std::chrono::seconds(1)));
    server_.reset();
  }

  template <class T>
  T on_pool(boost::asio::awaitable<T> task) {
    return boost::asio::co_spawn(pool_.at(0), std::move(task), boost::asio::use_future).get();
  }
  boost::asio::awaitable<void> fill(std::string key, std::size_t bytes) {
    (void)co_await shared_store_.create_bucket(BucketName("research"), false);
    store::PutRequest request;
    request.bucket = BucketName("research");
    request.key = ObjectKey(std::move(key));
    const auto body = make_string_reader(std::string(bytes, 'x'));
    const auto put = co_await shared_store_.put(std::move(request), *body);
    EXPECT_TRUE(put);
  }
  boost::asio::awaitable<void> revoke(std::string name) {
    std::erase_if(content_.grants, [&](const auto& g) { return g.principal.value == name; });
    policy_.publish(content_);
    co_return;
  }
  std::string request_text(const std::string& method, const std::string& target) const {
    return method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1:7070\r\n";
  }

  net::IoPool pool_{1};
  store::MemoryStore shared_store_;
  std::optional<S3Service> served_;
  std::unique_ptr<net::HttpServer> server_;
  boost::asio::io_context client_context_;
};

TEST_F(S3Server, ADownloadInFlightIsCutWhenItsGrantGoes) {
  constexpr std::size_t size = 64u << 20;
  on_pool(fill("public/large", size));
  tcp::socket socket(client_context_);
  socket.connect(server_->endpoint());
  const auto url = presign("GET", "/research/public/large", signer("bob"), std::chrono::hours(1));
  boost::asio::write(socket, boost::asio::buffer(request_text("GET", url) + "\r\n"));
  std::string piece(1u << 20, '\0');
  std::size_t received = boost::asio::read(socket, boost::asio::buffer(piece));
  EXPECT_TRUE(piece.starts_with("HTTP/1.1 200"));
  on_pool(revoke("bob"));
  // Nobody reads, so only a cut ends the connection. Then comes the rest of what the kernel holds.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (server_->connections() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  boost::system::error_code error;
  while (!error) received += boost::asio::read(socket, boost::asio::buffer(piece), error);
  EXPECT_LT(received, size);
}

TEST_F(S3Server, ABodyIsAskedForOnlyAfterTheRequestWasJudged) {
  on_pool(fill("public/p", 1));
  const auto attempt = [&](const std::string& name) {
    tcp::socket socket(client_context_);
    socket.connect(server_->endpoint());
    const auto url = presign("PUT", "/research/new", signer(name), std::chrono::hours(1));
    boost::asio::write(socket,
                       boost::asio::buffer(request_text("PUT", url) + "Expect: 100-continue\r\n"
                                                                      "Content-Length: 4\r\n\r\n"));
    std::string line(12, '\0');
    boost::asio::read(socket, boost::asio::buffer(line));
    return line;
  };
  EXPECT_EQ(attempt("alice"), "HTTP/1.1 100");
  EXPECT_EQ(attempt("bob"), "HTTP/1.1 403");
}

TEST_F(S3Server, SmuggledRequestsAreRefused) {
  for (const char* framing : {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                              "Content-Length: 4\r\nContent-Length: 5\r\n",
                              "Transfer-Encoding: chunked, identity\r\n", "Host: other\r\n"}) {
    tcp::socket socket(client_context_);
    socket.connect(server_->endpoint());
    boost::asio::write(
        socket, boost::asio::buffer(request_text("PUT", "/research/k") + framing + "\r\nbody"));
    std::string line(12, '\0');
    boost::asio::read(socket, boost::asio::buffer(line));
    EXPECT_EQ(line, "HTTP/1.1 400") << framing;
  }
}

}  // namespace
}  // namespace holdfast::gateway

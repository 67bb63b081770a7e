// TLS of the server: who gets in, how long it may take, what a replaced certificate changes.
#include <atomic>
#include <fstream>
#include <thread>

#include "net/http_server.h"
#include "net/stream_client.h"
#include "tests/unit/net/net_fixture.h"
#include "tests/unit/net/tls_fixture.h"

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;

const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

asio::awaitable<void> say_ok(Exchange& exchange) {
  (void)co_await exchange.respond(ResponseHead{}, std::string("ok"));
}

class TlsServer : public ServerTest {
 protected:
  void serve_tls(Handler handler = say_ok, ServerOptions options = {}) {
    identity_ = certificate_.identity();
    options.tls = identity_;
    serve(std::move(handler), std::move(options));
  }

  TestCertificate certificate_{"first"};
  std::shared_ptr<TlsIdentity> identity_;
};

TEST_F(TlsServer, SpeaksVersions12And13AndChoosesHttp11) {
  serve_tls();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(port(), version);
    ASSERT_TRUE(client.handshake());
    EXPECT_EQ(SSL_version(client.ssl()), version);
    EXPECT_EQ(client.protocol(), "http/1.1");
    EXPECT_TRUE(client.send(get));
    EXPECT_TRUE(client.read_until("ok").ends_with("\r\n\r\nok"));
  }
  TlsClient silent(port(), TLS1_3_VERSION, false);
  EXPECT_TRUE(silent.handshake()) << "who names no protocol is served too";
}

TEST_F(TlsServer, RefusesVersionsBefore12AndCiphersWithoutForwardSecrecy) {
  serve_tls();
  TlsClient old(port(), TLS1_1_VERSION);
  EXPECT_FALSE(old.handshake());
  TlsClient weak(port(), TLS1_2_VERSION);
  SSL_set_cipher_list(weak.ssl(), "AES128-SHA:ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256");
  EXPECT_FALSE(weak.handshake());
}

TEST_F(TlsServer, TellsAPlainRequestWhatThePortSpeaks) {
  serve_tls();
  RawClient client(port());
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status(), 400);
  EXPECT_NE(answer.body.find("https://"), std::string::npos);
  EXPECT_TRUE(client.ended());
}

TEST_F(TlsServer, EndsAHandshakeThatTakesTooLong) {
  serve_tls(say_ok, {.handshake_timeout = milliseconds(300)});
  RawClient silent(port());
  EXPECT_TRUE(silent.ended());
  // One that says a byte now and then has no more time than that.
  RawClient slow(port());
  std::atomic<bool> over = false;
  std::thread drip([&] {
    const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    for (std::size_t i = 0; i < 100 && !over; ++i) {
      slow.send(std::string(1, i < hello.size() ? hello[i] : 'x'));
      std::this_thread::sleep_for(milliseconds(50));
    }
  });
  const auto begun = std::chrono::steady_clock::now();
  (void)slow.read_to_end();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(4));
  over = true;
  drip.join();
}

TEST_F(TlsServer, LetsNewHandshakesPassThoseThatStandStill) {
  serve_tls(say_ok, {.handshake_timeout = std::chrono::minutes(5), .max_handshakes = 4});
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 40; ++i) silent.push_back(std::make_unique<RawClient>(port()));
  TlsClient client(port());
  ASSERT_TRUE(client.handshake());
  EXPECT_TRUE(client.send(get));
  EXPECT_TRUE(client.read_until("ok").ends_with("ok"));
  EXPECT_TRUE(silent.front()->ended()) << "the oldest was cut";
  // Half of them are the other thread's, for which nothing above has waited.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (server_->connections() > 2 * 4 + 1u && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_LE(server_->connections(), 2 * 4 + 1u);
}

TEST_F(TlsServer, CutsAGuardedAnswerThatNobodyReads) {
  Signal cut;
  std::atomic<int> asked = 0;
  serve_tls([&](Exchange& e) -> asio::awaitable<void> {
    e.guard({[&] { return ++asked < 3; }, milliseconds(1)});
    const auto sent = co_await e.respond(ResponseHead{}, std::string(64u << 20, 'x'));
    if (!sent && sent.error().code == ErrorCode::cancelled) cut.set();
  });
  TlsClient client(port());
  ASSERT_TRUE(client.handshake());
  EXPECT_TRUE(client.send(get));
  EXPECT_TRUE(cut.wait()) << "the body's time-out is a minute";
  EXPECT_EQ(asked, 3);
}

TEST_F(TlsServer, ShowsAReplacedCertificateToNewConnectionsAndDropsNone) {
  serve_tls();
  TlsClient before(port());
  ASSERT_TRUE(before.handshake());
  EXPECT_EQ(before.server_name(), "first");
  EXPECT_FALSE(identity_->refresh().value_or(true)) << "nothing changed";
  certificate_.write("second");
  EXPECT_TRUE(identity_->refresh().value_or(false));
  TlsClient after(port());
  ASSERT_TRUE(after.handshake());
  EXPECT_EQ(after.server_name(), "second");
  for (auto* client : {&before, &after}) {
    EXPECT_TRUE(client->send(get));
    EXPECT_TRUE(client->read_until("ok").ends_with("ok"));
  }
  EXPECT_TRUE(identity_->summary().starts_with("CN=second, until 20"));
}

// Files of one length within one tick of the kernel's clock look the same: these are of the next
// second.
void replace_later(const std::string& from, const std::string& to) {
  namespace fs = std::filesystem;
  const auto next = fs::last_write_time(to) + std::chrono::seconds(1);
  fs::copy_file(from, to, fs::copy_options::overwrite_existing);
  fs::last_write_time(to, next);
}

TEST_F(TlsServer, KeepsTheCertificateAtHandWhenTheNewOneIsBroken) {
  serve_tls();
  const TestCertificate other("other");
  replace_later(other.files.key, certificate_.files.key);
  const auto mixed = identity_->refresh();
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().code, ErrorCode::invalid_argument);
  TlsClient still(port());
  ASSERT_TRUE(still.handshake());
  EXPECT_EQ(still.server_name(), "first");
  // The other half arrives later, as it does when a program writes the two files in turn.
  replace_later(other.files.certificate, certificate_.files.certificate);
  EXPECT_TRUE(identity_->refresh().value_or(false));
  TlsClient now(port());
  ASSERT_TRUE(now.handshake());
  EXPECT_EQ(now.server_name(), "other");
}

TEST_F(TlsServer, SaysWhichFileIsWrong) {
  auto missing = TlsIdentity::load({"/nonexistent/cert.pem", certificate_.files.key});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().context.find("/nonexistent/cert.pem"), std::string::npos);
  std::ofstream(certificate_.files.key) << "no key\n";
  auto broken = TlsIdentity::load(certificate_.files);
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().context.find(certificate_.files.key), std::string::npos);
}

TEST_F(TlsServer, SendsExtentsWholeOneAnswerAfterTheOther) {
  const std::string content = pattern(32u << 20);
  const auto file = temporary_file(content);
  serve_tls([file](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, std::shared_ptr<const Fd> f) -> asio::awaitable<void> {
      std::vector<FileExtent> extents{{f, 5, 3}, {f, 100, (32u << 20) - 100}};
      (void)co_await e.respond(ResponseHead{}, Body(std::move(extents)), std::nullopt);
    }(exchange, file);
  });
  TlsClient client(port());
  ASSERT_TRUE(client.handshake());
  EXPECT_TRUE(client.send(get + get));
  const std::string expected = content.substr(5, 3) + content.substr(100);
  for (int i = 0; i < 2; ++i) {
    (void)client.read_until("\r\n\r\n");
    EXPECT_TRUE(client.read_exactly(expected.size()) == expected);
  }
}

TEST_F(TlsServer, AFileThatEndsEarlyCutsTheAnswer) {
  const auto file = temporary_file("short");
  serve_tls([file](Exchange& exchange) -> asio::awaitable<void> {
    return [](Exchange& e, std::shared_ptr<const Fd> f) -> asio::awaitable<void> {
      auto sent = co_await e.respond(ResponseHead{}, Body(std::vector<FileExtent>{{f, 0, 300'000}}),
                                     std::nullopt);
      EXPECT_EQ(sent.error().code, ErrorCode::corrupted);
    }(exchange, file);
  });
  TlsClient client(port());
  ASSERT_TRUE(client.handshake());
  EXPECT_TRUE(client.send(get));
  EXPECT_LT(client.read_exactly(400'000).size(), 300'000u);
}

TEST_F(TlsServer, RelaysBothWaysAtOnceAfterATakeOver) {
  // An echo that reads and writes concurrently, as the relay of a WebSocket does.
  serve_tls([](Exchange& exchange) -> asio::awaitable<void> {
    auto raw = exchange.take_over();
    std::vector<std::byte> buffer(100'000);
    for (;;) {
      auto got = co_await raw->read(buffer);
      if (!got || *got == 0) break;
      if (auto put = co_await raw->write(std::span(buffer).first(*got)); !put) break;
    }
    raw->close();
  });
  TlsClient client(port());
  ASSERT_TRUE(client.handshake());
  EXPECT_TRUE(client.send(get + "first bytes"));
  EXPECT_EQ(client.read_exactly(11), "first bytes");
  const auto data = pattern(200'000);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(client.send(data));
    EXPECT_TRUE(client.read_exactly(data.size()) == data);
  }
}

TEST_F(TlsServer, SurvivesAPeerThatAsksForNewKeysAllTheTime) {
  serve_tls();
  TlsClient client(port());
  ASSERT_TRUE(client.handshake());
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_TRUE(client.send(get));
    ASSERT_TRUE(client.read_until("ok").ends_with("ok"));
  }
}

TEST_F(TlsServer, TellsBrowsersToStayWithTlsWhenAskedTo) {
  serve_tls(say_ok, {.strict_transport = std::chrono::hours(24)});
  TlsClient client(port());
  ASSERT_TRUE(client.handshake());
  EXPECT_TRUE(client.send(get));
  EXPECT_NE(client.read_until("ok").find("\r\nStrict-Transport-Security: max-age=86400\r\n"),
            std::string::npos);
}

TEST_F(ServerTest, NeverTellsPlainPeersToStayWithTls) {
  serve(say_ok, {.strict_transport = std::chrono::hours(24)});
  RawClient client(port());
  client.send(get);
  EXPECT_EQ(client.read_answer().field("Strict-Transport-Security"), "");
}

}  // namespace
}  // namespace holdfast::net

//===- HttpServerTest.cpp - the HTTP server with good, bad and slow clients --------------------------------------===//
#include "HttpClient.h"
#include "runtime/serve/Error.h"
#include "runtime/serve/http/Inflate.h"
#include "runtime/serve/http/Server.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <thread>
#include <unistd.h>
#include <zlib.h>

using namespace mlc::serve;
using namespace std::chrono_literals;

namespace {

/// Compressed as `windowBits` says: 31 for gzip, 15 for zlib.
std::string compress(const std::string &text, int windowBits = 31) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY);
  std::string output(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<Bytef *>(output.data());
  stream.avail_out = output.size();
  deflate(&stream, Z_FINISH);
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}

/// Answers with what it was asked.
void echo(const std::shared_ptr<const http::Request> &request, http::Respond respond) {
  http::Response response;
  response.type = "text/plain";
  response.body = request->method + " " + request->target + "\n" + request->body;
  respond(std::move(response));
}

http::Options testOptions() {
  http::Options options;
  options.threads = 2;
  options.limits.headerTime = 300ms;
  options.limits.bodyTime = 300ms;
  options.limits.idleTime = 2s;
  options.limits.lingerTime = 200ms;
  return options;
}

class HttpServer : public testing::Test {
protected:
  void serve(http::Options options = testOptions(), http::Handler handler = echo) {
    server = std::make_unique<http::Server>(std::move(options), std::move(handler));
  }
  /// The status of the answer to these bytes; the connection has to end then.
  int statusOf(const std::string &bytes) {
    HttpClient client(server->port());
    client.send(bytes);
    Answer answer = client.read();
    EXPECT_TRUE(client.closed()) << bytes.substr(0, 200);
    if (answer.status)
      EXPECT_EQ(answer.headers["connection"], "close");
    return answer.status;
  }
  std::unique_ptr<http::Server> server;
};

TEST_F(HttpServer, ServesRequestsOfOneConnection) {
  serve();
  HttpClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    Answer answer = client.ask("POST", "/a?b=c", "body");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /a?b=c\nbody");
    EXPECT_EQ(answer.headers["content-type"], "text/plain");
    EXPECT_TRUE(answer.headers.contains("date"));
  }
  EXPECT_EQ(server->connections(), 1u);
}

TEST_F(HttpServer, AnswersPipelinedRequestsInTheirOrder) {
  serve();
  HttpClient client(server->port());
  std::string text;
  for (int i = 0; i < 50; ++i)
    text +=
        "POST /" + std::to_string(i) + " HTTP/1.1\r\nContent-Length: 1\r\n\r\n" + std::string(1, char('0' + i % 10));
  client.send(text);
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(client.read().body, "POST /" + std::to_string(i) + "\n" + std::to_string(i % 10));
}

TEST_F(HttpServer, AnswersPipelinedRequestsThatComeWhileOneIsServed) {
  std::promise<http::Respond> promise;
  serve(testOptions(), [&](const std::shared_ptr<const http::Request> &request, http::Respond respond) {
    request->target == "/slow" ? promise.set_value(std::move(respond)) : echo(request, std::move(respond));
  });
  HttpClient client(server->port());
  client.send("GET /slow HTTP/1.1\r\n\r\n");
  http::Respond respond = promise.get_future().get();
  client.send("GET /next HTTP/1.1\r\n\r\n");
  std::this_thread::sleep_for(20ms);
  respond({200, "text/plain", {}, "slow"});
  EXPECT_EQ(client.read().body, "slow");
  EXPECT_EQ(client.read().body, "GET /next\n");
}

TEST_F(HttpServer, ReadsChunkedBodies) {
  serve();
  HttpClient client(server->port());
  client.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  std::this_thread::sleep_for(20ms);
  client.send("2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n");
  EXPECT_EQ(client.read().body, "POST /\nabcde");
  EXPECT_EQ(client.ask("GET", "/next").body, "GET /next\n");
}

TEST_F(HttpServer, ReadsLargeBodiesThatComeInParts) {
  serve();
  HttpClient client(server->port());
  std::string body(5'000'000, 'x');
  for (size_t i = 0; i < body.size(); ++i)
    body[i] = char('a' + i % 23);
  EXPECT_EQ(client.ask("POST", "/", body).body, "POST /\n" + body);
}

TEST_F(HttpServer, SpeaksHttp10) {
  serve();
  {
    HttpClient client(server->port());
    client.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(client.read().status, 200);
    EXPECT_TRUE(client.closed());
  }
  HttpClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(client.read().headers["connection"], "keep-alive");
  }
}

TEST_F(HttpServer, ClosesWhereTheClientAsksForIt) {
  serve();
  EXPECT_EQ(statusOf("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), 200);
}

TEST_F(HttpServer, AnswersHeadWithoutABody) {
  serve();
  HttpClient client(server->port());
  Answer answer = client.ask("HEAD", "/path");
  EXPECT_EQ(answer.headers["content-length"], "11");
  EXPECT_EQ(client.ask("GET", "/").body, "GET /\n");
}

TEST_F(HttpServer, SaysContinueWhereItIsExpected) {
  serve();
  HttpClient client(server->port());
  client.send("POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read().status, 100);
  client.send("body");
  EXPECT_EQ(client.read().body, "POST /\nbody");
  EXPECT_EQ(statusOf("POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: wonders\r\n\r\n"), 417);
}

TEST_F(HttpServer, TakesTheAbsoluteForm) {
  serve();
  HttpClient client(server->port());
  EXPECT_EQ(client.ask("GET", "http://localhost:1/path?x").body, "GET /path?x\n");
}

TEST_F(HttpServer, ListensOnIPv6AndOnASocketFile) {
  http::Options options = testOptions();
  options.socketPath = testing::TempDir() + "serve-" + std::to_string(getpid()) + ".socket";
  serve(options);
  HttpClient client(options.socketPath);
  EXPECT_EQ(client.ask("GET", "/").status, 200);
  EXPECT_EQ(HttpClient(server->port()).ask("GET", "/").status, 200); // IPv4 on the socket of IPv6
  server.reset();
  EXPECT_NE(access(options.socketPath.c_str(), F_OK), 0);
}

TEST_F(HttpServer, SaysWhyItCannotListen) {
  serve();
  http::Options options;
  options.port = server->port();
  try {
    http::Server second(options, echo);
    FAIL() << "expected an error";
  } catch (const Error &error) {
    EXPECT_EQ(error.code, Code::unavailable);
    EXPECT_NE(std::string(error.what()).find("cannot listen on port"), std::string::npos);
  }
  options.address = "no such address";
  EXPECT_THROW(http::Server(options, echo), Error);
}

TEST_F(HttpServer, AnswersMalformedRequestsWith400) {
  serve();
  for (const char *text :
       {"nonsense\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: empty name\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nX: y\n\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        // What one server reads as one request, and another as two.
        "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"})
    EXPECT_EQ(statusOf(text), 400) << text;
  EXPECT_EQ(statusOf("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(statusOf("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(statusOf(std::string(3000, '\0')), 400);
  // What TLS clients send first.
  EXPECT_EQ(statusOf(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(500, 'x')), 400);
}

TEST_F(HttpServer, LimitsHeaders) {
  http::Options options = testOptions();
  options.limits.header = 4096;
  options.limits.headers = 20;
  serve(options);
  EXPECT_EQ(statusOf("GET /" + std::string(5000, 'x') + " HTTP/1.1\r\n\r\n"), 431);
  EXPECT_EQ(statusOf("GET / HTTP/1.1\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n"), 431);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 21; ++i)
    many += "A: b\r\n";
  EXPECT_EQ(statusOf(many + "\r\n"), 431);
}

TEST_F(HttpServer, LimitsBodies) {
  http::Options options = testOptions();
  options.limits.body = 1000;
  serve(options);
  EXPECT_EQ(statusOf("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"), 413);
  // Also where the client goes on sending.
  EXPECT_EQ(statusOf("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x')), 413);
  EXPECT_EQ(statusOf("POST / HTTP/1.1\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"), 413);
  EXPECT_EQ(statusOf("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n500\r\n" + std::string(0x500, 'x')), 413);
  EXPECT_EQ(HttpClient(server->port()).ask("POST", "/", std::string(1000, 'x')).status, 200);
}

TEST_F(HttpServer, LimitsWhatAllRequestsHold) {
  http::Options options = testOptions();
  options.limits.bodies = 1500;
  std::promise<http::Respond> promise;
  serve(options, [&](const std::shared_ptr<const http::Request> &request, http::Respond respond) {
    request->target == "/slow" ? promise.set_value(std::move(respond)) : echo(request, std::move(respond));
  });
  HttpClient slow(server->port());
  slow.send("POST /slow HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'));
  http::Respond respond = promise.get_future().get();
  Answer refused = HttpClient(server->port()).ask("POST", "/", std::string(1000, 'x'));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers["retry-after"], "1");
  respond({});
  EXPECT_EQ(slow.read().status, 200);
  EXPECT_EQ(HttpClient(server->port()).ask("POST", "/", std::string(1000, 'x')).status, 200);
}

TEST_F(HttpServer, InflatesBodies) {
  http::Options options = testOptions();
  options.limits.inflated = 5'000'000;
  serve(options);
  HttpClient client(server->port());
  std::string text(100'000, 'a');
  EXPECT_EQ(client.ask("POST", "/", compress(text), "Content-Encoding: gzip\r\n").body, "POST /\n" + text);
  EXPECT_EQ(client.ask("POST", "/", compress(text), "Content-Encoding: x-GZIP\r\n").body, "POST /\n" + text);
  EXPECT_EQ(client.ask("POST", "/", compress(text, 15), "Content-Encoding: deflate\r\n").body, "POST /\n" + text);
  EXPECT_EQ(client.ask("POST", "/", "plain", "Content-Encoding: identity\r\n").body, "POST /\nplain");
  auto ask = [&](const std::string &body, const char *coding = "gzip") {
    return HttpClient(server->port())
        .ask("POST", "/", body, "Content-Encoding: " + std::string(coding) + "\r\n")
        .status;
  };
  EXPECT_EQ(ask("not gzip"), 400);
  EXPECT_EQ(ask(compress(text).substr(0, 50)), 400);
  EXPECT_EQ(ask("text", "br"), 415);
  EXPECT_EQ(ask(compress(std::string(5'000'001, 'a'))), 413);           // size
  EXPECT_EQ(ask(compress(std::string(100'000'000, 'a'))), 413);         // a bomb
  EXPECT_EQ(ask(compress(compress(std::string(1'000'000, 'a')))), 200); // inflated once
}

TEST_F(HttpServer, AnswersAsItIs) {
  serve();
  Answer answer = HttpClient(server->port()).ask("POST", "/", std::string(100'000, 'a'), "Accept-Encoding: gzip\r\n");
  EXPECT_FALSE(answer.headers.contains("content-encoding"));
  EXPECT_EQ(answer.body, "POST /\n" + std::string(100'000, 'a'));
}

TEST(Inflate, KeepsToItsLimits) {
  std::string output, second, third, zeros(20 << 20, '\0'), small = compress(zeros);
  EXPECT_EQ(http::inflate(small, 20 << 20, 2000, 64, output), http::Inflation::done);
  EXPECT_EQ(output, zeros);
  EXPECT_GE(output.capacity(), output.size() + 64);
  EXPECT_EQ(http::inflate(small, (20 << 20) - 1, 2000, 64, second), http::Inflation::tooLarge);
  EXPECT_LE(second.capacity(), size_t(40 << 20)); // a string doubles
  EXPECT_EQ(http::inflate(small, 20 << 20, 100, 64, third), http::Inflation::tooLarge);
  EXPECT_LE(third.capacity(), size_t(8 << 20));
  EXPECT_EQ(http::inflate(small + compress("end"), 21 << 20, 2000, 0, output), http::Inflation::done); // two members
  EXPECT_EQ(output, zeros + "end");
  EXPECT_EQ(http::inflate(small + "garbage", 21 << 20, 2000, 0, output), http::Inflation::malformed);
  EXPECT_EQ(http::inflate("", 1000, 10, 0, output), http::Inflation::malformed);
}

TEST_F(HttpServer, EndsSlowRequests) {
  serve();
  auto drip = [&](const std::string &head, std::string_view bytes) {
    HttpClient client(server->port());
    client.send(head);
    Clock::time_point start = Clock::now();
    for (char byte : bytes) {
      if (!client.send(std::string_view(&byte, 1)) || Clock::now() - start > 1s)
        break;
      std::this_thread::sleep_for(20ms); // less than any time that a client may be silent for
    }
    return client.read().status;
  };
  EXPECT_EQ(drip("", "GET / HTTP/1.1\r\nX: " + std::string(50, 'y')), 408);
  EXPECT_EQ(drip("POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", std::string(50, 'y')), 408);
  EXPECT_EQ(drip("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n", std::string(50, 'y')), 408);
}

TEST_F(HttpServer, EndsIdleConnections) {
  http::Options options = testOptions();
  options.limits.idleTime = 200ms;
  serve(options);
  HttpClient fresh(server->port()), used(server->port());
  EXPECT_EQ(used.ask("GET", "/").status, 200);
  EXPECT_TRUE(fresh.closed(3s));
  EXPECT_TRUE(used.closed(3s));
}

TEST_F(HttpServer, EndsResponsesThatNobodyReads) {
  http::Options options = testOptions();
  options.limits.writeTime = 200ms;
  serve(options, [](auto &, http::Respond respond) { respond({200, "", {}, std::string(50'000'000, 'x')}); });
  HttpClient client(server->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  for (int i = 0; server->connections() > 0 && i < 300; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(HttpServer, AnswersClientsThatHaveClosedTheirSide) {
  serve();
  {
    HttpClient client(server->port());
    client.send("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody");
    client.closeWriting();
    EXPECT_EQ(client.read().body, "POST /\nbody");
    EXPECT_TRUE(client.closed());
  }
  HttpClient client(server->port());
  client.send("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbo");
  client.closeWriting();
  EXPECT_EQ(client.read().status, 400);
  HttpClient silent(server->port());
  silent.closeWriting();
  EXPECT_TRUE(silent.closed());
}

TEST_F(HttpServer, LimitsConnections) {
  http::Options options = testOptions();
  options.limits.connections = 2;
  serve(options);
  HttpClient first(server->port()), second(server->port());
  EXPECT_EQ(first.ask("GET", "/").status, 200);
  EXPECT_EQ(second.ask("GET", "/").status, 200);
  {
    HttpClient third(server->port());
    EXPECT_EQ(third.ask("GET", "/").status, 503);
    EXPECT_TRUE(third.closed());
  }
  EXPECT_EQ(first.ask("GET", "/").status, 200);
}

TEST_F(HttpServer, TellsTheHandlerThatTheClientHasGone) {
  std::promise<std::pair<std::shared_ptr<const http::Request>, http::Respond>> promise;
  serve(testOptions(), [&](const std::shared_ptr<const http::Request> &request, http::Respond respond) {
    promise.set_value({request, std::move(respond)});
  });
  auto client = std::make_unique<HttpClient>(server->port());
  client->send("GET / HTTP/1.1\r\n\r\n");
  auto [request, respond] = promise.get_future().get();
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(*request->cancelled);
  client.reset();
  for (int i = 0; !*request->cancelled && i < 300; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(*request->cancelled);
  respond({});
}

TEST_F(HttpServer, AnswersRequestsThatAreDroppedOrFail) {
  serve(testOptions(), [](const std::shared_ptr<const http::Request> &request, http::Respond respond) {
    if (request->target == "/throws")
      throw std::runtime_error("no luck");
    if (request->target == "/twice") {
      respond({200, "", {}, "first"});
      respond({200, "", {}, "second"});
    }
    if (request->target == "/thread")
      std::thread([respond] {
        std::this_thread::sleep_for(20ms);
        respond({200, "", {{"X-Split", "a\r\nInjected: b"}}, "thread"});
      }).detach();
  });
  HttpClient client(server->port());
  EXPECT_EQ(client.ask("GET", "/drops").status, 500);
  EXPECT_EQ(client.ask("GET", "/throws").body, R"({"error":"no luck"})");
  EXPECT_EQ(client.ask("GET", "/twice").body, "first");
  Answer answer = client.ask("GET", "/thread");
  EXPECT_EQ(answer.body, "thread");
  EXPECT_EQ(answer.headers["x-split"], "a");
  EXPECT_FALSE(answer.headers.contains("injected"));
}

TEST_F(HttpServer, AsksForTokens) {
  http::Options options = testOptions();
  options.tokens = std::make_shared<Tokens>(std::vector<std::string>{"first", "second"});
  serve(options);
  for (const char *token : {"first", "second"})
    EXPECT_EQ(HttpClient(server->port())
                  .ask("GET", "/v1/models", "", "Authorization: Bearer " + std::string(token) + "\r\n")
                  .status,
              200);
  for (const char *header :
       {"", "Authorization: Bearer third\r\n", "Authorization: Bearer firs\r\n", "Authorization: Bearer \r\n",
        "Authorization: Basic first\r\n", "Authorization: first\r\n"}) {
    Answer answer = HttpClient(server->port()).ask("GET", "/v1/models", "", header);
    EXPECT_EQ(answer.status, 401) << header;
    EXPECT_EQ(answer.headers["www-authenticate"], "Bearer");
  }
  EXPECT_EQ(HttpClient(server->port()).ask("GET", "/v2/health/live").status, 200);
  EXPECT_EQ(HttpClient(server->port()).ask("GET", "/readyz?verbose").status, 200);
  EXPECT_EQ(HttpClient(server->port()).ask("GET", "/v2/health/live/").status, 401);
  EXPECT_EQ(HttpClient(server->port()).ask("OPTIONS", "/v1/models/m").status, 200); // preflights have no token
}

TEST(Tokens, AreReadFromAFile) {
  std::string path = testing::TempDir() + "tokens-" + std::to_string(getpid());
  std::ofstream(path) << "# of the team\n\n  one \ntwo\n";
  Tokens tokens = Tokens::read(path);
  EXPECT_TRUE(tokens.accept("Bearer one"));
  EXPECT_TRUE(tokens.accept("bearer  two"));
  EXPECT_FALSE(tokens.accept("Bearer # of the team"));
  std::ofstream(path) << "# none\n";
  EXPECT_THROW(Tokens::read(path), Error);
  unlink(path.c_str());
  EXPECT_THROW(Tokens::read(path), Error);
}

TEST_F(HttpServer, DrainsWhatIsServedAndNothingElse) {
  std::promise<http::Respond> promise;
  serve(testOptions(), [&](const std::shared_ptr<const http::Request> &request, http::Respond respond) {
    request->target == "/slow" ? promise.set_value(std::move(respond)) : echo(request, std::move(respond));
  });
  HttpClient idle(server->port()), busy(server->port());
  EXPECT_EQ(idle.ask("GET", "/").status, 200);
  busy.send("GET /slow HTTP/1.1\r\n\r\n");
  http::Respond respond = promise.get_future().get();
  EXPECT_FALSE(server->drain(50ms));
  EXPECT_TRUE(idle.closed());
  EXPECT_THROW(HttpClient{server->port()}, std::runtime_error);
  std::thread later([respond = std::move(respond)] {
    std::this_thread::sleep_for(50ms);
    respond({200, "", {}, "done"});
  });
  EXPECT_TRUE(server->drain(5s));
  later.join();
  Answer answer = busy.read();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.headers["connection"], "close");
  EXPECT_TRUE(busy.closed());
}

TEST_F(HttpServer, EndsConnectionsWithTheirAnswersBeforeItDrains) {
  serve();
  HttpClient old(server->port());
  EXPECT_EQ(old.ask("GET", "/").status, 200);
  server->closeAfterAnswers();
  Answer answer = old.ask("GET", "/");
  EXPECT_EQ(answer.headers["connection"], "close");
  EXPECT_TRUE(old.closed());
  EXPECT_EQ(HttpClient(server->port()).ask("GET", "/").status, 200);
}

TEST_F(HttpServer, ServesManyClientsWhileOthersMisbehave) {
  serve();
  std::vector<std::future<int>> clients;
  for (int i = 0; i < 4; ++i)
    clients.push_back(std::async(std::launch::async, [&, i] {
      int good = 0;
      for (int round = 0; round < 50; ++round) {
        HttpClient bad(server->port());
        bad.send(round % 2 ? "GET / HT" : "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nx");
        HttpClient client(server->port());
        std::string body(1000 * i + round, 'x');
        good += client.ask("POST", "/", body).body == "POST /\n" + body;
        good += client.ask("GET", "/").status == 200;
      }
      return good;
    }));
  for (std::future<int> &client : clients)
    EXPECT_EQ(client.get(), 100);
}

} // namespace

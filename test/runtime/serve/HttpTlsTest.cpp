//===- HttpTlsTest.cpp - the HTTP server under TLS ---------------------------------------------------------------===//
#include "runtime/serve/Error.h"
#include "runtime/serve/http/Server.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <csignal>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace mlc::serve;
using namespace std::chrono_literals;

namespace {

template <auto free> struct Free final {
  template <typename T> void operator()(T *pointer) const { free(pointer); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

/// A key and its certificate, signed by itself.
struct Identity final {
  Identity() : key(EVP_EC_gen("P-256")), certificate(X509_new()) {
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME *name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char *>("localhost"), -1, -1,
                               0);
    X509_set_issuer_name(certificate.get(), name);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
  }
  std::string certificateText() const {
    return text([&](BIO *out) { PEM_write_bio_X509(out, certificate.get()); });
  }
  std::string keyText() const {
    return text([&](BIO *out) { PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }
  Key key;
  Certificate certificate;

private:
  template <typename Write> static std::string text(Write write) {
    std::unique_ptr<BIO, Free<BIO_free>> out(BIO_new(BIO_s_mem()));
    write(out.get());
    char *data;
    long size = BIO_get_mem_data(out.get(), &data);
    return std::string(data, size);
  }
};

/// Sends bytes over TLS; returns everything that comes back, and nothing where the handshake fails.
std::string ask(uint16_t port, const std::string &bytes, const Identity *client = nullptr, int version = 0) {
  std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> context(SSL_CTX_new(TLS_client_method()));
  if (version) {
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
  }
  if (client) {
    SSL_CTX_use_certificate(context.get(), client->certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), client->key.get());
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int file = socket(AF_INET, SOCK_STREAM, 0);
  std::string answer;
  if (connect(file, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0) {
    std::unique_ptr<SSL, Free<SSL_free>> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), file);
    if (SSL_connect(ssl.get()) == 1 && SSL_write(ssl.get(), bytes.data(), bytes.size()) > 0) {
      char part[4096];
      for (int count; (count = SSL_read(ssl.get(), part, sizeof part)) > 0;)
        answer.append(part, count);
      SSL_shutdown(ssl.get());
    }
  }
  close(file);
  return answer;
}

const std::string get = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

class HttpTls : public testing::Test {
protected:
  void serve(http::TlsOptions tls) {
    signal(SIGPIPE, SIG_IGN); // SSL_write has no way to say it
    http::Options options;
    options.threads = 2;
    options.limits.headerTime = 200ms;
    options.limits.lingerTime = 200ms;
    options.tls = std::make_shared<http::TlsOptions>(std::move(tls));
    server = std::make_unique<http::Server>(options, [](auto &request, http::Respond respond) {
      respond({200, "text/plain", {}, "body of " + std::to_string(request->body.size())});
    });
  }
  Identity own, authority, stranger;
  std::unique_ptr<http::Server> server;
};

TEST_F(HttpTls, ServesRequests) {
  serve({own.certificateText(), own.keyText(), "", false});
  EXPECT_NE(ask(server->port(), get).find("body of 0"), std::string::npos);
  std::string body(1'000'000, 'x'), head = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n";
  EXPECT_NE(ask(server->port(), head + body).find("body of 1000000"), std::string::npos);
  EXPECT_NE(ask(server->port(), "nonsense\r\n\r\n").find("400"), std::string::npos);
  EXPECT_EQ(ask(server->port(), get, nullptr, TLS1_1_VERSION), "");
  EXPECT_NE(ask(server->port(), get, nullptr, TLS1_2_VERSION), "");
  EXPECT_TRUE(server->drain(5s));
}

TEST_F(HttpTls, AsksForClientsCertificates) {
  serve({own.certificateText(), own.keyText(), authority.certificateText(), true});
  EXPECT_NE(ask(server->port(), get, &authority), "");
  EXPECT_EQ(ask(server->port(), get, &stranger), "");
  EXPECT_EQ(ask(server->port(), get), "");
}

TEST_F(HttpTls, EndsConnectionsThatDoNotShakeHands) {
  serve({own.certificateText(), own.keyText(), "", false});
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int silent = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(silent, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
  pollfd descriptor{silent, POLLIN, 0};
  EXPECT_EQ(poll(&descriptor, 1, 5000), 1);
  char byte;
  EXPECT_LE(recv(silent, &byte, 1, 0), 0);
  close(silent);
}

TEST_F(HttpTls, RefusesWhatIsNoCertificate) {
  auto refusal = [&](http::TlsOptions tls) {
    try {
      serve(std::move(tls));
    } catch (const Error &error) {
      EXPECT_EQ(error.code, Code::invalidArgument);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(refusal({"text", own.keyText(), "", false}).find("certificate"), std::string::npos);
  EXPECT_NE(refusal({own.certificateText(), "text", "", false}).find("key"), std::string::npos);
  EXPECT_NE(refusal({own.certificateText(), stranger.keyText(), "", false}).find("key"), std::string::npos);
  EXPECT_NE(refusal({own.certificateText(), own.keyText(), "text", false}).find("client authorities"),
            std::string::npos);
}

} // namespace

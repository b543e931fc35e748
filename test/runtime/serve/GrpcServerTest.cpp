//===- GrpcServerTest.cpp - the server itself: sockets, TLS, tokens, limits, health, reflection, drain ------------===//
#include "ServedModels.h"

#include "runtime/serve/grpc/Server.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <future>
#include <sys/socket.h>

using namespace mlc::serve;
using namespace mlc::serve::test;
using tensorflow::serving::PredictRequest;
using tensorflow::serving::PredictResponse;

namespace {

PredictRequest predictRequest(const std::string &model, const std::vector<float> &values) {
  PredictRequest request;
  request.mutable_model_spec()->set_name(model);
  auto &tensor = (*request.mutable_inputs())["x"];
  tensor.set_dtype(tensorflow::DT_FLOAT);
  tensor.mutable_tensor_shape()->add_dim()->set_size(1);
  tensor.mutable_tensor_shape()->add_dim()->set_size(static_cast<int64_t>(values.size()));
  tensor.mutable_float_val()->Add(values.begin(), values.end());
  return request;
}

class GrpcServerTest : public testing::Test {
protected:
  GrpcServer &start() {
    options.address = "127.0.0.1";
    server = std::make_unique<GrpcServer>(models.services, options);
    return *server;
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(server->port()); }
  static std::shared_ptr<grpc::Channel> plain(const std::string &target) {
    return grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
  }
  /// A call of Predict over a channel; the answer's first value is in `value`.
  grpc::Status predict(const std::shared_ptr<grpc::Channel> &channel, const std::string &token = "") {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    if (!token.empty())
      context.AddMetadata("authorization", token);
    PredictResponse response;
    grpc::Status status = tensorflow::serving::PredictionService::NewStub(channel)->Predict(
        &context, predictRequest("half", {2}), &response);
    if (status.ok())
      value = response.outputs().at("y").float_val(0);
    return status;
  }

  ServedModels models;
  GrpcOptions options;
  std::unique_ptr<GrpcServer> server;
  float value = 0;
};

/// Calls a unary method by its name with messages as bytes: for services whose messages are not ours.
grpc::Status callRaw(const std::shared_ptr<grpc::Channel> &channel, const std::string &method,
                     const std::string &request, std::string &response) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  grpc::CompletionQueue queue;
  grpc::Slice slice(request);
  grpc::ByteBuffer in(&slice, 1), out;
  auto call = stub.PrepareUnaryCall(&context, method, in, &queue);
  call->StartCall();
  grpc::Status status;
  call->Finish(&out, &status, nullptr);
  void *tag;
  bool ok;
  queue.Next(&tag, &ok);
  if (status.ok()) {
    std::vector<grpc::Slice> slices;
    out.Dump(&slices);
    for (const grpc::Slice &piece : slices)
      response.append(reinterpret_cast<const char *>(piece.begin()), piece.size());
  }
  return status;
}

/// What grpc.health.v1.Health says of a service: 1 serves, 2 does not; -1 for a code that is not OK.
int health(const std::shared_ptr<grpc::Channel> &channel, const std::string &service) {
  std::string request, response;
  if (!service.empty())
    request = std::string("\x0a") + static_cast<char>(service.size()) + service; // field 1, the name
  grpc::Status status = callRaw(channel, "/grpc.health.v1.Health/Check", request, response);
  if (!status.ok())
    return -status.error_code();
  return response.size() == 2 ? response[1] : 0; // field 1, the status
}

TEST_F(GrpcServerTest, ServesAllServicesOnOnePort) {
  start();
  ASSERT_GT(server->port(), 0);
  auto channel = plain(address());
  EXPECT_TRUE(predict(channel).ok());
  EXPECT_EQ(value, 4);
  grpc::ClientContext context;
  inference::ServerLiveResponse live;
  EXPECT_TRUE(inference::GRPCInferenceService::NewStub(channel)->ServerLive(&context, {}, &live).ok());
  EXPECT_TRUE(live.live());
  std::string response;
  EXPECT_EQ(callRaw(channel, "/tensorflow.serving.PredictionService/Nothing", "", response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(callRaw(channel, "/no.Service/Nothing", "", response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(callRaw(channel, "/tensorflow.serving.PredictionService/Predict", "\xff\xff\xff", response).error_code(),
            grpc::StatusCode::INTERNAL); // gRPC's own code for bytes that are no message
}

TEST_F(GrpcServerTest, ListensOnAUnixSocket) {
  options.listenTcp = false;
  options.socketPath = models.folder.path("socket");
  start();
  EXPECT_EQ(server->port(), 0);
  EXPECT_TRUE(predict(plain("unix:" + options.socketPath)).ok());
}

TEST_F(GrpcServerTest, RefusesAPortThatIsTaken) {
  start();
  GrpcOptions again = options;
  again.port = server->port();
  try {
    GrpcServer second(models.services, again);
    FAIL() << "expected an error";
  } catch (const Error &error) {
    EXPECT_EQ(error.code, Code::unavailable);
    EXPECT_EQ(error.what(), "cannot listen on " + address());
  }
}

TEST_F(GrpcServerTest, TakesChannelArguments) {
  options.channelArguments = "grpc.max_concurrent_streams=8,grpc.primary_user_agent=mlc";
  start();
  EXPECT_TRUE(predict(plain(address())).ok());
  options.channelArguments = "nonsense";
  EXPECT_THROW(GrpcServer(models.services, options), Error);
}

TEST_F(GrpcServerTest, LimitsMessages) {
  options.maxMessageBytes = 1000;
  start();
  grpc::ClientContext context;
  PredictResponse response;
  grpc::Status status = tensorflow::serving::PredictionService::NewStub(plain(address()))
                            ->Predict(&context, predictRequest("half", std::vector<float>(1000)), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(predict(plain(address())).ok());
}

TEST_F(GrpcServerTest, TakesMessagesBeyondTheLibrarysUsualLimit) {
  start();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  auto channel = grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments);
  grpc::ClientContext context;
  PredictResponse response;
  grpc::Status status = tensorflow::serving::PredictionService::NewStub(channel)->Predict(
      &context, predictRequest("half", std::vector<float>(2'000'000, 4)), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.outputs().at("y").float_val(1'999'999), 5);
}

TEST_F(GrpcServerTest, CutsLongMessagesOfErrors) {
  start();
  auto truncated = [](const std::string &message) { return toGrpcStatus({Code::internal, message}).error_message(); };
  EXPECT_EQ(truncated(std::string(1024, 'a')), std::string(1024, 'a'));
  EXPECT_EQ(truncated(std::string(1025, 'a')), std::string(1024, 'a') + "...TRUNCATED");
  EXPECT_EQ(truncated(std::string(1023, 'a') + "é"), std::string(1023, 'a') + "...TRUNCATED");
  grpc::ClientContext context;
  PredictResponse response;
  PredictRequest request = predictRequest(std::string(5000, 'm'), {1});
  grpc::Status status =
      tensorflow::serving::PredictionService::NewStub(plain(address()))->Predict(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message().size(), 1024 + strlen("...TRUNCATED"));
}

TEST_F(GrpcServerTest, AsksForTokens) {
  options.admit = [](std::string_view authorization) { return authorization == "Bearer secret"; };
  options.healthService = true;
  start();
  auto channel = plain(address());
  EXPECT_EQ(predict(channel).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(predict(channel, "Bearer wrong").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(predict(channel, "Bearer secret").ok());
  EXPECT_EQ(health(channel, ""), 1);
  auto stub = inference::GRPCInferenceService::NewStub(channel);
  grpc::ClientContext live, ready, metadata, streaming;
  inference::ServerLiveResponse liveResponse;
  EXPECT_TRUE(stub->ServerLive(&live, {}, &liveResponse).ok());
  inference::ServerReadyResponse readyResponse;
  EXPECT_TRUE(stub->ServerReady(&ready, {}, &readyResponse).ok());
  inference::ServerMetadataResponse metadataResponse;
  EXPECT_EQ(stub->ServerMetadata(&metadata, {}, &metadataResponse).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  auto stream = stub->ModelStreamInfer(&streaming);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(GrpcServerTest, SaysThatItIsHealthyWhereItIsAskedTo) {
  options.healthService = true;
  start();
  auto channel = plain(address());
  for (const char *service : {"", "ModelService", "PredictionService", "tensorflow.serving.PredictionService",
                              "inference.GRPCInferenceService"})
    EXPECT_EQ(health(channel, service), 1) << service;
  EXPECT_EQ(health(channel, "Other"), -grpc::StatusCode::NOT_FOUND);
  server->setHealthy(false);
  EXPECT_EQ(health(channel, ""), 2);
  EXPECT_EQ(health(channel, "PredictionService"), 2);
}

TEST_F(GrpcServerTest, HasNoHealthServiceOtherwise) {
  start();
  EXPECT_EQ(health(plain(address()), ""), -grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, ReflectsItsServices) {
  start();
  grpc::GenericStub stub(plain(address()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void *tag;
  bool ok = true;
  call->StartCall(nullptr);
  queue.Next(&tag, &ok);
  grpc::Slice slice(std::string("\x3a\x01*")); // field 7, list_services
  grpc::ByteBuffer request(&slice, 1), response;
  call->Write(request, nullptr);
  queue.Next(&tag, &ok);
  call->Read(&response, nullptr);
  queue.Next(&tag, &ok);
  ASSERT_TRUE(ok);
  grpc::Slice single;
  ASSERT_TRUE(response.DumpToSingleSlice(&single).ok());
  std::string text(reinterpret_cast<const char *>(single.begin()), single.size());
  for (const char *service :
       {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService", "inference.GRPCInferenceService"})
    EXPECT_NE(text.find(service), std::string::npos) << service;
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
}

TEST_F(GrpcServerTest, FinishesWhatIsInFlightAndAcceptsNoMore) {
  options.healthService = true;
  start();
  auto channel = plain(address());
  auto slow = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    PredictResponse response;
    return tensorflow::serving::PredictionService::NewStub(channel)->Predict(&context, predictRequest("slow", {2}),
                                                                             &response);
  });
  while (models.registry.find({"slow", std::nullopt, {}})->statistics().success.count == 0 &&
         models.telemetry.calls().empty() && slow.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready)
    break;
  server->stop(std::chrono::seconds(5));
  EXPECT_TRUE(slow.get().ok());
  EXPECT_EQ(predict(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GrpcServerTest, CancelsWhatDoesNotEndInTime) {
  start();
  auto channel = plain(address());
  auto stub = inference::GRPCInferenceService::NewStub(channel);
  grpc::ClientContext context;
  auto stream = stub->ModelStreamInfer(&context); // the client leaves it open
  inference::ModelInferRequest request;
  request.set_model_name("nothing");
  ASSERT_TRUE(stream->Write(request));
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(stream->Read(&response));
  auto begin = Clock::now();
  server->stop(std::chrono::milliseconds(100));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, GivesUpWhenTheDeadlineOfTheClientHasPassed) {
  start();
  auto stub = tensorflow::serving::PredictionService::NewStub(plain(address()));
  std::vector<std::future<grpc::Status>> calls;
  for (int i = 0; i < 4; ++i) // 50 ms each on one thread
    calls.push_back(std::async(std::launch::async, [&] {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(90));
      PredictResponse response;
      return stub->Predict(&context, predictRequest("slow", {2}), &response);
    }));
  int late = 0;
  for (auto &call : calls)
    late += call.get().error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  EXPECT_GE(late, 2);
  server->stop(std::chrono::seconds(5));
  int ran = 0;
  for (const Call &call : models.telemetry.calls())
    ran += call.status.ok();
  EXPECT_LE(ran, 2); // the others were not run for nobody
}

TEST_F(GrpcServerTest, TellsTelemetryOfEachCall) {
  start();
  auto stub = tensorflow::serving::PredictionService::NewStub(plain(address()));
  grpc::ClientContext context;
  context.AddMetadata("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  context.AddMetadata("x-request-id", "r1");
  PredictResponse response;
  ASSERT_TRUE(stub->Predict(&context, predictRequest("half", {2}), &response).ok());
  const auto &answer = context.GetServerInitialMetadata();
  ASSERT_TRUE(answer.contains("traceparent"));
  EXPECT_TRUE(answer.find("traceparent")->second.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
  EXPECT_EQ(answer.find("x-request-id")->second, "r1");
  server->stop(std::chrono::seconds(5));
  ASSERT_EQ(models.telemetry.calls().size(), 1u);
  Call call = models.telemetry.calls()[0];
  EXPECT_STREQ(call.entrypoint, "GRPC");
  EXPECT_EQ(call.api, "Predict");
  EXPECT_EQ(call.path, "/tensorflow.serving.PredictionService/Predict");
  EXPECT_TRUE(call.peer.starts_with("127.0.0.1:")) << call.peer;
  EXPECT_EQ(call.model, "half");
  EXPECT_EQ(call.version, 2);
  EXPECT_EQ(call.requestId, "r1");
  EXPECT_EQ(call.examples, 1);
  EXPECT_EQ(call.timing.batch, 1);
  EXPECT_GT(call.requestBytes, 10u);
  EXPECT_GT(call.responseBytes, 10u);
}

/// A client that opens connections, sends half a preface or garbage and goes.
TEST_F(GrpcServerTest, OutlivesClientsThatSpeakSomethingElse) {
  start();
  for (std::string text : {"", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02"}) {
    int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(server->port()));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(socket, reinterpret_cast<sockaddr *>(&to), sizeof to), 0);
    if (!text.empty())
      EXPECT_GT(send(socket, text.data(), text.size(), MSG_NOSIGNAL), 0);
    close(socket);
  }
  EXPECT_TRUE(predict(plain(address())).ok());
}

TEST_F(GrpcServerTest, ServesManyClientsAtOnce) {
  start();
  std::vector<std::thread> clients;
  std::atomic<int> failed{0};
  for (int client = 0; client < 8; ++client)
    clients.emplace_back([&, client] {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      auto stub = tensorflow::serving::PredictionService::NewStub(
          grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments));
      for (int i = 0; i < 200; ++i) {
        grpc::ClientContext context;
        PredictResponse response;
        float sent = static_cast<float>(client * 1000 + i);
        failed += !stub->Predict(&context, predictRequest("half", {sent}), &response).ok() ||
                  response.outputs().at("y").float_val(0) != sent / 2 + 3;
      }
    });
  for (std::thread &client : clients)
    client.join();
  EXPECT_EQ(failed, 0);
}

// -- TLS -------------------------------------------------------------------------------------------------------------

struct Certificate final {
  std::string certificate, key;
};

/// A certificate for localhost that signs itself, or that `by` signs.
Certificate makeCertificate(const std::string &name, const Certificate *by = nullptr) {
  EVP_PKEY *key = EVP_RSA_gen(2048);
  X509 *certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), by ? 2 : 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME *subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char *>(name.c_str()), -1, -1,
                             0);
  X509 *issuer = certificate;
  EVP_PKEY *issuerKey = key;
  if (by) {
    BIO *text = BIO_new_mem_buf(by->certificate.data(), -1);
    issuer = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    text = BIO_new_mem_buf(by->key.data(), -1);
    issuerKey = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
    BIO_free(text);
  }
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  auto extend = [&](int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_subject_alt_name, "DNS:localhost");
  extend(NID_basic_constraints, by ? "critical,CA:FALSE" : "critical,CA:TRUE");
  X509_sign(certificate, issuerKey, EVP_sha256());
  auto pem = [](auto write) {
    BIO *bio = BIO_new(BIO_s_mem());
    write(bio);
    char *data;
    std::string text(BIO_get_mem_data(bio, &data), ' ');
    text.assign(data, text.size());
    BIO_free(bio);
    return text;
  };
  Certificate made{pem([&](BIO *bio) { PEM_write_bio_X509(bio, certificate); }),
                   pem([&](BIO *bio) { PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); })};
  if (by) {
    X509_free(issuer);
    EVP_PKEY_free(issuerKey);
  }
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}

TEST_F(GrpcServerTest, SpeaksTls) {
  Certificate authority = makeCertificate("authority"), mine = makeCertificate("localhost", &authority);
  tensorflow::serving::SSLConfig config;
  config.set_server_key(mine.key);
  config.set_server_cert(mine.certificate);
  // By way of the file, as the flag has it.
  writeFile(models.folder.path("ssl"), config.DebugString());
  options.tls = readSslConfig(models.folder.path("ssl"));
  start();
  std::string target = "localhost:" + std::to_string(server->port());
  grpc::SslCredentialsOptions known;
  known.pem_root_certs = authority.certificate;
  EXPECT_TRUE(predict(grpc::CreateChannel(target, grpc::SslCredentials(known))).ok());
  EXPECT_EQ(predict(plain(target)).error_code(), grpc::StatusCode::UNAVAILABLE);
  known.pem_root_certs = makeCertificate("other").certificate;
  EXPECT_EQ(predict(grpc::CreateChannel(target, grpc::SslCredentials(known))).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GrpcServerTest, VerifiesClients) {
  Certificate authority = makeCertificate("authority"), mine = makeCertificate("localhost", &authority),
              client = makeCertificate("client", &authority), stranger = makeCertificate("stranger");
  options.tls.emplace();
  options.tls->set_server_key(mine.key);
  options.tls->set_server_cert(mine.certificate);
  options.tls->set_client_verify(true);
  EXPECT_THROW(start(), Error); // by whom?
  options.tls->set_custom_ca(authority.certificate);
  start();
  std::string target = "localhost:" + std::to_string(server->port());
  grpc::SslCredentialsOptions with;
  with.pem_root_certs = authority.certificate;
  EXPECT_FALSE(predict(grpc::CreateChannel(target, grpc::SslCredentials(with))).ok());
  for (const Certificate *who : {&stranger, &client}) {
    with.pem_cert_chain = who->certificate;
    with.pem_private_key = who->key;
    EXPECT_EQ(predict(grpc::CreateChannel(target, grpc::SslCredentials(with))).ok(), who == &client);
  }
}

TEST_F(GrpcServerTest, RefusesFilesThatAreNoSslConfiguration) {
  EXPECT_THROW(readSslConfig(models.folder.path("missing")), Error);
  writeFile(models.folder.path("ssl"), "server_key: 7");
  EXPECT_THROW(readSslConfig(models.folder.path("ssl")), Error);
  options.tls.emplace();
  EXPECT_THROW(start(), Error);
}

} // namespace

//===- Server.cpp - the gRPC server -------------------------------------------------------------------------------===//
#include "runtime/serve/grpc/Server.h"

#include <absl/synchronization/mutex.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <charconv>
#include <fstream>
#include <sstream>

namespace mlc::serve {

namespace {

/// The names that the health service knows: TensorFlow Serving's short ones, and those of the services.
constexpr const char *healthNames[] = {"ModelService", "PredictionService", "tensorflow.serving.ModelService",
                                       "tensorflow.serving.PredictionService", "inference.GRPCInferenceService"};

/// "grpc.max_connection_age_ms=2000,grpc.default_authority=x": numbers where they are numbers.
void addChannelArguments(const std::string &text, grpc::ServerBuilder &builder) {
  std::stringstream stream(text);
  for (std::string entry; std::getline(stream, entry, ',');) {
    if (entry.empty())
      continue;
    size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos)
      throw Error(Code::invalidArgument, "expected channel arguments NAME=VALUE,…, but got '" + entry + "'");
    std::string name = entry.substr(0, equals), value = entry.substr(equals + 1);
    int number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size())
      builder.AddChannelArgument(name, number);
    else
      builder.AddChannelArgument(name, value);
  }
}

std::shared_ptr<grpc::ServerCredentials> credentials(const std::optional<tensorflow::serving::SSLConfig> &tls) {
  if (!tls)
    return grpc::InsecureServerCredentials();
  if (tls->server_key().empty() || tls->server_cert().empty())
    throw Error(Code::invalidArgument, "expected server_key and server_cert, as the text of PEM files, for TLS");
  if (tls->client_verify() && tls->custom_ca().empty())
    throw Error(Code::invalidArgument, "expected custom_ca, as the text of a PEM file, to verify clients");
  grpc::SslServerCredentialsOptions options(tls->client_verify()
                                                ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_root_certs = tls->custom_ca();
  options.pem_key_cert_pairs.push_back({tls->server_key(), tls->server_cert()});
  return grpc::SslServerCredentials(options);
}

/// What gRPC asks for at the start of the program: the health service becomes possible, and each server then says
/// whether it has it; reflection is part of all servers.
void prepareLibrary() {
  static const bool prepared = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // Where Abseil was built with its assertions, each lock of gRPC would go into a graph under one lock for all.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    return true;
  }();
  (void)prepared;
}

} // namespace

tensorflow::serving::SSLConfig readSslConfig(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(Code::notFound, "cannot read the SSL configuration " + path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  tensorflow::serving::SSLConfig config;
  if (!google::protobuf::TextFormat::ParseFromString(text, &config)) // without the text: it has a private key
    throw Error(Code::invalidArgument, path + ": expected an SSLConfig in protobuf's text format");
  return config;
}

GrpcServer::GrpcServer(const Services &services, const GrpcOptions &options)
    : prediction(services, options.tensorContent), model(services), inference(services) {
  prepareLibrary();
  grpc::ServerBuilder builder;
  if (options.listenTcp)
    builder.AddListeningPort(options.address + ":" + std::to_string(options.port), credentials(options.tls), &itsPort);
  if (!options.socketPath.empty())
    builder.AddListeningPort("unix:" + options.socketPath, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(options.maxMessageBytes);
  builder.SetMaxSendMessageSize(INT_MAX);
  // Another server on the port is an error, not one to share it with.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  addChannelArguments(options.channelArguments, builder);
  if (!options.healthService)
    builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
  for (grpc::Service *service : {&prediction.service(), &model.service(), &inference.service()})
    builder.RegisterService(service);
  queue = std::make_unique<RpcQueue>(services, options.admit, builder.AddCompletionQueue());
  server = builder.BuildAndStart();
  if (!server || (options.listenTcp && itsPort == 0))
    throw Error(Code::unavailable,
                "cannot listen on " + (options.listenTcp ? options.address + ":" + std::to_string(options.port)
                                                         : "unix:" + options.socketPath));
  prediction.listen(*queue);
  model.listen(*queue);
  inference.listen(*queue);
  int processors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  queue->start(options.threads > 0 ? options.threads : 4 * processors);
  setHealthy(true);
}

GrpcServer::~GrpcServer() { stop(std::chrono::milliseconds(0)); }

void GrpcServer::setHealthy(bool healthy) {
  grpc::HealthCheckServiceInterface *health = server->GetHealthCheckService();
  if (!health)
    return;
  for (const char *name : healthNames)
    health->SetServingStatus(name, healthy);
  health->SetServingStatus(healthy); // and that of the server, ""
}

void GrpcServer::stop(std::chrono::milliseconds drain) {
  if (!server)
    return;
  server->Shutdown(std::chrono::system_clock::now() + drain);
  queue->stop();
}

} // namespace mlc::serve

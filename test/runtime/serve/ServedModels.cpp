//===- ServedModels.cpp - a registry of fake models, and calls of handlers without sockets -----------------------===//
#include "ServedModels.h"

#include <google/protobuf/text_format.h>

#include <future>
#include <stdexcept>

namespace mlc::serve::test {

namespace {

RegistryOptions onlyWhenAsked(Telemetry &telemetry) {
  RegistryOptions options;
  options.load.warmedUp = [&telemetry](const std::string &folder, const WarmUpReport &report) {
    telemetry.warmedUp(folder, report);
  };
  options.poll = std::chrono::milliseconds(-1);
  options.maxLoadRetries = 0;
  options.log = [](const std::string &) {};
  return options;
}

} // namespace

ServedModels::ServedModels(const TelemetryOptions &options)
    : telemetry(options), registry(onlyWhenAsked(telemetry), scheduler) {
  writeVersion(folder.path("half/1"), "half_plus_two");
  writeVersion(folder.path("half/2"), "half_plus_three");
  writeVersion(folder.path("classes/7"), "identity", {{"labels.txt", "cat\ndog\nemu\n"}});
  writeVersion(folder.path("slow/1"), "slow");
  std::filesystem::create_directories(folder.path("empty"));
  std::string text = "model_config_list {";
  for (const auto &[name, more] :
       {std::pair<std::string, std::string>{"half", "model_version_policy { all {} } "
                                                    "version_labels { key: 'stable' value: 1 }"},
        {"classes", ""},
        {"slow", ""},
        {"empty", ""}})
    text +=
        " config { name: '" + name + "' base_path: '" + folder.path(name) + "' model_platform: 'mlc' " + more + " }";
  tensorflow::serving::ModelServerConfig config;
  if (!google::protobuf::TextFormat::ParseFromString(text + " }", &config))
    throw std::runtime_error("cannot parse the configuration");
  registry.start(config);
}

void ServedModels::add(const std::string &name, const std::string &fake) {
  writeVersion(folder.path(name + "/1"), fake);
  tensorflow::serving::ModelServerConfig config = registry.config();
  tensorflow::serving::ModelConfig &model = *config.mutable_model_config_list()->add_config();
  model.set_name(name);
  model.set_base_path(folder.path(name));
  model.set_model_platform("mlc");
  registry.reload(config);
}

std::shared_ptr<http::Request> makeRequest(const std::string &method, const std::string &target,
                                           const std::string &body, const Headers &headers) {
  auto request = std::make_shared<http::Request>();
  request->method = method;
  request->target = target;
  request->body = body;
  request->headers = headers;
  request->peer = "127.0.0.1:4321";
  return request;
}

http::Response call(const http::Handler &handler, const std::shared_ptr<const http::Request> &request) {
  auto promise = std::make_shared<std::promise<http::Response>>();
  handler(request, [promise](http::Response response) { promise->set_value(std::move(response)); });
  return promise->get_future().get();
}

std::string headerOf(const http::Response &response, const std::string &name) {
  for (const auto &[itsName, value] : response.headers)
    if (itsName == name)
      return value;
  return {};
}

} // namespace mlc::serve::test

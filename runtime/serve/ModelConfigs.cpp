//===- ModelConfigs.cpp - rules of the configuration of models ---------------------------------------------------===//
#include "runtime/serve/ModelConfigs.h"

#include "runtime/serve/Error.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <map>
#include <set>

namespace mlc::serve {

using tensorflow::serving::ModelConfig;
using tensorflow::serving::ModelServerConfig;

namespace {

Error invalid(const std::string &message) { return Error(Code::invalidArgument, message); }

void check(const ModelConfig &model) {
  const std::string &name = model.name(), &path = model.base_path();
  if (name.empty())
    throw invalid("expected a name for the model with base path '" + path + "', but there is none");
  if (localFolder(path).empty())
    throw invalid("Expected model " + name + " to have an absolute path or URI; got base_path()=" + path);
  if (model.model_type() != 0 && !model.model_platform().empty())
    throw invalid("Illegal setting both ModelServerConfig::model_type (deprecated) and model_platform.");
  if (model.model_type() == 0 && model.model_platform().empty())
    throw invalid("Illegal setting neither ModelServerConfig::model_type (deprecated) nor model_platform.");
  if (model.model_version_policy().has_specific()) {
    const auto &versions = model.model_version_policy().specific().versions();
    if (versions.empty())
      throw invalid("model " + name + ": expected at least one version in the policy 'specific', but got none");
    for (int64_t version : versions)
      if (version < 0)
        throw invalid("model " + name + ": expected versions of at least 0, but got " + std::to_string(version));
  }
}

std::string platform(const ModelConfig &model) {
  return model.model_platform().empty() ? "tensorflow" : model.model_platform();
}

/// Keeps what the parser of text says; the first error is the cause of the others.
struct Said final : google::protobuf::io::ErrorCollector {
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string &message) override {
    errors.push_back(at(line, column) + message);
  }
  void AddWarning(int line, google::protobuf::io::ColumnNumber column, const std::string &message) override {
    warnings.push_back(at(line, column) + message);
  }
  static std::string at(int line, int column) {
    return std::to_string(line + 1) + ":" + std::to_string(column + 1) + ": ";
  }
  std::vector<std::string> errors, warnings;
};

std::vector<std::string> read(const std::string &path, google::protobuf::Message &message, bool lenient) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(Code::notFound, path + ": cannot be read: " + std::strerror(errno));
  std::string text(std::istreambuf_iterator<char>(file), {});
  Said said;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&said);
  parser.AllowUnknownField(lenient);
  if (!parser.ParseFromString(text, &message))
    throw invalid(path + ":" + (said.errors.empty() ? " cannot be parsed" : said.errors.front()));
  return said.warnings;
}

} // namespace

std::string localFolder(const std::string &basePath) {
  constexpr std::string_view scheme = "file://";
  std::string path = basePath.starts_with(scheme) ? basePath.substr(scheme.size()) : basePath;
  return path.starts_with("/") ? path : "";
}

std::vector<ModelConfig> checkedModels(const ModelServerConfig &config, const ModelServerConfig &old) {
  if (config.config_case() != ModelServerConfig::kModelConfigList)
    throw invalid(
        "expected a model_config_list, but got a custom_model_config, which is of servers with other sources");
  std::map<std::string, std::string> platforms;
  for (const ModelConfig &model : old.model_config_list().config())
    platforms[model.name()] = platform(model);
  std::set<std::string> names;
  std::vector<ModelConfig> models;
  for (const ModelConfig &model : config.model_config_list().config()) {
    check(model);
    if (!names.insert(model.name()).second)
      throw invalid("Illegal to list model " + model.name() + " multiple times in config list");
    if (auto it = platforms.find(model.name()); it != platforms.end() && it->second != platform(model))
      throw Error(Code::failedPrecondition, "Illegal to change a model's platform. For model " + model.name() +
                                                " platform was " + it->second + " and new platform requested is " +
                                                platform(model));
    models.push_back(model);
  }
  return models;
}

void readTextFile(const std::string &path, google::protobuf::Message &message) {
  read(path, message, /*lenient=*/false);
}

std::vector<std::string> readTextFileLeniently(const std::string &path, google::protobuf::Message &message) {
  return read(path, message, /*lenient=*/true);
}

} // namespace mlc::serve

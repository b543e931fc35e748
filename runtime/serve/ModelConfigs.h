//===- ModelConfigs.h - rules of the configuration of models ------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_MODELCONFIGS_H
#define MLC_RUNTIME_SERVE_MODELCONFIGS_H

#include "tensorflow_serving.pb.h"

#include <string>
#include <vector>

namespace mlc::serve {

/// The models of a configuration that may follow `old`. Throws Error as TensorFlow Serving's server does.
std::vector<tensorflow::serving::ModelConfig> checkedModels(const tensorflow::serving::ModelServerConfig &config,
                                                            const tensorflow::serving::ModelServerConfig &old);

/// The local folder that a base path means, which may be a file:// address.
std::string localFolder(const std::string &basePath);

/// Reads a file in protobuf's text format. Throws Error NOT_FOUND, or INVALID_ARGUMENT with the line and what is wrong.
void readTextFile(const std::string &path, google::protobuf::Message &message);
/// The same, but skips fields that the message does not have; returns where they are and what they are called.
std::vector<std::string> readTextFileLeniently(const std::string &path, google::protobuf::Message &message);

} // namespace mlc::serve

#endif

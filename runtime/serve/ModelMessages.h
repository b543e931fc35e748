//===- ModelMessages.h - what the Open Inference Protocol says of models ------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_MODELMESSAGES_H
#define MLC_RUNTIME_SERVE_MODELMESSAGES_H

#include "inference.pb.h"
#include "runtime/serve/Registry.h"

#include <memory>
#include <string>
#include <vector>

namespace mlc::serve {

/// The version that a request means: a number, a label, or the latest one where it is empty. Throws Error in Triton's
/// words: NOT_FOUND, or UNAVAILABLE where it is on its way in or out.
std::shared_ptr<Version> findModel(const Registry &registry, const std::string &model, const std::string &version);

/// Numbers of the versions that can be used, increasing.
std::vector<int64_t> availableVersions(const Registry &registry, const std::string &model);

/// Name, version and extensions of this server.
inference::ServerMetadataResponse serverMetadata();
inference::ModelMetadataResponse toModelMetadata(const Version &version, const std::vector<int64_t> &available);
inference::ModelConfig toModelConfig(const Version &version, const tensorflow::serving::ModelServerConfig &config);
inference::ModelStatistics toModelStatistics(const Version &version);
/// All versions of all models, or those that can be used.
inference::RepositoryIndexResponse toRepositoryIndex(const Registry &registry, bool readyOnly);

} // namespace mlc::serve

#endif

//===- BatchingFiles.h - files that say how requests wait and become batches ---------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_BATCHINGFILES_H
#define MLC_RUNTIME_SERVE_BATCHINGFILES_H

#include "runtime/serve/Log.h"
#include "runtime/serve/Scheduler.h"

#include <optional>
#include <string>

namespace mlc::serve {

/// Reads TensorFlow Serving's BatchingParameters (--batching_parameters_file, batching_params.pbtxt). Throws Error
/// NOT_FOUND, or INVALID_ARGUMENT in TensorFlow Serving's words.
QueuePolicy readBatchingParameters(const std::string &path);

/// Reads max_batch_size, dynamic_batching and instance_group of Triton's config.pbtxt; says what it does not use. What
/// the file leaves open is that of `base`. Throws Error NOT_FOUND or INVALID_ARGUMENT.
QueuePolicy readTritonConfig(const std::string &path, const QueuePolicy &base, const Log &log);

/// The policy of the files beside a model: batching_params.pbtxt, else config.pbtxt, in the version's folder, else in
/// the model's. Nothing where there is no such file.
std::optional<QueuePolicy> policyBeside(const std::string &versionFolder, const QueuePolicy &base, const Log &log);

} // namespace mlc::serve

#endif
